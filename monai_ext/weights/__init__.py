"""Weights by name: where they come from, their licence, and loading them without running their code."""

from __future__ import annotations

from monai_ext.weights.load import load_into, load_weights, weights_file
from monai_ext.weights.registry import Entry, read_registry

__all__ = ["Entry", "load_into", "load_weights", "read_registry", "weights_file"]
