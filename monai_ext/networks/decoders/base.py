"""The interface of visual-prompt decoders: an image is encoded once, then segmented by boxes, points or masks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from monai_ext.networks.decoders.letterbox import Letterbox

Points = tuple[Tensor, Tensor]
"""Coordinates (B, N, P, 2) and labels (B, N, P): 1 foreground, 0 background, -1 padding, which is no point."""


@dataclass(frozen=True)
class EncodedImages:
    """Features of B images of one size, as :meth:`VisualPromptDecoder.encode` returns them.

    Attributes:
        maps: feature maps (B, C, h, w), from the finest to the coarsest; prompts attend to the coarsest.
        letterbox: where the images lie in the network's square input.
    """

    maps: tuple[Tensor, ...]
    letterbox: Letterbox

    def __len__(self) -> int:
        return self.maps[-1].shape[0]


@dataclass(frozen=True)
class FlatPrompts:
    """The visual prompts of all images along one axis, R = B x N, those of the first image first.

    Attributes:
        boxes: (R, 4), in pixels of the network's square.
        points: (R, P, 2), in pixels of the network's square.
        labels: (R, P), int, of the points.
        masks: (R, 1, h, h) logits over the square.
        tokens: (R, K, C) embeddings.
    """

    boxes: Tensor | None
    points: Tensor | None
    labels: Tensor | None
    masks: Tensor | None
    tokens: Tensor | None


class VisualPromptDecoder(nn.Module, ABC):
    """A network that segments what visual prompts mark: boxes, points, a rough mask, or token embeddings.

    Sizes and coordinates are those of the image as it is given: the network resizes, pads and normalises the image
    itself, and its logits come back at the image's size. Prompts have two leading axes, B images and N prompts for
    each image, and each prompt gets a mask of its own. Where an image has fewer prompts than others of its batch, the
    caller pads them and ignores the masks of the padding.

    Attributes:
        image_size: side in pixels of the square that the network reads.
        mask_size: side of low-resolution logits and of mask prompts.
        token_size: length C of a token embedding.
        num_multimask_outputs: number of alternative masks of each prompt with ``multimask=True``.
    """

    image_size: int
    mask_size: int
    token_size: int
    num_multimask_outputs: int = 3

    @abstractmethod
    def encode(self, image: Tensor) -> EncodedImages:
        """Features of (B, 3, H, W) images in [0, 1], computed once for any number of prompts."""

    @abstractmethod
    def predict_flat(
        self, maps: tuple[Tensor, ...], prompts: FlatPrompts, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (R, M, h, h) and predicted IoU (R, M) of R prompts, from R rows of each map."""

    def predict(
        self,
        features: EncodedImages,
        boxes: Tensor | None = None,
        points: Points | None = None,
        masks: Tensor | None = None,
        tokens: Tensor | None = None,
        multimask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`decode`, but the logits are (B, N, M, mask_size, mask_size) over the network's square.

        Callers use this to filter masks before they are enlarged (:meth:`upscale`), to give a mask back as a prompt,
        or to compute a loss of low-resolution logits.
        """
        prompts, number = self._flattened(features, boxes, points, masks, tokens)
        images = len(features)
        if number == 0:
            outputs = self.num_multimask_outputs if multimask else 1
            coarsest = features.maps[-1]
            low = coarsest.new_zeros(images, 0, outputs, self.mask_size, self.mask_size)
            return low, coarsest.new_zeros(images, 0, outputs)
        maps = tuple(one.repeat_interleave(number, 0) if number > 1 else one for one in features.maps)
        low, iou = self.predict_flat(maps, prompts, multimask)
        return low.unflatten(0, (images, number)), iou.unflatten(0, (images, number))

    def upscale(self, low: Tensor, features: EncodedImages) -> Tensor:
        """Logits (B, N, M, h, h) over the network's square as (B, N, M, H, W) float32 logits of the image."""
        large = features.letterbox.to_image(low.flatten(0, 1).float())
        return large.unflatten(0, low.shape[:2])

    def decode(
        self,
        features: EncodedImages,
        boxes: Tensor | None = None,
        points: Points | None = None,
        masks: Tensor | None = None,
        tokens: Tensor | None = None,
        multimask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Masks of B encoded images for N prompts each; all prompts that are given describe the same N structures.

        Args:
            features: from :meth:`encode`.
            boxes: (B, N, 4), (x0, y0, x1, y1) in pixels of the given image.
            points: coordinates (B, N, P, 2), (x, y) in pixels of the given image, and labels (B, N, P):
                1 foreground, 0 background, -1 padding.
            masks: (B, N, mask_size, mask_size) logits over the network's square, as :meth:`predict` returns them;
                ``features.letterbox.to_square`` makes them of masks at the size of the image.
            tokens: embeddings (B, N, C), one more sparse token for each prompt, or (B, N, K, C).
            multimask: return `num_multimask_outputs` alternatives instead of one mask for each prompt.

        Returns:
            logits (B, N, M, H, W), float32, at the size of the given image, M = 1 unless `multimask`; predicted
            IoU (B, N, M). N is 1 where no prompt is given.

        Raises:
            ValueError: when a prompt has another shape, or the prompts differ in B or N.
        """
        low, iou = self.predict(features, boxes, points, masks, tokens, multimask)
        return self.upscale(low, features), iou

    def forward(
        self,
        image: Tensor,
        boxes: Tensor | None = None,
        points: Points | None = None,
        masks: Tensor | None = None,
        tokens: Tensor | None = None,
        multimask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Encode and decode in one call, the path that training takes; see :meth:`encode` and :meth:`decode`."""
        return self.decode(self.encode(image), boxes, points, masks, tokens, multimask)

    def _flattened(
        self,
        features: EncodedImages,
        boxes: Tensor | None,
        points: Points | None,
        masks: Tensor | None,
        tokens: Tensor | None,
    ) -> tuple[FlatPrompts, int]:
        """Check the prompts, bring them into the square and join the axes of images and prompts; also returns N."""
        coordinates, labels = (None, None) if points is None else points
        tokens = tokens[:, :, None] if tokens is not None and tokens.ndim == 3 else tokens
        side, length = self.mask_size, self.token_size
        shapes: dict[str, tuple[Tensor | None, tuple[int | None, ...]]] = {
            "boxes": (boxes, (4,)),
            "points": (coordinates, (None, 2)),
            "labels": (labels, (None if coordinates is None else coordinates.shape[-2],)),
            "masks": (masks, (side, side)),
            "tokens": (tokens, (None, length)),
        }
        given = {name: (one, tail) for name, (one, tail) in shapes.items() if one is not None}
        for name, (one, tail) in given.items():
            wanted = (len(features), None, *tail)
            if one.ndim != len(wanted) or any(w not in (None, s) for s, w in zip(one.shape, wanted)):
                sizes = ", ".join("any" if w is None else str(w) for w in wanted)
                raise ValueError(f"{name} of shape {tuple(one.shape)}; ({sizes}) is needed.")
        numbers = {name: one.shape[1] for name, (one, _) in given.items()}
        if len(set(numbers.values())) > 1:
            raise ValueError(f"prompts per image differ: {numbers}; all describe the same prompts.")

        def flat(one: Tensor | None) -> Tensor | None:
            return None if one is None else one.flatten(0, 1).to(features.maps[-1].device)

        letterbox = features.letterbox
        prompts = FlatPrompts(
            boxes=flat(None if boxes is None else letterbox.boxes(boxes)),
            points=flat(None if coordinates is None else letterbox.points(coordinates)),
            labels=flat(None if labels is None else labels.to(torch.int32)),
            masks=flat(None if masks is None else masks[:, :, None].float()),
            tokens=flat(tokens),
        )
        return prompts, next(iter(numbers.values()), 1)
