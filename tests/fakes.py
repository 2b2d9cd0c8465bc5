"""Four tiny networks, one for each kind of method that the contract has to carry, and the tasks that train them.

They are small enough to train in milliseconds and random, so tests assert behaviour, not accuracy.
Every loss is a mean over the images of a batch, so that gradients averaged over equal parts of a batch
are the gradients of the whole.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_ext.engines.tasks import SegmentationTask
from monai_ext.networks.segmenter import Features, Segmentation, TextPromptedSegmenter
from monai_ext.prompts.prompt import Prompt

WIDTH = 8


class CountedSegmenter(TextPromptedSegmenter):
    """Counts the images and calls that ``encode`` sees."""

    def __init__(self) -> None:
        super().__init__()
        self.encode_calls: list[int] = []

    def encode(self, image: Tensor) -> Features:
        self.encode_calls.append(len(image))
        return {"grid": self.image_tower(image)}


class TextTower(nn.Module):
    """(B, WIDTH) unit embeddings: the mean of letters in context, averaged over an ensemble of texts."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(128 * 128, WIDTH)

    def forward(self, prompts: Sequence[Prompt]) -> Tensor:
        return torch.stack([self._ensemble(prompt.texts) for prompt in prompts])

    def _ensemble(self, texts: Sequence[str]) -> Tensor:
        return F.normalize(torch.stack([self._one(text) for text in texts]).mean(0), dim=0)

    def _one(self, text: str) -> Tensor:
        codes = [0, *(ord(letter) % 128 for letter in text)]
        pairs = torch.tensor(
            [128 * a + b for a, b in zip([0, *codes], codes)], device=self.letters.weight.device
        )
        return F.normalize(self.letters(pairs).mean(0), dim=0)


def image_tower() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, WIDTH, 3, padding=1), nn.Tanh(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1))


def pool(grid: Tensor) -> Tensor:
    return grid.mean((2, 3))


class FeedForward(CountedSegmenter):
    """As CLIPSeg: text modulates the image features."""

    def __init__(self) -> None:
        super().__init__()
        self.image_tower = image_tower()
        self.text_tower = TextTower()
        self.film = nn.Linear(WIDTH, 2 * WIDTH)
        self.mask = nn.Conv2d(WIDTH, 1, 1)
        self.presence = nn.Linear(WIDTH, 1)

    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        scale, shift = self.film(self.text_tower(prompts))[..., None, None].chunk(2, dim=1)
        grid = torch.tanh(features["grid"] * scale + shift)
        return Segmentation(self.mask(grid).float(), self.presence(pool(grid))[:, 0])


class TestTimeGradient(CountedSegmenter):
    """As M2IB: an information bottleneck is optimised for every image and prompt, also under ``no_grad``."""

    __test__ = False  # not a test class, whatever its name

    def __init__(self, steps: int = 3, seed: int = 7) -> None:
        super().__init__()
        self.image_tower = image_tower()
        self.text_tower = TextTower()
        self.mask = nn.Conv2d(WIDTH + 1, 1, 1)
        self.presence = nn.Linear(WIDTH, 1)
        self.steps = steps
        self.seed = seed

    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        grid, text = features["grid"], self.text_tower(prompts)
        saliency = self._bottleneck(grid.detach(), text.detach())
        logits = self.mask(torch.cat([grid, saliency], dim=1))
        presence = self.presence(pool(grid) * text)[:, 0]
        return Segmentation(logits.float(), presence, stages={"saliency": saliency})

    def _bottleneck(self, grid: Tensor, text: Tensor) -> Tensor:
        """How much of each position may pass, (B, 1, H, W) in [0, 1], for the text to be recognised."""
        # One draw for all images and prompts: results do not depend on order or batch.
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn((1, *grid.shape[1:]), generator=generator).to(grid)
        gate = torch.zeros_like(grid[:, :1])
        with torch.enable_grad():
            for _ in range(self.steps):
                gate = gate.detach().requires_grad_()
                passed = gate.sigmoid()
                agreement = F.cosine_similarity(pool(passed * grid + (1 - passed) * noise), text)
                (step,) = torch.autograd.grad((passed.mean((1, 2, 3)) - agreement).sum(), gate)
                gate = gate - 100 * step
        return gate.detach().sigmoid()


