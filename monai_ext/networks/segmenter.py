"""The one contract of all text-prompted methods in this package."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_ext.errors import InputError, is_monai_command_line, print_in_one_line
from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.prompt import Prompt
from monai_ext.prompts.reading import Reading, read_prompt

Features = Mapping[str, Any]
CONVERSIONS = {"ckpt_export": "TorchScript", "onnx_export": "ONNX", "trt_export": "TensorRT"}
"""What MONAI's commands of these names convert a network to."""


def ensembled(prompts: Sequence[Prompt], vectors: Mapping[str, Tensor]) -> Tensor:
    """(N, C) unit vectors of N prompts from those (C,) of their texts: the mean over an ensemble, normalised."""
    means = torch.stack([torch.stack([vectors[text] for text in p.texts]).mean(0) for p in prompts])
    return F.normalize(means, dim=-1)


def refuse_conversion() -> None:
    """Refuse to be built by MONAI's commands that convert networks, which fail at the words of a prompt.

    They say so in errors of torch's own, or of a package that is missing.

    Raises:
        InputError: with what is there instead. Where MONAI's command line runs, it is one line and exit code 2.
    """
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        command = frame.f_code.co_name
        if command in CONVERSIONS and frame.f_globals.get("__name__") == "monai.bundle.scripts":
            if is_monai_command_line():
                print_in_one_line()
            raise InputError(
                f"{command}: a network that is asked in words cannot become {CONVERSIONS[command]}; a bundle with its "
                "weights, for all that runs MONAI bundles, is written by: monai-ext bundles export NAME FOLDER."
            )


@dataclass
class Segmentation:
    """What a method returns for a batch of B images with one prompt each.

    Attributes:
        logits: (B, 1, H, W) float32, not gated by presence.
        presence: (B,) logit that the prompted structure is in the image.
        stages: intermediate results for explanation and tests: saliency, coarse mask, boxes,
            points, candidates, answer text.
        aux: what losses need beside the logits: predicted IoU, class logits, low-resolution logits.
    """

    logits: Tensor
    presence: Tensor
    stages: dict[str, Any] = field(default_factory=dict)
    aux: dict[str, Any] = field(default_factory=dict)


class TextPromptedSegmenter(nn.Module, ABC):
    """A network that segments what a text names.

    Images are (B, 3, H, W), float, display range [0, 1]. Normalisation, resizing and padding are
    the network's own business and are undone by it: logits come back at H x W. Presence never gates
    the logits here, since a gate inside the network would cut off its gradient; the inferer gates.
    """

    default_prompt: Prompt = Prompt(("",))
    lexicon: Lexicon = Lexicon()
    """What the network was taught; open where that is not recorded."""

    def __init__(self) -> None:
        super().__init__()
        refuse_conversion()

    @abstractmethod
    def encode(self, image: Tensor) -> Features:
        """Features of (B, 3, H, W) images, computed once whatever the number of prompts."""

    @abstractmethod
    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        """Segment B encoded images by B prompts, one prompt per image."""

    def segment_all(
        self, features: Features, prompts: Sequence[Prompt], images: int
    ) -> Iterator[Segmentation]:
        """Segment all of B encoded images by each prompt: one :class:`Segmentation` per prompt, in their order.

        A network that is quicker at several prompts at once overrides this.
        """
        for prompt in prompts:
            yield self.segment(features, [prompt] * images)

    def read(self, prompt: Prompt, modality: str | None = None) -> tuple[Prompt, Reading]:
        """What the network is asked for a prompt, and how the prompt was read: see :func:`read_prompt`.

        The inferer does not ask for a prompt that is refused: its mask is empty and its presence 0.
        """
        return read_prompt(prompt, self.lexicon, modality)

    def fits(self, features: Features, prompts: Sequence[Prompt]) -> Tensor:
        """(B, N) logits that each of B encoded images is of a kind that may show what each of N prompts names.

        Raises:
            InputError: where a network does not compare the two.
        """
        raise InputError(
            f"{type(self).__name__} does not compare the kind of image with the words; set asked to 0."
        )

    def forward(
        self,
        image: Tensor,
        prompt: Prompt | str | Sequence[Prompt | str] | Sequence[Sequence[Prompt | str]] | None = None,
        full: bool = False,
        asked: Sequence[Sequence[Prompt | str]] | None = None,
    ) -> Tensor | Segmentation | list[Segmentation]:
        """Encode and segment in one call, the only path that training takes.

        Args:
            image: (B, 3, H, W) in [0, 1].
            prompt: one prompt for all images, one per image, or P per image, which share the image's
                features; the default prompt if None.
            full: return whole :class:`Segmentation` instead of logits.
            asked: K further prompts per image, for :meth:`fits` alone: ``aux["fits"]`` of the first
                :class:`Segmentation` then holds (B, B * K) logits, of each image and the prompts of all.

        Returns:
            (B, 1, H, W) float32 logits, or the :class:`Segmentation`. With P prompts per image (B, P, H, W)
            logits, or a list of P, the k-th for the k-th prompt of each image.

        Raises:
            ValueError: when the number of prompts is not the number of images, or images differ in theirs.
        """
        if prompt is None:
            prompt = self.default_prompt
        if isinstance(prompt, (str, Prompt)):
            prompt = [prompt] * image.shape[0]
        if len(prompt) != image.shape[0]:
            raise ValueError(f"{len(prompt)} prompts for {image.shape[0]} images; one per image is needed.")
        rows = [[one] if isinstance(one, (str, Prompt)) else list(one) for one in prompt]
        several = not any(isinstance(one, (str, Prompt)) for one in prompt)
        if len({len(row) for row in rows}) != 1:
            raise ValueError(
                f"images with {sorted({len(row) for row in rows})} prompts; as many for each are needed."
            )
        features = self.encode(image)
        results = [self.segment(features, [Prompt.of(p) for p in column]) for column in zip(*rows)]
        if asked is not None:
            results[0].aux["fits"] = self.fits(features, [Prompt.of(p) for row in asked for p in row])
        if full:
            return results if several else results[0]
        return torch.cat([result.logits for result in results], dim=1)


class FrozenSegmenter(TextPromptedSegmenter):
    """A method of which nothing learns: its modules stay in evaluation mode, and no weight takes a gradient.

    A subclass calls :meth:`freeze` once it has its modules.
    """

    def freeze(self) -> None:
        """Switch off gradients of the weights and whatever behaves otherwise in training."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode."""
        return super().train(False)
