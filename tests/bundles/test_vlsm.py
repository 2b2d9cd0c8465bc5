"""The vlsm bundle fulfils the contract of all bundles."""

from __future__ import annotations

from typing import ClassVar

from tests.bundles.contract import TrainableBundleContract
from tests.bundles.small import SMALL

SMALL_NETWORK = {f"network_def#{key}": value for key, value in SMALL.items()}


class TestVLSM(TrainableBundleContract):
    name = "vlsm"
    trainings: ClassVar = {
        "train": {**SMALL_NETWORK, "val_interval": 1, "size": 48, "image_sizes": [[0, 48]]}
    }
