"""Exported bundles for servers: the project's own configuration, with weights made for the test."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from monai_ext.bundle.export import export
from monai_ext.networks.vlsm import VLSM
from monai_ext.resources import resource_path
from tests.bundles.small import small_clip_sam, small_medclip_sam
from tests.fakes import DisplayProbe

ROOT = Path(__file__).resolve().parents[1]


def probe_bundle(folder: Path, bright: bool = True) -> Path:
    """``folder/vlsm``, exported, its network :class:`DisplayProbe`: it needs no trained weights.

    The probe marks bright voxels of the side that the prompt names, so a mask that is mirrored, shifted or
    asked for by another prompt differs from the one expected.
    """
    network_def = {"_target_": "tests.fakes.DisplayProbe", "bright": bright}
    return _export(folder, DisplayProbe(bright), network_def)


def vlsm_bundle(folder: Path) -> Path:
    """``folder/vlsm``, exported with its own network and random weights: servers build and load it."""
    torch.manual_seed(0)
    network = VLSM()
    network.learn_words(["lungs in a CT scan", "liver in a CT scan"])
    return _export(folder, network, None)


def clip_sam_bundle(folder: Path) -> Path:
    """``folder/clip_sam``, exported with small random parts."""
    return export(small_clip_sam(folder.with_name(f"{folder.name}-source")), folder / "clip_sam")


def medclip_sam_bundle(folder: Path) -> Path:
    """``folder/medclip_sam``, likewise."""
    return export(small_medclip_sam(folder.with_name(f"{folder.name}-source")), folder / "medclip_sam")


def _export(folder: Path, network: torch.nn.Module, network_def: Mapping[str, Any] | None) -> Path:
    source = folder.with_name(f"{folder.name}-source") / "vlsm"
    shutil.copytree(resource_path("vlsm", "bundles"), source)
    if network_def is not None:
        config = source / "configs" / "inference.json"
        content = {**json.loads(config.read_text()), "network_def": dict(network_def)}
        config.write_text(json.dumps(content, indent=4))
    (source / "models").mkdir()
    torch.save(network.state_dict(), source / "models" / "model.pt")
    return export(source, folder / "vlsm")
