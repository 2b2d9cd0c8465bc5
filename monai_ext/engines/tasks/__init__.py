"""Training tasks: a network, its loss, perhaps a frozen reference, and what a batch is, as one module."""

from __future__ import annotations

from monai_ext.engines.tasks.base import TrainingTask
from monai_ext.engines.tasks.image_text import ImageTextTask
from monai_ext.engines.tasks.segmentation import SegmentationTask
from monai_ext.engines.tasks.visual_prompts import VisualPromptTask

__all__ = ["ImageTextTask", "SegmentationTask", "TrainingTask", "VisualPromptTask"]
