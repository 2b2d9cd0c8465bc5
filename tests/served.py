"""A bundle for servers: the project's own configuration, with a network whose answer is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from monai_ext.data.resources import resource_path
from tests.fakes import DisplayProbe

ROOT = Path(__file__).resolve().parents[1]


def probe_bundle(folder: Path, bright: bool = True) -> Path:
    """``folder/vlsm``, as exported, but its network is :class:`DisplayProbe`: it needs no trained weights.

    The probe marks bright voxels of the side that the prompt names, so a mask that is mirrored, shifted or
    asked for by another prompt differs from the one expected.
    """
    bundle = folder / "vlsm"
    shutil.copytree(resource_path("vlsm", "bundles"), bundle)
    config = bundle / "configs" / "inference.json"
    content = json.loads(config.read_text())
    content["network_def"] = {"_target_": "tests.fakes.DisplayProbe", "bright": bright}
    config.write_text(json.dumps(content, indent=4))
    (bundle / "models").mkdir()
    torch.save(DisplayProbe(bright).state_dict(), bundle / "models" / "model.pt")
    return bundle


def vlsm_bundle(folder: Path) -> Path:
    """``folder/vlsm`` with its own network, the weights random: proves that servers build and load it."""
    from monai_ext.networks.vlsm import VLSM

    bundle = folder / "vlsm"
    shutil.copytree(resource_path("vlsm", "bundles"), bundle)
    (bundle / "models").mkdir()
    torch.manual_seed(0)
    torch.save(VLSM().state_dict(), bundle / "models" / "model.pt")
    return bundle
