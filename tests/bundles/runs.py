"""Run a bundle as its users do, and read what the run wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.bundle import ConfigWorkflow
from PIL import Image

from monai_ext.cli.main import main
from tests.bundles.small import contents


def segment(source: Path, out: Path, bundle: str | Path, prompts: Sequence[str], *more: str) -> Path:
    """Segment on the CPU by the command line, which must succeed; cases are called as their files. Returns `out`."""
    asked = [word for prompt in prompts for word in ("-p", prompt)]
    called = ["-o", str(out), "--bundle", str(bundle), "--names", "file", "--device", "cpu", "--quiet"]
    assert main(["segment", str(source), *asked, *called, *more]) == 0
    return out


def opened(bundle: Path, configs: Sequence[str], data: Path, out: Path, **overrides: Any) -> ConfigWorkflow:
    """What ``python -m monai.bundle run`` opens, initialised: configurations by name, laid over each other."""
    flow = ConfigWorkflow(
        [str(bundle / "configs" / f"{name}.json") for name in configs],
        meta_file=str(bundle / "configs" / "metadata.json"),
        workflow_type="infer",
        logging_file=False,
        **{
            "bundle_root": str(bundle),
            "dataset_dir": str(data),
            "output_dir": str(out),
            "device": "cpu",
            **overrides,
        },
    )
    flow.initialize()
    return flow


def report(out: Path) -> dict[str, Any]:
    return json.loads((out / "report.json").read_text())


def results(out: Path) -> dict[str, bytes]:
    """All files of a run but its report, which holds the time that it took."""
    return {name: content for name, content in contents(out).items() if name != "report.json"}


def read_mask(file: Path) -> np.ndarray:
    """(H, W) of a picture, (X, Y, Z) of a volume in NIfTI, in the order of the file."""
    if file.suffix == ".png":
        with Image.open(file) as picture:
            return np.asarray(picture)
    return np.asarray(nib.load(file).dataobj)
