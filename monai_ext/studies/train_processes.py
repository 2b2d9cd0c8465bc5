"""A training on several processes of this machine, as torchrun starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ext.bundle.configs import config_files, literal
from monai_ext.bundle.trainings import MULTIPLE
from monai_ext.errors import InputError
from monai_ext.files import whole_file

SETTINGS = "settings.json"
"""Values of the configuration that the processes read, in the folder of the training."""


def train_on_processes(
    bundle: Path, training: str, overrides: Mapping[str, Any], output: Path, processes: int
) -> None:
    """Run a training with ``multi_gpu_train.json`` laid over it, one process for each device.

    Args:
        bundle: its folder.
        training: name of the configuration.
        overrides: values of the configuration by id.
        output: folder of the training.
        processes: how many.

    Raises:
        InputError: when a process ends with an error, which it has printed.
    """
    with whole_file(output / SETTINGS) as partial:
        content = {**overrides, "bundle_root": literal(bundle)}
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    files = [*config_files(bundle, [f"{training}.json", MULTIPLE]), output / SETTINGS]
    launcher = ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    run = ["-m", "monai.bundle", "run", "--config_file", str([str(file) for file in files])]
    done = subprocess.run([sys.executable, "-m", *launcher, *run, "--logging_file", "False"], check=False)
    if done.returncode:
        raise InputError(
            f"one of the {processes} processes ended with an error, which stands above; started again without --processes "
            "it is one line."
        )
