"""Engines: how a batch of prompted items reaches MONAI's trainer and evaluator."""

from __future__ import annotations

from monai_ext.engines.evaluator import PromptedEvaluator
from monai_ext.engines.trainer import PromptedTrainer

__all__ = ["PromptedEvaluator", "PromptedTrainer"]
