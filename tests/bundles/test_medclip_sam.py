"""The medclip_sam bundle fulfils the contract of all bundles."""

from __future__ import annotations

from tests.bundles.contract import BundleContract


class TestMedCLIPSAM(BundleContract):
    name = "medclip_sam"
    laid_over = {"brain_mri": ["full_sam_vit_b"], "breast_ultrasound": ["full_sam_vit_b"]}
    registry_only = ["coarse"]
