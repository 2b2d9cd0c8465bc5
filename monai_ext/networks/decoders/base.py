"""The one interface of promptable mask decoders: an image is encoded once, then asked by boxes, points or masks."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from monai_ext.networks.decoders.letterbox import Letterbox

Points = tuple[Tensor, Tensor]
"""Coordinates (B, N, P, 2) and labels (B, N, P): 1 the structure, 0 not the structure, -1 no point at all."""


@dataclass(frozen=True)
class EncodedImages:
    """What :meth:`VisualPromptDecoder.encode` finds in B images of one size.

    Attributes:
        maps: (B, C, h, w) each, from the finest to the coarsest; the coarsest is what prompts attend to.
        letterbox: where the images lie in the network's square.
    """

    maps: tuple[Tensor, ...]
    letterbox: Letterbox

    def __len__(self) -> int:
        return self.maps[-1].shape[0]


@dataclass(frozen=True)
class Rows:
    """R = B x N prompts one below the other, the first image's first, in pixels of the network's square.

    Attributes:
        boxes: (R, 4).
        points: (R, P, 2).
        labels: (R, P), int.
        masks: (R, 1, h, h) logits.
        tokens: (R, K, C).
    """

    boxes: Tensor | None
    points: Tensor | None
    labels: Tensor | None
    masks: Tensor | None
    tokens: Tensor | None


class VisualPromptDecoder(nn.Module):
    """A network that segments what boxes, points, a rough mask or tokens point at.

    All sizes and coordinates are those of the image as it is given; resizing, padding and normalisation are the
    network's own business and are undone by it. Prompts have two leading axes: B images and N prompts for each,
    every prompt for a mask of its own. An image that has fewer prompts than others of the batch is filled up by
    the caller, who leaves those masks out.

    Attributes:
        image_size: side in pixels of the square that the network reads.
        mask_size: side of low-resolution logits and of mask prompts.
        token_size: length C of a token.
        masks: number of masks with ``multimask=True``.
    """

    image_size: int
    mask_size: int
    token_size: int
    masks: int = 3

    @abstractmethod
    def encode(self, image: Tensor) -> EncodedImages:
        """Features of (B, 3, H, W) images in [0, 1], computed once whatever is asked of them."""

    @abstractmethod
    def predict_rows(self, maps: tuple[Tensor, ...], rows: Rows, multimask: bool) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (R, M, h, h) and IoU (R, M) of R prompts, with R rows in each of the maps."""

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

        For whoever filters masks before they are enlarged (:meth:`upscale`), gives a mask back as a prompt, or
        needs low-resolution logits in a loss.
        """
        rows, number = self._rows(features, boxes, points, masks, tokens)
        images = len(features)
        if number == 0:
            kept = self.masks if multimask else 1
            coarsest = features.maps[-1]
            low = coarsest.new_zeros(images, 0, kept, self.mask_size, self.mask_size)
            return low, coarsest.new_zeros(images, 0, kept)
        maps = tuple(one.repeat_interleave(number, 0) if number > 1 else one for one in features.maps)
        low, iou = self.predict_rows(maps, rows, multimask)
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
        """Masks of B encoded images, N prompts for each; whatever is given describes the same N prompts.

        Args:
            features: from :meth:`encode`.
            boxes: (B, N, 4), (x0, y0, x1, y1) in pixels of the given image.
            points: coordinates (B, N, P, 2), (x, y) in pixels of the given image, and labels (B, N, P):
                1 the structure, 0 not the structure, -1 no point (to fill up).
            masks: (B, N, mask_size, mask_size) logits over the network's square, as :meth:`predict` returns them;
                masks at the size of the image come there by ``features.letterbox.to_square``.
            tokens: (B, N, C), one more sparse token for each prompt, or (B, N, K, C).
            multimask: return `masks` alternatives instead of one mask for each prompt.

        Returns:
            logits (B, N, M, H, W), float32, at the size of the given image, M = 1 unless `multimask`; predicted
            IoU (B, N, M). Without any prompt N is 1.

        Raises:
            ValueError: when a prompt has another shape, or prompts differ in B or N.
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

    def _rows(
        self,
        features: EncodedImages,
        boxes: Tensor | None,
        points: Points | None,
        masks: Tensor | None,
        tokens: Tensor | None,
    ) -> tuple[Rows, int]:
        """Prompts checked, brought into the square and put one below the other; and N."""
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

        place = features.letterbox
        rows = Rows(
            boxes=flat(None if boxes is None else place.boxes(boxes)),
            points=flat(None if coordinates is None else place.points(coordinates)),
            labels=flat(None if labels is None else labels.to(torch.int32)),
            masks=flat(None if masks is None else masks[:, :, None].float()),
            tokens=flat(tokens),
        )
        return rows, next(iter(numbers.values()), 1)
