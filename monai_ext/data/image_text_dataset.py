"""Training material of vision-language encoders: pictures, views of parts of them, and captions true or not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from segment_anything.utils.amg import batched_mask_to_box
from torch import Tensor

from monai_ext.data.evaluation import absent_targets
from monai_ext.data.text_prompt_dataset import TextPromptDataset
from monai_ext.masks.masked_images import FILLS, MaskedImages
from monai_ext.prompts.attributes import Attributes
from monai_ext.prompts.library import names_side
from monai_ext.synthesis.regions import altered, elsewhere

UNKNOWN = -1
SHARES = (0.6, 0.2, 0.2)
"""Of views on black, cropped and blurred: in the order of FILLS."""


def resized(image: Tensor, size: int) -> Tensor:
    """(B, C, H, W) as (B, C, size, size)."""
    if image.shape[-2:] == (size, size):
        return image
    return F.interpolate(image, (size, size), mode="bilinear", antialias=True)


class ImageTextDataset(TextPromptDataset):
    """Pictures with P captions each, made of the sentences of :class:`TextPromptDataset`.

    A caption names modality and structure, and often its size, number and place as the (augmented) mask shows them.
    Captions that are untrue are those of the base class (something else of the same kind of image, of another kind,
    not medical) and true ones with one attribute turned round, the hard negatives inside a modality.

    Some pictures are views of a part: of a structure as a segmenter would find it, of all but the structure, or of
    any place. A view is as true of a caption as its overlap (IoU) with what the caption names: .25 and less is not
    at all, .75 and more is wholly. A model that has never seen a part blacked out cannot choose among such parts.

    Items hold `image` (3, S, S), `label` (P, S, S) in {0, 1}, what each caption names in the picture; `prompt`, the P
    captions; `truth` (P,) in [0, 1]; `located` (P,), 1.0 where `label` says where the caption is true, 0.0 where it
    cannot (a wrong attribute, a poor view); and for the truth of one item's captions about another's picture
    `asks` (P,), number of the target that a caption is about and about nothing more, or -1, and `shows` (T,), for
    each target whether the picture shows it: 1, 0 or -1, not known.

    Args:
        args, kwargs: of the base class; `canonical`, `rewording`, `absent` as there.
        views: chance that a picture is a view.
        attributes: chance of each attribute that can be told to be told.
        wrong: chance that a caption with attributes has a wrong one.
    """

    def __init__(
        self,
        *args: Any,
        views: float = 0.4,
        attributes: float = 0.3,
        wrong: float = 0.25,
        **kwargs: Any,
    ) -> None:
        self.views, self.attributes, self.wrong = views, attributes, wrong
        super().__init__(*args, **kwargs)
        slices = [pair["slice"] for pair in self.data]
        names = {t for one in slices for t in one["targets"]}
        names |= {t for modality in {one["modality"] for one in slices} for t, _ in absent_targets(modality)}
        self.vocabulary = {name: number for number, name in enumerate(sorted(names))}

    def _transform(self, index: int) -> dict[str, Any]:
        pair = self.data[index]
        one = pair["slice"]
        sided = bool(self.R.rand() < 0.5) and any(map(names_side, one["targets"]))
        # mirrored, a left lung is no left lung: pictures that may be mirrored are not asked for sides
        usable = [k for k, name in enumerate(one["targets"]) if sided or names_side(name) is None]
        masks = one["masks"][usable] if usable else torch.zeros_like(one["image"][:1])
        item = {
            "image": one["image"].float() / 255,
            "label": masks.float(),
            "sided": sided,
            "modality": one["modality"],
        }
        if self.transform is not None:
            item = self.transform(item)
        found = {k: mask > 0 for k, mask in zip(usable, item["label"], strict=False)}
        image, found, truths = self._shown(item["image"], found, pair["target"], sided)
        captions = [
            self._caption(one, found, truths, pair["target"], number) for number in range(self.prompts)
        ]
        text, label, truth, located, asks = zip(*captions)
        return {
            "image": image,
            "label": torch.stack(label).float(),
            "prompt": list(text),
            "truth": torch.tensor(truth),
            "located": torch.tensor(located),
            "asks": torch.tensor(asks),
            "shows": self._shows(one, truths),
        }

    def _shown(
        self, image: Tensor, found: dict[int, Tensor], target: int | None, sided: bool
    ) -> tuple[Tensor, dict[int, Tensor], dict[int, float]]:
        """The picture or a view, the masks in it, and how true it is of each target that it is there."""
        there = {k: mask for k, mask in found.items() if bool(mask.any())}
        truths = {k: float(k in there) for k in found}
        if self.R.rand() >= self.views:
            return image, found, truths
        draw, side = self.R.rand(), image.shape[-1]
        whole = torch.ones(side, side, dtype=torch.bool)
        if not there or draw < 0.3:
            region = elsewhere(side, self.R)
        else:
            first = target if target in there else list(there)[self.R.randint(len(there))]
            region = altered(there[first], self.R)
            region = ~region if draw < 0.5 and bool((~region).any()) else region
        fill = FILLS[self.R.choice(len(FILLS), p=SHARES)]
        if fill == "crop" and sided:
            fill = "black"  # a part alone does not tell its side
        for k, mask in there.items():
            overlap = float((mask & region).sum() / (mask | region).sum())
            truths[k] = min(max(2 * overlap - 0.5, 0.0), 1.0)
        views = MaskedImages(fill)
        box = batched_mask_to_box(region[None])
        (picture,) = views(partial(resized, size=side), image[None], region[None], box, 1)
        visible = whole if fill == "crop" else region
        x0, y0, x1, y1 = views.crops(box, side, side)[0] if fill == "crop" else (0, 0, side, side)
        cut = {k: (mask & visible)[None, None, y0:y1, x0:x1].float() for k, mask in found.items()}
        size = (side, side)
        return picture[0], {k: F.interpolate(mask, size)[0, 0] > 0 for k, mask in cut.items()}, truths

    def _caption(
        self,
        one: Mapping[str, Any],
        found: Mapping[int, Tensor],
        truths: Mapping[int, float],
        target: int | None,
        number: int,
    ) -> tuple[str, Tensor, float, float, int]:
        """One caption: text, label (S, S), truth, whether the label locates it, and the target it is about."""
        nothing = torch.zeros(one["image"].shape[1:], dtype=torch.bool)
        possible = [k for k, truth in truths.items() if truth > 0 and bool(found[k].any())]
        gone = [k for k, truth in truths.items() if truth == 0]
        draw = self.R.rand()
        if possible and (number == 0 or draw >= self.absent):
            k = target if number == 0 and target in possible else possible[self.R.randint(len(possible))]
            return self._true(one, k, found[k], truths[k])
        if gone and draw < 0.5 * self.absent:  # what the picture could show, and this view does not
            k = gone[self.R.randint(len(gone))]
            text = self._any(self._sentences(one, one["targets"][k], there=False))
            return self.rewording(text), nothing, 0.0, 1.0, UNKNOWN
        return self.rewording(self._absent_prompt(self._without(one, found))), nothing, 0.0, 1.0, UNKNOWN

    @staticmethod
    def _without(one: Mapping[str, Any], found: Mapping[int, Tensor]) -> dict[str, Any]:
        """A slice with the masks of those of its targets that may be asked for."""
        usable = list(found)
        names = [one["targets"][k] for k in usable]
        masks = one["masks"][usable] if usable else torch.zeros(0)
        return {**one, "targets": names, "masks": masks}

    def _true(
        self, one: Mapping[str, Any], k: int, mask: Tensor, truth: float
    ) -> tuple[str, Tensor, float, float, int]:
        name = one["targets"][k]
        plain = one.get("own", {}).get(name) or self.library.training(
            name, one["modality"], None, wider=False
        )
        texts = self._sentences(one, name)
        text = texts[0] if self.R.rand() < self.canonical else self._any(texts)
        asks = self.vocabulary[name] if text in plain and truth == 1 else UNKNOWN
        text = self.rewording(text)
        located = 1.0 if truth >= 0.5 else 0.0
        told = Attributes.of(mask.numpy())
        names = [n for n in told.known() if self.R.rand() < self.attributes]
        if names:
            asks = UNKNOWN
            if self.R.rand() < self.wrong:
                told = told.wrong(names[self.R.randint(len(names))], self.R)
                truth, located = 0.0, 0.0
            self.R.shuffle(names)
            text = ", ".join([text.rstrip(" .?!,:"), *(told.phrase(n, self.R) for n in names)])
        return text, mask, truth, located, asks

    def _shows(self, one: Mapping[str, Any], truths: Mapping[int, float]) -> Tensor:
        shows = torch.full((len(self.vocabulary),), UNKNOWN, dtype=torch.int64)
        for name, _ in absent_targets(one["modality"]):
            shows[self.vocabulary[name]] = 0
        for k, truth in truths.items():
            shows[self.vocabulary[one["targets"][k]]] = int(truth) if truth in (0, 1) else UNKNOWN
        return shows
