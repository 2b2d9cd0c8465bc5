"""What a training wrote runs by the command line and by MONAI's runner, with the same masks.

The other two ways, MONAI Label and MONAI Deploy, are in ``label/`` and ``deploy/``, which have environments of their own.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from monai_ext.cli.main import main
from tests.bundles.small import contents, picture, volume
from tests.served import ROOT, retrained_bundle


@pytest.fixture(scope="module")
def retrained(tmp_path_factory):
    return retrained_bundle(tmp_path_factory.mktemp("trained") / "run")


def test_the_command_line_and_monais_runner_write_the_same_masks(retrained, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    picture(images / "a.png")
    volume(images / "b.nii.gz")
    words = ["--bundle", str(retrained), "-p", "lungs; left lung", "--names", "file"]
    assert main(["segment", str(images), *words, "-o", str(tmp_path / "ours")]) == 0

    config = str(retrained / "configs" / "inference.json")
    values = {
        "bundle_root": retrained,
        "dataset_dir": images,
        "output_dir": tmp_path / "monais",
        "displayable_configs#text_prompt": "lungs; left lung",
        "case_names": "file",
    }
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", config]
    command += [str(word) for name, value in values.items() for word in (f"--{name}", value)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    ours, monais = (
        {name: data for name, data in contents(tmp_path / folder).items() if not name.endswith(".json")}
        for folder in ("ours", "monais")
    )
    assert ours == monais and len(ours) == 6  # two masks and a label map of each image
    mask = np.asarray(Image.open(tmp_path / "ours" / "a" / "lungs.png"))
    assert 0 < np.count_nonzero(mask) < mask.size
