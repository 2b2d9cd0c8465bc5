"""Losses of text-prompted segmentation."""

from monai_ext.losses.text_prompt import TextPromptLoss

__all__ = ["TextPromptLoss"]
