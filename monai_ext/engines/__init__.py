"""Engines: how a batch of prompted items reaches MONAI's trainer and evaluator."""

from __future__ import annotations

from monai_ext.engines.evaluator import CaseEvaluator

__all__ = ["CaseEvaluator"]
