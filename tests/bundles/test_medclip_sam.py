"""The medclip_sam bundle fulfils the contract of all bundles."""

from __future__ import annotations

from typing import ClassVar

from tests.bundles.contract import BundleContract

DECODERS = ["decoder_medsam", "decoder_sam_med2d", "decoder_sam_vit_h", "decoder_sam_vit_l"]


class TestMedCLIPSAM(BundleContract):
    name = "medclip_sam"
    laid_over: ClassVar = {"full": ["brain_mri", "breast_ultrasound", *DECODERS]}
    registry_only = ("coarse",)
