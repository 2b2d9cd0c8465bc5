"""A compact text-conditioned segmenter: convolutional encoder, FiLM decoder, presence head.

It follows CLIPSeg (Lueddecke and Ecker 2022), a light decoder conditioned on a text vector by feature-wise modulation
(FiLM, Perez et al. 2018), with a convolutional encoder that learns from few images. Most of the work does not depend on
the prompt, so ten prompts cost little more than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_ext.networks.blocks.content_crop import content_boxes, crop_content, uncrop_content
from monai_ext.networks.blocks.convolutions import ContextBlock, modulate
from monai_ext.networks.blocks.pyramid import BackbonePyramid, Pyramid, judge, pool
from monai_ext.networks.language.taught import Taught
from monai_ext.networks.language.text_tower import TextTower
from monai_ext.networks.language.tokenizer import WordPieceTokenizer
from monai_ext.networks.segmenter import Features, Segmentation, TextPromptedSegmenter
from monai_ext.prompts.library import names_side
from monai_ext.prompts.prompt import Prompt

DECODER_BATCH = 5
"""Prompts times images in one call of the decoder: fewer leave its threads idle, more wait for memory."""


def product_logit(first: Tensor, *others: Tensor) -> Tensor:
    """The logit of the product of probabilities, from their logits."""
    for other in others:
        first = -torch.stack([-first, -other, -first - other]).logsumexp(0)
    return first


def mix(coefficients: Tensor, guide: Tensor) -> Tensor:
    """Linear combination of the guide's channels and a constant, with one set of coefficients per 2 x 2 pixels.

    Args:
        coefficients: (B, C + 1, H, W), the constant last.
        guide: (B, C, 4, H, W), the four pixels of each block along one axis (:func:`pixel_blocks`).

    Returns:
        (B, 1, 2H, 2W).
    """
    # in the memory layout of the guide; the product takes ten times as long otherwise
    coefficients = coefficients[:, :, None].contiguous()
    return F.pixel_shuffle((coefficients[:, :-1] * guide).sum(1) + coefficients[:, -1], 2)


class KindMatch(nn.Module):
    """The logit that images are of a kind which may show what words name: a scaled cosine of a vector of either.

    A chest X-ray shows no "left kidney in a CT scan" and a breast ultrasound no thyroid nodule, whatever a decoder finds in
    them. Learnt from every target on every kind of image (:mod:`monai_ext.data.absence`), by the loss of SigLIP (Zhai et
    al. 2023), whose scale and bias it has.

    Args:
        condition: length of the sentence vector.
        kind: length of the vector of the kind of image.
    """

    def __init__(self, condition: int, kind: int) -> None:
        super().__init__()
        self.words = nn.Linear(condition, kind)
        self.scale = nn.Parameter(torch.tensor(10.0).log())
        self.bias = nn.Parameter(torch.tensor(-3.0))

    def forward(self, kind: Tensor, text: Tensor) -> Tensor:
        """(...) logits of (..., K) vectors of images and (..., C) sentence vectors, whose shapes are broadcast."""
        cosine = F.cosine_similarity(kind.float(), self.words(text).float(), dim=-1)
        return self.scale.exp() * cosine + self.bias


class Decoder(nn.Module):
    """Maps and a sentence vector to logits, with a fraction of the encoder's work.

    It works at strides 16 and 8 only. There it predicts, for every position, the coefficients of a linear combination of
    the guide's channels; enlarged, they give sharp logits at stride 2 for the price of a product (the idea of bilateral
    guided upsampling: Chen et al. 2016, Gharbi et al. 2017).

    Args:
        channels: at strides 2, 4, 8 and 16.
        guide: channels of the guide.
        condition: length of the sentence vector.
        blocks: number of conditioned context blocks at stride 16.
        dropout: probability for whole channels between strides 16 and 8.
        normalised: normalise the features by which presence is judged, see :func:`pool`.
    """

    def __init__(
        self,
        channels: Sequence[int],
        guide: int,
        condition: int,
        blocks: int,
        dropout: float,
        normalised: bool = False,
    ) -> None:
        super().__init__()
        c8, c16 = channels[-2:]
        self.enter = nn.Linear(condition, 2 * c16)
        self.blocks = nn.ModuleList(ContextBlock(c16, condition) for _ in range(blocks))
        self.lateral8 = nn.Conv2d(c16, c8, 1)
        self.film8 = nn.Linear(condition, 2 * c8)
        self.fuse8 = ContextBlock(c8, condition, kernel=5, expansion=1)
        self.coarse = nn.Conv2d(c16, 1, 1)
        self.coefficients = nn.Conv2d(c8, guide + 1, 1)
        self.dropout = nn.Dropout2d(dropout)
        self.normalised = normalised
        self.presence = judge(2 * c16 + condition, 64, 1, dropout)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")

    def forward(self, maps: Features, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of B images and (B, C) sentence vectors to (B, 1, h, w) logits at strides 2 and 16, and presence (B,)."""
        x = modulate(maps["16"], self.enter(text))
        for block in self.blocks:
            x = block(x, text)
        coarse = self.coarse(x)
        prompt_logit = self.presence(torch.cat([pool(x, self.normalised), text], dim=1))[:, 0]
        presence = product_logit(prompt_logit.float(), maps["medical"].float())
        x = self.fuse8(modulate(maps["8"], self.film8(text)) + self.up(self.lateral8(self.dropout(x))), text)
        fine = mix(self.up(self.coefficients(x)), maps["guide"])
        return fine, coarse, presence


