"""CLIP-SAM base: segment everything, then let CLIP pick the mask that the text names.

The base pipeline of Villarreal et al.'s CLIP-SAM paper, for any vision-language encoder and any visual-prompt decoder
of this package. Added here: other backgrounds of a masked image than black, unions of masks, and presence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.errors import InputError, check_choice
from monai_ext.masks import Candidates, MaskedImages, MaskGenerator
from monai_ext.networks.blocks.content_crop import OUTSIDE_LOGIT
from monai_ext.networks.decoders.base import VisualPromptDecoder
from monai_ext.networks.encoders.text_presence import TextPresence, cosines
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.networks.segmenter import Features, FrozenSegmenter, Segmentation
from monai_ext.prompts.lexicon import Lexicon
from monai_ext.prompts.prompt import Prompt

SELECTS = ("best", "union", "cover")
COMPARES = ("masked_images", "patch_tokens")


class ClipSAM(FrozenSegmenter):
    """Candidate masks of segment everything, each embedded by CLIP; a prompt takes the most similar one, or several.

    Images go through one by one, whatever the batch: their numbers of candidates differ, and results are then the same
    bit by bit in every batch. Nothing is learnt here: the modules stay in evaluation mode and gradients are off.

    A candidate mask is binary and has no logits. Inside a chosen mask the logit is that of the probability
    (1 + predicted IoU) / 2, so that every mask passes at .5, a higher threshold leaves out masks of a low predicted IoU,
    and the one of the higher IoU wins where the masks of two prompts overlap; outside the logit is -10.

    With `compare` "patch_tokens" nothing is masked: the image goes through the encoder once, and the similarity of a
    candidate is the soft IoU of its mask with the text's map, ``sigmoid`` of the similarity of each patch token with the
    text. The encoder then needs patch tokens and a training with a sigmoid loss (a bias), as the embedded one has.

    Presence is that of the masked image of the most similar candidate, with "patch_tokens" that of the whole image;
    without any candidate its probability is 0.

    Args:
        encoder: compares images with texts.
        decoder: makes the candidate masks.
        generator: asks the decoder at the points of a grid.
        masked_images: how a candidate mask is shown to the encoder.
        presence: of what a text names in an image; by the plain similarity if None.
        compare: "masked_images" or "patch_tokens", see above.
        select: "best", the most similar candidate; "union", all whose similarity lies within `margin` of it; or, with
            `compare` "patch_tokens", "cover": to the most similar one others are added, one by one, as long as the soft
            IoU of their union rises by more than `margin`, since two lungs are two candidates.
        margin: cosine, or soft IoU.
        min_area, max_area: smallest and largest candidate, as a share of the image.
        batch_size: masked images per call of the encoder.

    Raises:
        InputError: when a value is out of its range.
    """

    default_prompt = Prompt(("lungs in a chest X-ray",), "lungs")

    def __init__(
        self,
        encoder: VisionLanguageEncoder,
        decoder: VisualPromptDecoder,
        generator: MaskGenerator,
        masked_images: MaskedImages,
        presence: TextPresence | None = None,
        compare: str = "masked_images",
        select: str = "best",
        margin: float = 0.02,
        min_area: float = 0.001,
        max_area: float = 1.0,
        batch_size: int = 16,
    ) -> None:
        super().__init__()
        check_choice("select", select, SELECTS)
        check_choice("compare", compare, COMPARES)
        if compare == "patch_tokens" and encoder.model.logit_bias is None:
            raise InputError(
                f"compare is 'patch_tokens', but {encoder.config.name} was not trained with a sigmoid loss;"
                " use 'masked_images'."
            )
        if select == "cover" and compare != "patch_tokens":
            raise InputError(
                "select is 'cover', for which compare must be 'patch_tokens'; use 'best' or 'union'."
            )
        if not 0 <= min_area <= max_area <= 1:
            raise InputError(f"min_area {min_area}, max_area {max_area}: shares of the image, in this order.")
        if margin < 0 or batch_size < 1:
            raise InputError(f"margin {margin}, batch_size {batch_size}: 0 or more, 1 or more.")
        self.encoder, self.decoder = encoder, decoder
        self.generator, self.masked_images = generator, masked_images
        self.presence = presence or TextPresence()
        self.compare, self.select, self.margin = compare, select, margin
        self.min_area, self.max_area = min_area, max_area
        self.batch_size = batch_size
        self.freeze()

    @property
    def lexicon(self) -> Lexicon:  # type: ignore[override]
        """That of the encoder, which reads the texts."""
        return self.encoder.lexicon

    @torch.no_grad()
    def encode(self, image: Tensor) -> Features:
        """``candidates``: those of each image; ``vectors``: their (K, D) unit vectors; ``size``: (H, W).

        With "patch_tokens" ``vectors`` are (1, D), of the image, and ``patch_tokens`` its (D, h, w) token grid.
        """
        candidates = [self.candidates(one[None]) for one in image]
        features: dict[str, Any] = {"candidates": candidates, "size": tuple(image.shape[-2:])}
        if self.compare == "patch_tokens":
            encoded = [self.encoder.encode_image(one[None]) for one in image]
            if encoded and encoded[0].tokens is None:
                raise InputError(
                    f"compare is 'patch_tokens', but {self.encoder.config.name} has no token grid."
                )
            return {
                **features,
                "vectors": [one.embedding for one in encoded],
                "patch_tokens": [one.tokens[0] for one in encoded if one.tokens is not None],
            }
        features["vectors"] = [
            self.embed(one[None], found) for one, found in zip(image, candidates, strict=True)
        ]
        return features

    def candidates(self, image: Tensor) -> Candidates:
        """Candidate masks of a (1, 3, H, W) image that are neither too small nor too large."""
        found = self.generator(self.decoder, self.decoder.encode(image))
        pixels = image.shape[-2] * image.shape[-1]
        share = found.masks.flatten(1).sum(1) / pixels
        return found.take((share >= self.min_area) & (share <= self.max_area))

    def embed(self, image: Tensor, candidates: Candidates) -> Tensor:
        """(K, D) float32 unit vectors of the candidates of a (1, 3, H, W) image."""
        if not len(candidates):
            return image.new_zeros(0, self.encoder.config.model["embed_dim"], dtype=torch.float32)
        masks, boxes = candidates.masks, candidates.boxes
        batches = self.masked_images(self.encoder.prepare, image, masks, boxes, self.batch_size)
        return torch.cat([self.encoder.encode_prepared(batch).embedding for batch in batches])

    @torch.no_grad()
    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        """See :class:`~monai_ext.networks.segmenter.TextPromptedSegmenter`.

        ``stages`` holds for each image its ``candidates``, their ``similarities`` (K,) to the prompt and which were
        ``chosen`` (K,) bool; ``aux["iou"]`` (B,) the IoU predicted for the most similar one, 0 where there is none.
        """
        texts = self.encoder.encode_text(prompts)
        candidates: Sequence[Candidates] = features["candidates"]
        rows: dict[str, list[Tensor]] = {
            key: [] for key in ("logits", "presence", "iou", "similarities", "chosen")
        }
        for index, (found, text) in enumerate(zip(candidates, texts, strict=True)):
            similarities, chosen, vector = self._compared(features, index, text)
            rows["similarities"].append(similarities)
            rows["chosen"].append(chosen)
            rows["logits"].append(_logits(found.masks[chosen], found.iou[chosen], features["size"]))
            rows["presence"].append(self.presence(self.encoder, vector, text))
            rows["iou"].append(found.iou[similarities.argmax()] if len(found) else text.new_zeros(()))
        stages: dict[str, Any] = {"candidates": candidates}
        stages.update((key, rows[key]) for key in ("similarities", "chosen"))
        return Segmentation(
            torch.stack(rows["logits"]),
            torch.stack(rows["presence"]),
            stages,
            {"iou": torch.stack(rows["iou"])},
        )

    def _compared(self, features: Features, index: int, text: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Similarities (K,) of the candidates of an image, which of them make the mask (K,) bool, and the (D,) vector
        that presence is computed from; None without candidates."""
        candidates, vectors = features["candidates"][index], features["vectors"][index]
        if not len(candidates):
            none = text.new_zeros(0)
            return none, none.bool(), None
        if self.compare == "patch_tokens":
            text_map = self.encoder.text_map(features["patch_tokens"][index], text).sigmoid()
            masks = F.interpolate(candidates.masks[:, None].float(), text_map.shape, mode="area")[:, 0]
            similarities = soft_iou(masks, text_map)
            covers = self.select == "cover"
            chosen = cover(masks, text_map, self.margin) if covers else self._chosen(similarities)
            return similarities, chosen, vectors[0]
        similarities = cosines(vectors, text)
        return similarities, self._chosen(similarities), vectors[similarities.argmax()]

    def _chosen(self, similarities: Tensor) -> Tensor:
        """Which of K candidates make the mask by their similarities alone, (K,) bool; K is at least 1."""
        best = similarities.argmax()
        if self.select == "union":
            return similarities >= similarities[best] - self.margin
        return torch.arange(len(similarities), device=similarities.device) == best


