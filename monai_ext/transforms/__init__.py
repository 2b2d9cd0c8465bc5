"""Transforms: from files to images in display range, and from probabilities to files."""

from __future__ import annotations

from monai_ext.transforms.augment import RandLateralityAwareFlipd
from monai_ext.transforms.display import DisplayRange, DisplayRanged
from monai_ext.transforms.load import MedicalLoadImage, MedicalLoadImaged
from monai_ext.transforms.masks import LabelMap, LabelMapd, PopPresenced, PromptMasks, PromptMasksd
from monai_ext.transforms.save import MaskSaveImaged
from monai_ext.transforms.statistics import MaskStatisticsd
from monai_ext.transforms.uncertainty import UncertaintySaveImaged

__all__ = [
    "DisplayRange",
    "DisplayRanged",
    "LabelMap",
    "LabelMapd",
    "MaskSaveImaged",
    "MaskStatisticsd",
    "MedicalLoadImage",
    "MedicalLoadImaged",
    "PopPresenced",
    "PromptMasks",
    "PromptMasksd",
    "RandLateralityAwareFlipd",
    "UncertaintySaveImaged",
]
