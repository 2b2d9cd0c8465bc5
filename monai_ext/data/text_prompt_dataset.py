"""Training material: labelled slices in memory, each asked for with a sentence that is true of it or is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.data import Dataset
from monai.transforms import Randomizable
from monai.utils import convert_to_tensor
from skimage.measure import label as components
from torch import Tensor

from monai_ext.data.evaluation import absent_targets
from monai_ext.errors import InputError
from monai_ext.io.slices import slice_view
from monai_ext.prompts.library import MODALITIES, PromptLibrary, names_side
from monai_ext.prompts.rewording import Rewording
from monai_ext.synthesis.lesions import lesion_slices
from monai_ext.synthesis.opacities import opacity_slices
from monai_ext.synthesis.transplants import transplant_slices

SIDED = {"lungs": ("left lung", "right lung"), "kidneys": ("left kidney", "right kidney")}


def load_slices(
    items: Iterable[Mapping[str, Any]],
    library: PromptLibrary,
    preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]],
    size: int = 192,
    step: int = 2,
) -> list[dict[str, Any]]:
    """Read images and labels once and keep them small.

    Args:
        items: of :func:`monai_ext.data.datasets.read_split`; an item of several sequences becomes one
            image per sequence.
        library: gives each target its name.
        preprocessing: loads the keys `image` and `label`; `image` comes as (3, ...) in [0, 1].
        size: side in pixels that pictures and slices are resized to, whatever their shape.
        step: every how many slices of a volume are taken; slices without content are left out.

    Returns:
        dicts with `image` (3, size, size) uint8, `masks` (K, size, size) uint8 in {0, 1}, `targets` (K names),
        `set`, `modality`, `facts`, and `own`: the set's own sentences for targets that the library does not know.
        Paired organs seen as two parts are also given side by side.
    """
    slices = []
    for item in items:
        sequences = item["image"] if isinstance(item["image"], list) else [item["image"]]
        for sequence in sequences:
            data = preprocessing({**item, "image": sequence})
            image = convert_to_tensor(data["image"])
            label = convert_to_tensor(data["label"]) if "label" in data else torch.zeros_like(image[:1])
            for shown, values in _as_shown(image, label, getattr(data["image"], "affine", None), step):
                slices.append(_small_slice(shown, values, item, library, size))
    return slices


def _as_shown(
    image: Tensor, label: Tensor, affine: Tensor | None, step: int
) -> Iterable[tuple[Tensor, Tensor]]:
    if image.ndim == 3:
        yield image, label
        return
    view = slice_view(image.shape[1:], None if affine is None else np.asarray(affine))
    for one, values in zip(view.show(image)[::step], view.show(label)[::step], strict=True):
        if float((one > 0.06).float().mean()) > 0.05:
            yield one, values


def _small_slice(
    image: Tensor, label: Tensor, item: Mapping[str, Any], library: PromptLibrary, size: int
) -> dict[str, Any]:
    masks: dict[str, Tensor] = {}
    facts, own = dict(item.get("facts", {})), {}
    for name, values in item.get("targets", {}).items():
        mask = torch.isin(label[0], torch.tensor([float(v) for v in values])).float()
        try:
            target, stated = library.resolve(name, item["modality"])
            facts.update(stated)
        except InputError:  # a target of the user's own, asked for by the set's own sentences
            target, own[name] = name, list(item["prompts"][name])
        masks[target] = F.interpolate(mask[None, None], (size, size), mode="area")[0, 0] >= 0.5
    for name, (left, right) in SIDED.items():
        if name in masks and left not in masks:
            halves = split_sides(masks[name].numpy())
            if halves is not None:
                masks[left], masks[right] = map(torch.from_numpy, halves)
    small = F.interpolate(image[None].float(), (size, size), mode="bilinear", antialias=True)[0]
    stacked = torch.stack(list(masks.values())) if masks else torch.zeros(0, size, size)
    return {
        "image": (small * 255).round().clamp(0, 255).to(torch.uint8),
        "masks": stacked.to(torch.uint8),
        "targets": list(masks),
        "set": item["set"],
        "modality": item["modality"],
        "facts": facts,
        "own": own,
    }


def split_sides(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The patient's left and right part of a paired organ in radiological display (left is on the image's right).

    Args:
        mask: (H, W) bool.

    Returns:
        two (H, W) bool masks, or None unless the organ is seen as two large parts on either side of the middle
        of their extent.
    """
    labels = components(mask)
    sizes = np.bincount(labels.ravel())[1:]
    if len(sizes) < 2:
        return None
    first, second = np.argsort(sizes)[::-1][:2] + 1
    if sizes[second - 1] < 0.3 * sizes[first - 1]:
        return None
    columns = np.nonzero(mask.any(0))[0]
    middle = (columns[0] + columns[-1]) / 2
    centres = {int(k): float(np.nonzero(labels == k)[1].mean()) for k in (first, second)}
    right, left = sorted(centres, key=lambda k: centres[k])
    if not centres[right] < middle < centres[left]:
        return None
    return labels == left, labels == right


