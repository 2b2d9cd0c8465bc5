"""Inferers: from a batch of images and a network to probabilities in the images' own geometry."""

from __future__ import annotations

from monai_ext.inferers.autocast import AutocastInferer
from monai_ext.inferers.observer import StageObserver
from monai_ext.inferers.perturbations import Perturbations
from monai_ext.inferers.prompt import PromptInferer
from monai_ext.inferers.quality import estimated_quality
from monai_ext.inferers.traversal import SliceTraversal, Traversal

__all__ = [
    "AutocastInferer",
    "Perturbations",
    "PromptInferer",
    "SliceTraversal",
    "StageObserver",
    "Traversal",
    "estimated_quality",
]
