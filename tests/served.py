"""Exported bundles for servers: the project's own configurations, with weights made for the test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from monai_ext.bundle.export import export
from monai_ext.resources import resource_path
from monai_ext.studies.retrained import retrain
from monai_ext.studies.train import TrainingRequest
from tests.bundles.films import write_films
from tests.bundles.small import SMALL_BUNDLES
from tests.fakes import DisplayProbe
from tests.studies.trainable import trainable

ROOT = Path(__file__).resolve().parents[1]


def probe_bundle(folder: Path, bright: bool = True) -> Path:
    """``folder/vlsm``, exported, its network :class:`DisplayProbe`: it needs no trained weights.

    The probe marks bright voxels of the side that the prompt names, so a mask that is mirrored, shifted or
    asked for by another prompt differs from the one expected.
    """
    source = _source(folder) / "vlsm"
    shutil.copytree(resource_path("vlsm", "bundles"), source)
    config = source / "configs" / "inference.json"
    network_def = {"_target_": "tests.fakes.DisplayProbe", "bright": bright}
    config.write_text(json.dumps({**json.loads(config.read_text()), "network_def": network_def}, indent=4))
    (source / "models").mkdir()
    torch.save(DisplayProbe(bright).state_dict(), source / "models" / "model.pt")
    return export(source, folder / "vlsm", trust=True)  # the probe is no target that a bundle may name


def small_bundle(name: str, folder: Path) -> Path:
    """``folder/NAME``, exported from the bundle's small copy: servers build its own network and load its weights."""
    return export(SMALL_BUNDLES[name](_source(folder)), folder / name)


def trainable_bundle(folder: Path) -> Path:
    """``folder/vlsm``, exported, which trains in seconds: its weights are not registered, so that nothing it knew is
    looked for again afterwards."""
    bundle = trainable(SMALL_BUNDLES["vlsm"](_source(folder)), _source(folder) / "trainable")
    config = bundle / "configs" / "inference.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "weights": "small"}, indent=4))
    return export(bundle, folder / "vlsm")


def retrained_bundle(folder: Path) -> Path:
    """``folder/bundle``, as a training of two steps writes it from :func:`trainable_bundle`."""
    data = write_films(folder.with_name(f"{folder.name}-films"))
    settings = {"draws_per_epoch": 8, "batch_size": 4, "num_workers": 0, "learning_rate": 1e-5}
    parent = trainable_bundle(folder.with_name(f"{folder.name}-parent"))
    request = TrainingRequest(
        bundle=parent, data=[data], output=folder, training="train", epochs=1, device="cpu", settings=settings
    )
    retrain(request, say=lambda line: None, progress=False)
    return folder / "bundle"


def _source(folder: Path) -> Path:
    """Beside the folder that a server looks for bundles in."""
    return folder.with_name(f"{folder.name}-source")