class TextPromptDataset(Randomizable, Dataset):
    """One item per (image, target), asked for with random sentences.

    The first of an item's sentences names its target, each further one with chance `absent` something that is
    not there (its label is empty) or else any target of the image. What is not there is a target of the same set
    that is missing from the image, a target of another modality, a medical structure that none of the images
    show, or words that are not medical at all. Images without any target are always asked so, and a single
    sentence is absent with chance `absent` itself.

    Args:
        data: items of :func:`monai_ext.data.datasets.read_split`, loaded now and kept small in memory.
        library: the sentences; only those true of an image are drawn for it.
        preprocessing, size, step: see :func:`load_slices`.
        extra: further slices, as :func:`load_slices` returns them: phantoms, photographs.
        lesions: number of MR slices that get lesions painted in, see :func:`monai_ext.synthesis.lesions.lesion_slices`.
        opacities: number of chest X-rays whose lungs get clouded, see
            :func:`monai_ext.synthesis.opacities.opacity_slices`.
        transplants: number of pictures per target that get a tumour of another one, see
            :func:`monai_ext.synthesis.transplants.transplant_slices`.
        transform: random augmentation of `image` (3, H, W) float in [0, 1] and `label` (P, H, W) in {0, 1};
            the item also holds `prompt` (P strings), `sided` (one of them names a side), `modality`, and `medical`,
            0.0 for a picture of nothing medical and 1.0 for others.
        prompts: P, the number of sentences per image: more of them share one encoding.
        absent: chance of an absent prompt.
        canonical: chance that a present target is asked for by its canonical sentence.
        rewording: chance that any other sentence is reworded, see :class:`monai_ext.prompts.rewording.Rewording`.
        seed: of the draws.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        library: PromptLibrary,
        preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]],
        transform: Callable | None = None,
        size: int = 192,
        step: int = 2,
        extra: Sequence[Mapping[str, Any]] = (),
        lesions: int = 0,
        opacities: int = 0,
        transplants: int = 0,
        prompts: int = 1,
        absent: float = 0.25,
        canonical: float = 0.25,
        rewording: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.library = library
        self.prompts, self.absent, self.canonical = prompts, absent, canonical
        self.rewording = Rewording.load(library.heldout_texts(), rewording)
        slices = [*load_slices(data, library, preprocessing, size, step), *extra]
        made = [
            *lesion_slices(slices, lesions, seed),
            *opacity_slices(slices, opacities, seed),
            *transplant_slices(slices, transplants, seed),
        ]
        pairs: list[dict[str, Any]] = []
        for one in [*slices, *made]:
            shown: list[int | None] = [k for k, mask in enumerate(one["masks"]) if bool(mask.any())]
            pairs += [{"slice": one, "target": k, "shown": shown} for k in shown or [None]]
        super().__init__(pairs, transform)
        self.set_random_state(seed)

    def set_random_state(self, seed: int | None = None, state: Any = None) -> TextPromptDataset:
        """Seed the draws of the sentences and of the augmentation, so that workers differ in both."""
        super().set_random_state(seed, state)
        self.rewording.set_random_state(state=self.R)
        if isinstance(self.transform, Randomizable):
            self.transform.set_random_state(seed, state)
        return self

    def sentences(self) -> list[str]:
        """Every sentence by which one of the targets that some image shows may be asked for."""
        texts: dict[str, None] = {}
        for pair in self.data:
            if pair["target"] is not None:
                one = pair["slice"]
                texts |= dict.fromkeys(self._sentences(one, one["targets"][pair["target"]]))
        return list(texts)

    def weights(self, by_set: Mapping[str, float] | None = None, default: float = 1.0) -> Tensor:
        """Sampling weights of the items: each set as a whole gets its own, spread evenly over its targets."""
        keys = [
            (p["slice"]["set"], None if p["target"] is None else p["slice"]["targets"][p["target"]])
            for p in self.data
        ]
        names = {name: len({k for k in keys if k[0] == name}) for name, _ in keys}
        count: dict[Any, int] = {}
        for key in keys:
            count[key] = count.get(key, 0) + 1
        return torch.tensor([(by_set or {}).get(k[0], default) / names[k[0]] / count[k] for k in keys])

    def _absent_prompt(self, one: Mapping[str, Any]) -> str:
        missing = [t for t, mask in zip(one["targets"], one["masks"], strict=True) if not mask.any()]
        draw = self.R.rand()
        if missing and (draw < 0.35 or (draw < 0.6 and len(missing) == len(one["targets"]))):
            return self._any(self._sentences(one, missing[self.R.randint(len(missing))], there=False))
        if draw < 0.85:
            others = self._elsewhere(one["modality"])
            return self._any(self.library.training(*others[self.R.randint(len(others))]))
        if draw < 0.93:
            return self._any(self.library.absent("train"))
        return self._any(self.library.nonsense("train")) if draw < 0.97 else self.rewording.nonsense()

    def _elsewhere(self, modality: str) -> list[tuple[str, str]]:
        """Targets that an image of this modality does not show; a picture of nothing medical shows none at all."""
        if modality != "other":
            return absent_targets(modality)
        return [(target, m) for m in MODALITIES for target in self.library.targets(m)]

    def _sentences(self, one: Mapping[str, Any], target: str, there: bool = True) -> list[str]:
        """The canonical sentence first; of a target that is there also what facts and wider targets make true."""
        if target in one.get("own", {}):
            return one["own"][target]
        return self.library.training(target, one["modality"], one["facts"] if there else None, wider=there)

    def _any(self, texts: Sequence[str]) -> str:
        return texts[self.R.randint(len(texts))]

    def _ask(self, one: Mapping[str, Any], k: int | None) -> tuple[str, Tensor]:
        """A sentence and its label (H, W): the k-th target of a slice, or something that is not there."""
        if k is None:
            return self.rewording(self._absent_prompt(one)), torch.zeros_like(one["image"][0])
        texts = self._sentences(one, one["targets"][k])  # the canonical one comes first
        canonical = self.R.rand() < self.canonical
        return texts[0] if canonical else self.rewording(self._any(texts)), one["masks"][k]

    def _transform(self, index: int) -> Any:
        pair = self.data[index]
        one, first, shown = pair["slice"], pair["target"], pair["shown"]
        asked: list[tuple[str, Tensor]] = []
        for number in range(self.prompts):
            absent = first is None or (self.R.rand() < self.absent and (number > 0 or self.prompts == 1))
            k = None if absent else first if number == 0 else shown[self.R.randint(len(shown))]
            asked.append(self._ask(one, k))
        texts, labels = [text for text, _ in asked], [label for _, label in asked]
        item = {
            "image": one["image"].float() / 255,
            "label": torch.stack(labels).float(),
            "prompt": texts,
            "sided": any(names_side(text) is not None for text in texts),
            "modality": one["modality"],
            "medical": float(one["modality"] != "other"),
        }
        return self.transform(item) if self.transform is not None else item
