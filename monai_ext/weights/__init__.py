"""Weights by name: where they come from, under which licence, and how they load without running code in the files."""

from __future__ import annotations

from monai_ext.weights.load import load_into, load_weights, weights_file
from monai_ext.weights.registry import Entry, read_registry

__all__ = ["Entry", "load_into", "load_weights", "read_registry", "weights_file"]
