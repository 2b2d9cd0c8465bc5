"""Training data of vision-language encoders: pictures, masked images of them, and captions that are true or not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from segment_anything.utils.amg import batched_mask_to_box
from torch import Tensor

from monai_ext.data.text_prompt_dataset import TextPromptDataset, case_of
from monai_ext.data.topics import NOT_SHOWN, SHOWN, UNKNOWN
from monai_ext.masks.masked_images import FILLS, MaskedImages
from monai_ext.prompts.attributes import Attributes
from monai_ext.prompts.library import names_side
from monai_ext.synthesis.regions import altered_mask, random_ellipse

FILL_PROBABILITIES = (0.6, 0.2, 0.2)
"""Of masked images on black, cropped and blurred, in the order of FILLS."""


def resized(image: Tensor, size: int) -> Tensor:
    """(B, C, H, W) resized to (B, C, size, size)."""
    if image.shape[-2:] == (size, size):
        return image
    return F.interpolate(image, (size, size), mode="bilinear", antialias=True)


class ImageTextDataset(TextPromptDataset):
    """Pictures with P captions each, made of the sentences of :class:`TextPromptDataset`.

    A caption names modality and structure, and often its size, number and position as the (augmented) mask shows
    them. Untrue captions are those of the base class (something else of the same kind of image, of another kind, not
    medical) and true ones with one attribute replaced by another value, the hard negatives inside a modality.

    Some pictures are masked images: of a structure as a segmenter would find it, of all but the structure, or of a
    random region. The truth of a caption about a masked image rises with the overlap (IoU) of the region and what the
    caption names, from 0 at 0.25 and less to 1 at 0.75 and more. Without such images in training an encoder could not
    compare the masked images of candidate masks.

    Items hold `image` (3, S, S); `label` (P, S, S) in {0, 1}, the mask of what each caption names in the picture;
    `prompt`, the P captions; `truth` (P,) in [0, 1]; and `located` (P,), 1.0 where `label` shows where the caption is
    true, 0.0 where it cannot (a wrong attribute, little overlap). For the truth of one item's captions about the
    picture of another they hold `asks` (P,), the topic of a caption (:class:`monai_ext.data.topics.Topics`), or -1 where
    it says more than what its topic does, and `shows` (T,), by topic whether the picture shows it: 1, 0, or -1 where that
    is not known.

    Args:
        args, kwargs: of the base class; `canonical`, `rewording`, `absent` as there.
        masked_images: probability that a picture is a masked image.
        attributes: probability that a caption states an attribute, for each that the mask has.
        wrong: probability that a caption with attributes has a wrong one.
    """

    def __init__(
        self,
        *args: Any,
        masked_images: float = 0.4,
        attributes: float = 0.3,
        wrong: float = 0.25,
        **kwargs: Any,
    ) -> None:
        self.masked_images, self.attributes, self.wrong = masked_images, attributes, wrong
        super().__init__(*args, **kwargs)

    def _transform(self, index: int) -> dict[str, Any]:
        pair = self.data[index]
        sample = pair["slice"]
        sided = bool(self.R.rand() < 0.5) and any(map(names_side, sample["targets"]))
        # A mirrored left lung is a right lung: captions of pictures that may be mirrored name no sides.
        usable = [k for k, name in enumerate(sample["targets"]) if sided or names_side(name) is None]
        masks = sample["masks"][usable] if usable else torch.zeros_like(sample["image"][:1])
        item = {
            "image": sample["image"].float() / 255,
            "label": masks.float(),
            "sided": sided,
            "modality": sample["modality"],
        }
        if self.transform is not None:
            item = self.transform(item)
        found = {k: mask > 0 for k, mask in zip(usable, item["label"], strict=False)}
        image, found, truths = self._masked(item["image"], found, pair["target"], sided)
        captions = [
            self._caption(sample, found, truths, pair["target"], number) for number in range(self.prompts)
        ]
        text, label, truth, located, asks = zip(*captions)
        return {
            "case": case_of(sample),
            "image": image,
            "label": torch.stack(label).float(),
            "prompt": list(text),
            "truth": torch.tensor(truth),
            "located": torch.tensor(located),
            "asks": torch.tensor(asks),
            "shows": self._shows(sample, truths),
        }

    def _masked(
        self, image: Tensor, found: dict[int, Tensor], target: int | None, sided: bool
    ) -> tuple[Tensor, dict[int, Tensor], dict[int, float]]:
        """The picture or a masked image of it, the masks of the targets there, and how true it is that each is shown."""
        shown = {k: mask for k, mask in found.items() if bool(mask.any())}
        truths = {k: float(k in shown) for k in found}
        if self.R.rand() >= self.masked_images:
            return image, found, truths
        draw, side = self.R.rand(), image.shape[-1]
        whole = torch.ones(side, side, dtype=torch.bool)
        if not shown or draw < 0.3:
            region = random_ellipse(side, self.R)
        else:
            first = target if target in shown else list(shown)[self.R.randint(len(shown))]
            region = altered_mask(shown[first], self.R)
            region = ~region if draw < 0.5 and bool((~region).any()) else region
        fill = FILLS[self.R.choice(len(FILLS), p=FILL_PROBABILITIES)]
        if fill == "crop" and sided:
            fill = "black"  # a crop does not show on which side it lies
        for k, mask in shown.items():
            overlap = float((mask & region).sum() / (mask | region).sum())
            truths[k] = min(max(2 * overlap - 0.5, 0.0), 1.0)
        masked_images = MaskedImages(fill)
        box = batched_mask_to_box(region[None])
        (picture,) = masked_images(partial(resized, size=side), image[None], region[None], box, 1)
        visible = whole if fill == "crop" else region
        x0, y0, x1, y1 = masked_images.crops(box, side, side)[0] if fill == "crop" else (0, 0, side, side)
        cut = {k: (mask & visible)[None, None, y0:y1, x0:x1].float() for k, mask in found.items()}
        size = (side, side)
        return picture[0], {k: F.interpolate(mask, size)[0, 0] > 0 for k, mask in cut.items()}, truths

    def _caption(
        self,
        sample: Mapping[str, Any],
        found: Mapping[int, Tensor],
        truths: Mapping[int, float],
        target: int | None,
        number: int,
    ) -> tuple[str, Tensor, float, float, int]:
        """One caption: text, label (S, S), truth, whether the label locates it, and its topic."""
        nothing = torch.zeros(sample["image"].shape[1:], dtype=torch.bool)
        possible = [k for k, truth in truths.items() if truth > 0 and bool(found[k].any())]
        hidden = [k for k, truth in truths.items() if truth == 0]
        draw = self.R.rand()
        if possible and (number == 0 or draw >= self.absent):
            k = target if number == 0 and target in possible else possible[self.R.randint(len(possible))]
            return self._true(sample, k, found[k], truths[k])
        if hidden and draw < 0.5 * self.absent:  # a target of the slice that is not visible here
            k = hidden[self.R.randint(len(hidden))]
            text, topic = self._own(sample, sample["targets"][k])
        else:
            text, topic = self._absent_prompt(self._with_targets(sample, found))
        return self.rewording(text), nothing, 0.0, 1.0, topic

    @staticmethod
    def _with_targets(sample: Mapping[str, Any], found: Mapping[int, Tensor]) -> dict[str, Any]:
        """A slice with only those of its targets that captions may name."""
        usable = list(found)
        names = [sample["targets"][k] for k in usable]
        masks = sample["masks"][usable] if usable else torch.zeros(0)
        return {**sample, "targets": names, "masks": masks}

    def _true(
        self, sample: Mapping[str, Any], k: int, mask: Tensor, truth: float
    ) -> tuple[str, Tensor, float, float, int]:
        """A caption of the k-th target, `truth` of which is shown, as :meth:`_caption` returns it."""
        name = sample["targets"][k]
        plain = sample.get("own", {}).get(name) or self.library.training(
            name, sample["modality"], None, wider=False
        )
        texts = self._sentences(sample, name)
        text = texts[0] if self.R.rand() < self.canonical else self._pick(texts)
        asks = self.topics.of(name, sample["modality"], text) if text in plain and truth == 1 else UNKNOWN
        text = self.rewording(text)
        located = 1.0 if truth >= 0.5 else 0.0
        stated = Attributes.of(mask.numpy())
        names = [n for n in stated.known() if self.R.rand() < self.attributes]
        if names:
            asks = UNKNOWN
            if self.R.rand() < self.wrong:
                stated = stated.wrong(names[self.R.randint(len(names))], self.R)
                truth, located = 0.0, 0.0
            self.R.shuffle(names)
            text = ", ".join([text.rstrip(" .?!,:"), *(stated.phrase(n, self.R) for n in names)])
        return text, mask, truth, located, asks

    def _shows(self, sample: Mapping[str, Any], truths: Mapping[int, float]) -> Tensor:
        """By topic what this very picture shows: of its own targets what `truths` say, of others what its kind shows."""
        shows = self._kind_shows(sample).clone()
        for k, target in enumerate(sample["targets"]):
            known = {0.0: NOT_SHOWN, 1.0: SHOWN}.get(truths.get(k, UNKNOWN), UNKNOWN)
            shows[self.topics.both(target, sample["modality"])] = known
        return shows