def soft_iou(masks: Tensor, text_map: Tensor) -> Tensor:
    """(K,) intersections over unions of (K, h, w) masks with an (h, w) map, both in [0, 1]."""
    common = (masks * text_map).sum((1, 2))
    return common / (masks.sum((1, 2)) + text_map.sum() - common).clamp_min(1e-6)


def cover(masks: Tensor, text_map: Tensor, margin: float) -> Tensor:
    """Which of (K, h, w) masks together are most like an (h, w) map, both in [0, 1]: (K,) bool, K at least 1.

    The most similar one is taken first; then, one by one, the one with which the soft IoU of the union is highest, as
    long as it rises by more than `margin`.
    """
    chosen = torch.zeros(len(masks), dtype=torch.bool, device=masks.device)
    union, reached = torch.zeros_like(text_map), -torch.inf
    while True:
        unions = torch.maximum(masks, union)
        similarities = soft_iou(unions, text_map)
        best = int(similarities.argmax())
        if float(similarities[best]) <= reached + margin:
            return chosen
        chosen[best], union, reached = True, unions[best], float(similarities[best])


def _logits(masks: Tensor, iou: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, H, W) float32 of (K, H, W) chosen masks and their predicted IoU."""
    logits = torch.full((1, *size), OUTSIDE_LOGIT, device=masks.device)
    inside = torch.logit((1 + iou.float().clamp(0.02, 0.98)) / 2)
    for mask, value in zip(masks, inside):
        logits[0] = torch.where(mask, logits[0].clamp_min(value), logits[0])
    return logits
