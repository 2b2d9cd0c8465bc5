"""Losses of text-prompted segmenters, visual-prompt decoders and vision-language encoders."""

from monai_ext.losses.text_prompt import TextPromptLoss

__all__ = ["TextPromptLoss"]