class SegToken(CountedSegmenter):
    """As a multimodal language model: the hidden state of a [SEG] token behind the prompt makes the mask."""

    SEG = 128

    def __init__(self) -> None:
        super().__init__()
        self.image_tower = image_tower()
        self.letters = nn.Embedding(129, WIDTH)
        self.transformer = nn.TransformerEncoderLayer(
            WIDTH, nhead=2, dim_feedforward=16, dropout=0.0, batch_first=True
        )
        self.heads = nn.Linear(WIDTH, WIDTH + 2)

    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        grid = features["grid"]
        hidden = torch.stack([self._seg_state(image, p) for image, p in zip(pool(grid), prompts)])
        mask, presence, answer = self.heads(hidden).split((WIDTH, 1, 1), dim=1)
        logits = torch.einsum("bc,bchw->bhw", mask, grid)[:, None]
        stages = {"answer": ["[SEG]" if one > 0 else "no" for one in answer]}
        return Segmentation(logits.float(), presence[:, 0], stages, {"answer": answer[:, 0]})

    def _seg_state(self, image: Tensor, prompt: Prompt) -> Tensor:
        """(WIDTH,) state of [SEG] behind the image token and the letters; the mean over the texts."""
        states = []
        for text in prompt.texts:
            codes = torch.tensor([*(ord(letter) % 128 for letter in text), self.SEG], device=image.device)
            tokens = torch.cat([image[None], self.letters(codes)])[None]
            causal = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], device=image.device)
            states.append(self.transformer(tokens, src_mask=causal, is_causal=True)[0, -1])
        return torch.stack(states).mean(0)


def mask_loss(result: Segmentation, label: Tensor) -> Tensor:
    """Binary cross-entropy of the mask and of the presence, for labels (B, 1, H, W) of 0 and 1."""
    present = label.flatten(1).amax(1)
    return F.binary_cross_entropy_with_logits(result.logits, label) + F.binary_cross_entropy_with_logits(
        result.presence, present
    )


class PreferenceTask(SegmentationTask):
    """DPO: the label is preferred to its inverse, by how much more than a frozen copy of the network prefers it."""

    def __init__(self, network: TextPromptedSegmenter, beta: float = 0.1) -> None:
        super().__init__(network, mask_loss, copy.deepcopy(network))
        self.beta = beta

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        image, prompt, label = batch["image"], batch["prompt"], batch["target"]
        result = self.network(image, prompt, full=True)
        with torch.no_grad():
            frozen = self.reference(image, prompt)
        gain = self._margin(result.logits, label) - self._margin(frozen, label)
        present = F.binary_cross_entropy_with_logits(result.presence, label.flatten(1).amax(1))
        preference = -F.logsigmoid(self.beta * gain).mean()
        return {"loss": preference + present, "preference": preference}

    @staticmethod
    def _margin(logits: Tensor, label: Tensor) -> Tensor:
        """(B,) log-likelihood of the label over that of its inverse."""
        wrong, right = (
            F.binary_cross_entropy_with_logits(logits, mask, reduction="none").sum((1, 2, 3))
            for mask in (1 - label, label)
        )
        return wrong - right


class AnswerTask(SegmentationTask):
    """A language model learns to answer [SEG] where the target is there, beside the mask."""

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        result = self.network(batch["image"], batch["prompt"], full=True)
        mask = self.loss(result, batch["target"])
        present = batch["target"].flatten(1).amax(1)
        answer = F.binary_cross_entropy_with_logits(result.aux["answer"], present)
        return {"loss": mask + answer, "answer": answer}


def segmentation(network: TextPromptedSegmenter) -> SegmentationTask:
    return SegmentationTask(network, mask_loss)


FAKES = {
    "feed-forward": (FeedForward, segmentation),
    "test-time gradient": (TestTimeGradient, segmentation),
    "preference against a frozen reference": (FeedForward, PreferenceTask),
    "language model with a [SEG] state": (SegToken, lambda network: AnswerTask(network, mask_loss)),
}
"""Name to (network class, what makes a training task of the network)."""


class DisplayProbe(TextPromptedSegmenter):
    """Marks a side of the displayed slice: what it finds depends on how the slice is shown to it.

    Prompts "left" and "right" name the patient's sides in a coronal or axial display, where the
    patient's right is on the left of the picture; "top" and "first" name halves of rows and columns.
    Where the halves do not meet at a pixel edge, the middle belongs to neither. ``bright`` limits the
    mark to pixels above 0.5.
    """

    def __init__(self, bright: bool = False) -> None:
        super().__init__()
        self.bright = bright
        self.shown: list[Tensor] = []

    def encode(self, image: Tensor) -> Features:
        self.shown.append(image)
        return {"image": image}

    def segment(self, features: Features, prompts: Sequence[Prompt]) -> Segmentation:
        image = features["image"]
        height, width = image.shape[2:]
        low = torch.arange(height)[:, None] < height // 2
        start = (torch.arange(width) < width // 2)[None]
        end = (torch.arange(width) >= width - width // 2)[None]
        halves = {"top": low, "first": start, "right": start, "left": end}
        marks = torch.stack([halves[prompt.texts[0].split()[0]].expand(height, width) for prompt in prompts])
        marks = marks[:, None]
        if self.bright:
            marks = marks & (image[:, :1] > 0.5)
        return Segmentation(torch.where(marks, 9.0, -9.0), torch.full((len(image),), 9.0))
