"""What a training depends on, by which a checkpoint of another one is told."""

from __future__ import annotations

import json
from collections.abc import Sized
from typing import Any

from monai.bundle import ConfigParser

from monai_ext.callers import caller
from monai_ext.engines.distributed import processes

NO_WEIGHT_DEPENDS_ON = (
    *("bundle_root", "dataset_dir", "output_dir", "resume", "device", "backend", "num_workers", "progress"),
    *(
        "epochs",
        "val_interval",
        "patience",
        "pictures",
        "tensorboard",
        "mlflow",
        "initialize",
        "run",
        "finalize",
    ),
)
"""Ids at the top of a training's configuration that may change when it goes on."""


def training_settings(data: Sized) -> dict[str, str]:
    """The plain values at the top of the configuration that is running, the number of items, and that of processes.

    Args:
        data: the training data.

    Raises:
        ValueError: when it is not called by MONAI's ConfigParser.
    """
    parser = caller(ConfigParser)
    if parser is None:
        raise ValueError("training_settings is a target of configurations, and called by none.")
    content: dict[str, Any] = parser.get("")
    plain = {
        name: json.dumps(value)
        for name, value in content.items()
        if not name.startswith("_") and name not in NO_WEIGHT_DEPENDS_ON and _is_plain(value)
    }
    return {**plain, "items of the data": str(len(data)), "processes": str(processes())}


def _is_plain(value: Any) -> bool:
    """Whether a value is neither built nor a reference, nor holds one."""
    if isinstance(value, dict):
        return "_target_" not in value and all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return not (isinstance(value, str) and value.startswith(("@", "$", "%")))
