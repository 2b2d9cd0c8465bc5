"""Engines: how a batch reaches MONAI's trainer and evaluator, and what a training step is."""

from __future__ import annotations

from monai_ext.engines.evaluator import FaultTolerantEvaluator
from monai_ext.engines.trainer import TaskTrainer

__all__ = ["FaultTolerantEvaluator", "TaskTrainer"]
