"""The clip_sam bundle fulfils the contract of all bundles."""

from __future__ import annotations

from tests.bundles.contract import TrainableBundleContract
from tests.bundles.small import SAM


class TestClipSAM(TrainableBundleContract):
    name = "clip_sam"
    laid_over = {"attention": ["gscorecam"]}
    trainings = {
        "train_encoder": {"photographs": False, "lesions": 0, "opacities": 1, "transplants": 0},
        "train_decoder": {"opacities": 2, **{f"network_def#{key}": value for key, value in SAM.items()}},
    }
