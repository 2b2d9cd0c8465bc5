"""Candidate masks from points, coarse masks from saliency, and what is made of them: visual prompts, masked images."""

from monai_ext.masks.coarse import CoarseMask, CRFMask, KMeansMask, OtsuMask, ThresholdMask
from monai_ext.masks.components import count_components, keep_components, touching_components
from monai_ext.masks.compressed import CompressedMasks
from monai_ext.masks.crf import DenseCRF
from monai_ext.masks.generator import Candidates, MaskGenerator
from monai_ext.masks.masked_images import MaskedImages
from monai_ext.masks.visual_prompts import BoxesAndPoints, VisualPrompts

__all__ = [
    "BoxesAndPoints",
    "CRFMask",
    "Candidates",
    "CoarseMask",
    "CompressedMasks",
    "DenseCRF",
    "KMeansMask",
    "MaskGenerator",
    "MaskedImages",
    "OtsuMask",
    "ThresholdMask",
    "VisualPrompts",
    "count_components",
    "keep_components",
    "touching_components",
]
