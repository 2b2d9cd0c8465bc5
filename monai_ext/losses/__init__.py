"""Losses of text-prompted segmentation."""

from monai_ext.losses.prompted import PromptedLoss

__all__ = ["PromptedLoss"]
