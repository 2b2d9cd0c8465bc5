"""Saliency methods: where in an image a vision-language encoder finds what a text names."""

from monai_ext.saliency.attention import AttentionRollout
from monai_ext.saliency.base import SaliencyFeatures, SaliencyMethod
from monai_ext.saliency.gradcam import GradCAM
from monai_ext.saliency.gscorecam import GScoreCAM
from monai_ext.saliency.m2ib import M2IB
from monai_ext.saliency.patch_text import PatchText

__all__ = [
    "M2IB",
    "AttentionRollout",
    "GScoreCAM",
    "GradCAM",
    "PatchText",
    "SaliencyFeatures",
    "SaliencyMethod",
]
