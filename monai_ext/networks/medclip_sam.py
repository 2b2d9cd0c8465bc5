"""MedCLIP-SAM: where the text is in the image, cut into a coarse mask, refined by a promptable decoder.

Koleilat et al., MedCLIP-SAM (MICCAI 2024) and MedCLIP-SAMv2 (arXiv:2409.19483). Saliency method, coarse mask, visual
prompts and decoder are parts that a configuration chooses: the two versions, CLIP-SAM's second pipeline and the rows of
the papers' ablations are settings of one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import InputError, check_choice
from monai_ext.masks import (
    BoxesAndPoints,
    CoarseMask,
    VisualPrompts,
    count_components,
    keep_components,
    touching_components,
)
from monai_ext.networks.blocks.content_crop import OUTSIDE_LOGIT
from monai_ext.networks.decoders.base import EncodedImages, VisualPromptDecoder
from monai_ext.networks.encoders.text_presence import TextPresence
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.networks.segmenter import Features, FrozenSegmenter, Segmentation
from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.prompt import Prompt
from monai_ext.saliency import SaliencyMethod

ENSEMBLES = ("embeddings", "before", "after")
COMPONENTS = ("as_many", "touching", "all")
LEVEL = 0.5  # of the saliency, where its own mask is scored beside the coarse one


class MedCLIPSAM(FrozenSegmenter):
    """Saliency of a text, a coarse mask of it, boxes or points on that, and the decoder's mask of these.

    Images go through one by one, whatever the batch, so that results are the same bit by bit in every batch; each is
    encoded once by either encoder, whatever the number of prompts. Nothing is learnt here: the parts stay in evaluation
    mode, and the gradients that a saliency method needs are its own business.

    The logits are those of the decoder, the highest of several boxes', within the components that are kept. Without a
    decoder the coarse mask itself is the result, its probability (1 + saliency) / 2.

    Masks of several members of a prompt are joined by their majority: a pixel belongs where at least half of them have
    it. Presence is that of all texts together; it is none where more than half of the coarse masks are empty.

    Args:
        encoder: compares image and text.
        saliency: where the text is.
        coarse: cuts the saliency.
        decoder: refines the mask; None: it is left coarse.
        visual: which boxes or points the decoder is asked by.
        presence: tells whether the image shows what a text names; by the plain similarity if None.
        ensemble: what is joined of several texts of a prompt: the mean of their "embeddings"; or of its members (single
            texts, or the groups of a :class:`~monai_ext.prompts.prompt.GroupedPrompt`) the coarse masks "before" they are
            refined, or the refined masks "after" that (Table 7 of MedCLIP-SAMv2).
        runs: decoder calls with other random points, whose probabilities are averaged.
        components: which components of the decoder's mask are kept: "as_many" of the largest as the coarse mask has, as
            published; those "touching" the coarse mask; "all".

    Raises:
        InputError: when a value is out of its range.
    """

    default_prompt = Prompt(("lungs in a chest X-ray",), "lungs")

    def __init__(
        self,
        encoder: VisionLanguageEncoder,
        saliency: SaliencyMethod,
        coarse: CoarseMask,
        decoder: VisualPromptDecoder | None,
        visual: VisualPrompts,
        presence: TextPresence | None = None,
        ensemble: str = "embeddings",
        runs: int = 1,
        components: str = "as_many",
    ) -> None:
        super().__init__()
        check_choice("ensemble", ensemble, ENSEMBLES)
        check_choice("components", components, COMPONENTS)
        if runs < 1:
            raise InputError(f"runs is {runs}; one is the least.")
        self.encoder, self.decoder = encoder, decoder
        self.saliency, self.coarse, self.visual = saliency, coarse, visual
        self.presence = presence or TextPresence()
        self.ensemble, self.runs, self.components = ensemble, runs, components
        self.freeze()

    @property
    def lexicon(self) -> Lexicon:  # type: ignore[override]
        """That of the encoder, which reads the texts."""
        return self.encoder.lexicon

    @torch.no_grad()
    def encode(self, image: Tensor) -> Features:
        """For each image what the saliency method and the decoder remember of it, and the image itself."""
        seen = [self.saliency.encode(self.encoder, one[None]) for one in image]
        maps = [None if self.decoder is None else self.decoder.encode(one[None]) for one in image]
        return {"seen": seen, "maps": maps, "images": [one[None] for one in image]}

    @torch.no_grad()
    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        """See :class:`~monai_ext.networks.segmenter.TextPromptedSegmenter`.

        ``stages`` holds ``saliency`` (B, 1, h, w) in [0, 1], ``boxes`` and ``points``, for each image (N, 4) and (M, 2),
        and ``masks``, (B, 1, H, W) bool of the stages "saliency" (above .5), "coarse" and "refined", which is the result
        before presence empties it.
        """
        rows: list[dict[str, Any]] = []
        for index, prompt in enumerate(prompts):
            rows.append(self._one({name: parts[index] for name, parts in features.items()}, prompt))
        stages: dict[str, Any] = {
            "saliency": torch.cat([row["saliency"] for row in rows]),
            "boxes": [row["boxes"] for row in rows],
            "points": [row["points"] for row in rows],
            "masks": {
                "saliency": torch.cat([row["salient"] for row in rows]),
                "coarse": torch.cat([row["coarse"] for row in rows]),
            },
        }
        logits, presence = (torch.cat([row[name] for row in rows]) for name in ("logits", "presence"))
        stages["masks"]["refined"] = logits > 0
        return Segmentation(logits, presence, stages)

    def _one(self, features: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
        """One image by one prompt."""
        image: Tensor = features["images"]
        size = image.shape[-2:]
        asked = [prompt] if self.ensemble == "embeddings" else prompt.members()
        maps = [
            self.saliency(self.encoder, features["seen"], self.encoder.encode_text([one])) for one in asked
        ]
        large = [F.interpolate(one, size, mode="bilinear") for one in maps]
        found = [self.coarse(one, image) for one in large]
        saliency, salient = torch.stack(maps).mean(0), torch.stack(large).mean(0)
        coarse = torch.stack(found).float().mean(0) >= 0.5
        if self.ensemble == "before":
            found = [coarse]
        refined = [self._refined(features["maps"], one, salient) for one in found]
        logits = _majority([one for one, *_ in refined])
        text = self.encoder.encode_text([prompt])[0]
        # as many coarse masks as a majority needs, so that presence never empties a mask that the refined ones agree on
        filled = [bool(one.any()) for one in found]
        seen = features["seen"].embedding[0] if 2 * sum(filled) >= len(filled) else None
        return {
            "logits": logits,
            "presence": self.presence(self.encoder, seen, text)[None],
            "saliency": saliency,
            "salient": salient > LEVEL,
            "coarse": coarse,
            "boxes": torch.cat([boxes for _, boxes, _ in refined]),
            "points": torch.cat([points for _, _, points in refined]),
        }

    def _refined(
        self, features: EncodedImages | None, coarse: Tensor, saliency: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (1, 1, H, W) of a coarse mask (1, 1, H, W), boxes (N, 4) and points (M, 2) that were asked."""
        outside = torch.full_like(saliency, OUTSIDE_LOGIT)
        nothing = saliency.new_zeros(0, 4), saliency.new_zeros(0, 2)
        if not bool(coarse.any()):
            return outside, *nothing
        if self.decoder is None or features is None:
            inside = torch.logit((1 + saliency) / 2, eps=1e-3)
            return torch.where(coarse, inside, outside), *nothing
        asked = [self.visual(coarse[0, 0], run) for run in range(self.runs)]
        results = [_decoded(self.decoder, features, one) for one in asked]
        logits = results[0] if len(results) == 1 else _averaged(results)
        kept = self._kept(logits > 0, coarse[0, 0])
        logits = torch.where(kept | (logits <= 0), logits, outside[0, 0])
        return logits[None, None], asked[0].boxes, torch.cat([one.points for one in asked])

    def _kept(self, refined: Tensor, coarse: Tensor) -> Tensor:
        """The part of a refined mask (H, W) that stays, by the components of the coarse one."""
        if self.components == "as_many":
            return keep_components(refined, count_components(coarse))
        return touching_components(refined, coarse) if self.components == "touching" else refined


