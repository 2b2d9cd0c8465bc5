"""Engines: how a batch of prompted items reaches MONAI's trainer and evaluator."""

from __future__ import annotations

from monai_ext.engines.evaluator import FaultTolerantEvaluator
from monai_ext.engines.trainer import TextPromptTrainer

__all__ = ["FaultTolerantEvaluator", "TextPromptTrainer"]
