"""The clip_sam bundle fulfils the contract of all bundles."""

from __future__ import annotations

from typing import ClassVar

from tests.bundles.small import SAM
from tests.bundles.training_contract import TrainableBundleContract

SMALL_DECODER = {f"network_def#{key}": value for key, value in SAM.items()}


class TestClipSAM(TrainableBundleContract):
    name = "clip_sam"
    laid_over: ClassVar = {
        "full": ["decoder_medsam", "decoder_sam2_1", "encoder_biomedclip"],
        "gscorecam": ["attention"],
    }
    trainings: ClassVar = {
        "train_encoder": {"photographs": False, "opacities": 1},
        "train_decoder": {**SMALL_DECODER, "epochs": 4, "opacities": 2},  # a checkpoint every second epoch
    }