def _decoded(decoder: VisualPromptDecoder, features: EncodedImages, asked: BoxesAndPoints) -> Tensor:
    """(H, W) logits: of each box with the points in it, the highest; without boxes of all points as one prompt."""
    boxes, points = asked.boxes, asked.points
    if not len(boxes):
        labels = torch.ones(1, 1, len(points), dtype=torch.int32, device=points.device)
        logits, _ = decoder.decode(features, points=(points[None, None], labels))
        return logits[0, 0, 0]
    given = None
    if len(points):
        inside = ((points >= boxes[:, None, :2]) & (points <= boxes[:, None, 2:])).all(-1)
        labels = torch.where(inside, 1, -1).to(torch.int32)  # -1: no point of this box
        given = points.expand(len(boxes), -1, -1)[None], labels[None]
    logits, _ = decoder.decode(features, boxes[None], given)
    return logits[0, :, 0].amax(0)


def _averaged(logits: Sequence[Tensor]) -> Tensor:
    """Logits of the mean of several probabilities."""
    return torch.logit(torch.stack([one.sigmoid() for one in logits]).mean(0), eps=1e-6)


def _majority(logits: Sequence[Tensor]) -> Tensor:
    """Logits of the masks' majority: the upper median, above 0 where at least half of several logits are."""
    return torch.stack(list(logits)).sort(0).values[len(logits) // 2]
