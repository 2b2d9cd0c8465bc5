"""Copies of the project's bundles whose networks have few parameters and random weights, and find something."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from PIL import Image

from monai_ext.resources import resource_path

SMALL: dict[str, Any] = {
    "backbone": None,
    "kind": 0,
    "pieces": 800,
    "flip_average": True,
    "image_size": 32,
    "channels": [4, 4, 8, 8],
    "context": 1,
    "blocks": 1,
    "condition": 8,
    "text_width": 16,
    "text_depth": 1,
}

CLIP: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 16, "patch_size": 16},
    "text_cfg": {
        "context_length": 20,
        "vocab_size": 800,
        "width": 16,
        "heads": 2,
        "layers": 1,
        "tokenizer": "wordpiece",
        "pool_type": "eos",
    },
}
SAM: dict[str, Any] = {
    "backbone": None,
    "image_size": 32,
    "channels": [4, 4, 8, 8, 8],
    "context": 1,
    "dim": 16,
    "decoder": {"num_heads": 2},
}


def small_vlsm(folder: Path) -> Path:
    """``folder/vlsm``: about half of a picture is in each mask, and everything is present."""
    from monai_ext.networks.vlsm import VLSM

    bundle = folder / "vlsm"
    shutil.copytree(resource_path("vlsm", "bundles"), bundle, ignore=shutil.ignore_patterns("models"))
    config = bundle / "configs" / "inference.json"
    content = json.loads(config.read_text())
    content["network_def"].update(SMALL)
    config.write_text(json.dumps(content, indent=4))
    torch.manual_seed(1)
    network = VLSM(**SMALL)
    with torch.no_grad():
        network.encoder.medical[-1].bias.fill_(6.0)
        network.decoder.presence[-1].bias.fill_(3.0)
        network.sharpen[0].weight.mul_(0.02)  # prompts differ, but less than pixels of a picture do
        network.decoder.coefficients.weight.mul_(50)
        image = torch.from_numpy(np.asarray(noise()) / 255).float().expand(1, 3, -1, -1)
        network.decoder.coefficients.bias[-1] -= network.eval()(image, "lungs").median()
    (bundle / "models").mkdir()
    torch.save(network.state_dict(), bundle / "models" / "model.pt")
    return bundle


def small_clip_sam(folder: Path) -> Path:
    """``folder/clip_sam``: the bundle with modules of few parameters and random weights, and everything present."""
    changes = {
        "compare": "masked_images",
        "select": "best",
        "background": ["background"],
        "contrast": "@background",
        "generator#points_per_side": 4,
        "generator#iou_threshold": -10.0,
        "generator#stability_threshold": 0.0,
    }
    return _of_small_modules("clip_sam", folder, changes, seed=24)


def small_medclip_sam(folder: Path) -> Path:
    """``folder/medclip_sam``: likewise, with a transformer, so that every saliency method can be used."""
    two = {**CLIP, "vision_cfg": {**CLIP["vision_cfg"], "layers": 2}}
    changes = {"encoder#model": two, "saliency#layer": 0, "coarse#confidence": 0.0}
    return _of_small_modules("medclip_sam", folder, changes, seed=8)


def _of_small_modules(name: str, folder: Path, changes: dict[str, Any], seed: int) -> Path:
    """Seeds are those whose random weights find different masks for different prompts, and neither all nor nothing."""
    from monai.bundle import ConfigParser

    bundle = folder / name
    shutil.copytree(resource_path(name, "bundles"), bundle, ignore=shutil.ignore_patterns("models"))
    config = bundle / "configs" / "inference.json"
    parser = ConfigParser(json.loads(config.read_text()))
    everything = {"presence_scale": 5.0, "presence_offset": -1.0}
    parser.update({"encoder#model": CLIP, "cam_layer": None, **everything, **changes})
    for key, value in SAM.items():
        parser[f"decoder#{key}"] = value
    config.write_text(json.dumps(parser.config, indent=4))
    torch.manual_seed(seed)
    parser = ConfigParser()
    parser.read_config(str(config))
    (bundle / "models").mkdir()
    torch.save(parser.get_parsed_content("network_def").state_dict(), bundle / "models" / "model.pt")
    return bundle


SMALL_BUNDLES: dict[str, Callable[[Path], Path]] = {
    "vlsm": small_vlsm,
    "clip_sam": small_clip_sam,
    "medclip_sam": small_medclip_sam,
}
"""By the bundle's name: writes a small copy of the bundle into a folder, and returns where it lies."""


def noise(seed: int = 0) -> Image.Image:
    """24 rows and 40 columns of smooth noise."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 10), dtype=np.uint8)
    return Image.fromarray(coarse).resize((40, 24), Image.Resampling.BICUBIC)


def picture(path: Path, seed: int = 0) -> Path:
    """The same noise, written to `path`."""
    noise(seed).save(path)
    return path


def volume(path: Path) -> Path:
    """A volume of (20, 16, 5) voxels of noise in HU, with the air that a CT shows, written to `path` as NIfTI."""
    voxels = np.random.default_rng(0).integers(-300, 300, (20, 16, 5), dtype=np.int16)
    voxels[0, 0] = -1000
    nib.save(nib.Nifti1Image(voxels, np.diag([1.0, 1.0, 4.0, 1.0])), path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder by their path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
