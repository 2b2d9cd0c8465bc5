"""Losses of text-prompted segmentation."""

from monai_ext.losses.text_prompt import PromptedLoss

__all__ = ["PromptedLoss"]