def repeated(features: Features, times: int) -> Features:
    """Features of B images repeated `times` along the batch axis, all images before their repetition."""
    if times == 1:
        return features
    maps = {}
    for name, one in features["maps"].items():
        halves = one.chunk(2) if features["mirrored"] else (one,)  # mirrored images follow all others
        maps[name] = torch.cat([half for half in halves for _ in range(times)])
    return {**features, "maps": maps, "boxes": list(features["boxes"]) * times}


class VLSM(Taught, TextPromptedSegmenter):
    """Compact vision-language segmentation model.

    Args:
        image_size: side in pixels of the square that the cropped image is resized to.
        channels: of the pyramid at strides 2, 4, 8 and 16.
        guide: channels of the fine image features that masks are combined from.
        context: number of context blocks of the encoder at stride 16.
        blocks: number of text-conditioned blocks of the decoder at stride 16.
        condition: length of the sentence vector.
        text_width: channels of a token of the text tower.
        text_depth: number of transformer layers of the text tower.
        dropout: probability for channels in encoder and decoder, in training.
        flip_average: in evaluation, average with the mirrored image, except for prompts that name a side.
        kind: length of the vector of the kind of image that is compared with the words, see :class:`KindMatch`; 0 leaves
            the comparison out.
        pieces: number of pieces of the vocabulary that words are spelled from.
        backbone: name in timm of the network whose features the pyramid is made of, "tf_efficientnet_lite0" for
            example; None for convolutions of our own. It begins with random weights, see :class:`BackbonePyramid`.
    """

    default_prompt = Prompt(("lungs in a chest X-ray",), "lungs")

    def __init__(
        self,
        image_size: int = 176,
        channels: Sequence[int] = (24, 48, 80, 120),
        guide: int = 16,
        context: int = 4,
        blocks: int = 1,
        condition: int = 128,
        text_width: int = 96,
        text_depth: int = 2,
        dropout: float = 0.1,
        flip_average: bool = True,
        kind: int = 0,
        pieces: int = 800,
        backbone: str | None = None,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.flip_average = flip_average
        self.text = TextTower(WordPieceTokenizer(size=pieces), text_width, text_depth, out_channels=condition)
        self.sharpen = nn.Sequential(nn.Linear(condition, condition), nn.SiLU())
        settings = channels, guide, context, dropout, kind
        self.encoder = BackbonePyramid(backbone, *settings) if backbone else Pyramid(*settings)
        self.match = KindMatch(condition, kind) if kind else None
        self.decoder = Decoder(channels, guide, condition, blocks, dropout, normalised=kind > 0)
        self.to(memory_format=torch.channels_last)  # makes convolutions a third faster, on CPU and GPU

    def encode(self, image: Tensor) -> Features:
        """Pyramids of (B, 3, H, W) images in [0, 1]; in evaluation also of the mirrored images."""
        boxes = content_boxes(image)
        x = crop_content(image, boxes, self.image_size)
        mean, std = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True)
        x = (x - mean) / std.clamp_min(0.05)
        mirrored = self.flip_average and not self.training
        maps = self.encoder(torch.cat([x, x.flip(-1)]) if mirrored else x)
        return {"maps": maps, "mirrored": mirrored, "boxes": boxes, "size": tuple(image.shape[-2:])}

    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        """See :class:`TextPromptedSegmenter`; `stages["boxes"]` are the content crops (y0, y1, x0, x1) in pixels.

        In training `aux["coarse"]` holds (B, 1, H, W) logits of stride 16, for deep supervision, and `aux["medical"]`
        (B,) logits that the pictures are medical ones.
        """
        fine, coarse, presence = self._decode(features, prompts)
        boxes, size = features["boxes"], features["size"]
        aux = {}
        if self.training:
            aux = {
                "coarse": uncrop_content(coarse.float(), boxes, *size),
                "medical": features["maps"]["medical"],
            }
        return Segmentation(uncrop_content(fine, boxes, *size), presence, {"boxes": boxes}, aux)

    def _decode(self, features: Features, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of the content crops at strides 2 and 16, and presence; mirrored images are averaged in at stride 2."""
        vector, maps = self._vectors(prompts), features["maps"]
        if not features["mirrored"]:
            fine, coarse, presence = self._present(maps, vector)
            return fine.float(), coarse, presence.float()
        fine, coarse, presence = self._present(maps, vector.repeat(2, 1))
        (fine, fine_m), (presence, presence_m) = fine.float().chunk(2), presence.float().chunk(2)
        sided = torch.tensor([any(map(names_side, p.texts)) for p in prompts], device=fine.device)
        weight = torch.where(sided, 0.0, 0.5)
        fine = torch.lerp(fine, fine_m.flip(-1), weight[:, None, None, None])
        return fine, coarse, torch.lerp(presence, presence_m, weight)

    def _present(self, maps: Features, vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As :class:`Decoder`, with the presence that all three judge: the decoder, and the kind of image twice."""
        fine, coarse, presence = self.decoder(maps, vector)
        if self.match is not None:
            presence = product_logit(presence, self.match(maps["kind"], vector))
        return fine, coarse, presence

    def _vectors(self, prompts: Sequence[Prompt]) -> Tensor:
        return self.sharpen(self.text(prompts) * self.text.project.out_features**0.5)

    def fits(self, features: Features, prompts: Sequence[Prompt]) -> Tensor:
        """See :class:`TextPromptedSegmenter`; in evaluation, too, of the images as they are, not mirrored."""
        if self.match is None:
            return super().fits(features, prompts)
        kind = features["maps"]["kind"]
        images = len(features["boxes"])  # mirrored images follow all others
        return self.match(kind[:images, None], self._vectors(prompts)[None])

    def segment_all(
        self, features: Features, prompts: Sequence[Prompt], images: int
    ) -> Iterator[Segmentation]:
        """See :class:`TextPromptedSegmenter`; prompts share calls of the decoder, which is small, where images are few."""
        per_call = max(1, DECODER_BATCH // images)
        for start in range(0, len(prompts), per_call):
            chunk = prompts[start : start + per_call]
            shared = repeated(features, len(chunk))
            fine, _, presence = self._decode(shared, [p for p in chunk for _ in range(images)])
            # resized one prompt at a time: the allocator has memory of this size ready, more of it is slow to get
            for logits, present in zip(fine.split(images), presence.split(images), strict=True):
                logits = uncrop_content(logits, features["boxes"], *features["size"])
                yield Segmentation(logits, present, {"boxes": features["boxes"]})
