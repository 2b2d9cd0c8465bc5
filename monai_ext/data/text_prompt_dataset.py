"""Training data for text prompts: labelled slices in memory, each with sentences that are true of it or are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from monai.data import Dataset, get_track_meta, set_track_meta
from monai.transforms import Randomizable
from torch import Tensor

from monai_ext.data.absence import Absent, absent_targets, shown_regions
from monai_ext.data.labelled_slices import load_slices
from monai_ext.data.sampling import Draw, share_random_state
from monai_ext.data.topics import NOTHING, Topics
from monai_ext.prompts.library import PromptLibrary, names_side
from monai_ext.prompts.rewording import Rewording
from monai_ext.synthesis.kept import kept_slices
from monai_ext.synthesis.lesions import lesion_slices
from monai_ext.synthesis.opacities import opacity_slices
from monai_ext.synthesis.transplants import transplant_slices

T = TypeVar("T")


def case_of(sample: Mapping[str, Any]) -> str:
    """The set and, unless the slice was made, the case of a slice, as "busi/benign (3)"."""
    return "/".join(filter(None, (sample["set"], sample.get("case"))))


@contextmanager
def without_metadata() -> Iterator[None]:
    """Let transforms work on plain tensors: metadata of slices say nothing, and take a fifth of the time of an item."""
    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)


class TextPromptDataset(Randomizable, Dataset):
    """One item per (image, target), with random sentences as text prompts.

    The first of an item's sentences names its target. Each further one names, with probability `absent`, something
    that is not in the image (its label is empty), else any target of the image. A single sentence is absent with
    that probability itself, and images without any target have only absent sentences. What is absent is a target of
    the same set that is missing from the image, a target of another region of the body or of another kind of image
    (:mod:`monai_ext.data.absence`), a medical structure that none of the images show, or words that are not medical at
    all.

    Args:
        data: items of :func:`monai_ext.data.datasets.read_split`, which are loaded now and kept in memory, resized.
        library: the sentences; only those true of an image are drawn for its targets.
        preprocessing, size, step: see :func:`load_slices`.
        additional_slices: further slices, as :func:`load_slices` returns them: phantoms, photographs.
        lesions: number of MR slices that get lesions painted in, see :func:`monai_ext.synthesis.lesions.lesion_slices`.
        opacities: number of chest X-rays whose lungs get opacities, see
            :func:`monai_ext.synthesis.opacities.opacity_slices`.
        transplants: number of pictures per target that get a tumour of another picture, see
            :func:`monai_ext.synthesis.transplants.transplant_slices`. Lesions, opacities and transplants are made once
            on a machine, see :func:`monai_ext.synthesis.kept.kept_slices`.
        transform: random augmentation of `image` (3, H, W) float in [0, 1] and `label` (P, H, W) in {0, 1};
            the item also holds `case`, `prompt` (P strings), `sided` (True if one of them names a side), `modality`, and
            `medical`, 0.0 for a picture of nothing medical and 1.0 for others.
        prompts: P, the number of sentences per item, which share one encoding of the image.
        absent: probability of an absent prompt.
        missing: probability that an absent prompt names a target that was looked for in the image and is not there, where
            its set has one. What a healthy organ looks like is learnt from these alone.
        asked: K, number of further sentences per item that are not segmented, but compared with the kind of every image
            of the batch: the item then holds them as `asked` (K strings), their topics as `asks` (K,), and as `shows` (T,)
            what images of its kind show of each topic, see :class:`monai_ext.data.topics.Topics`.
        canonical: probability that the prompt of a target that is shown is its canonical sentence.
        rewording: probability that any other sentence is reworded, see
            :class:`monai_ext.prompts.rewording.Rewording`.
        seed: of made slices, and of the draws of items that are asked for by a plain index; a
            :class:`~monai_ext.data.sampling.Draw` brings its own.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        library: PromptLibrary,
        preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]],
        transform: Callable | None = None,
        size: int = 192,
        step: int = 2,
        additional_slices: Sequence[Mapping[str, Any]] = (),
        lesions: int = 0,
        opacities: int = 0,
        transplants: int = 0,
        prompts: int = 1,
        absent: float = 0.25,
        missing: float = 0.5,
        asked: int = 0,
        canonical: float = 0.25,
        rewording: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.library = library
        self.prompts, self.absent, self.missing = prompts, absent, missing
        self.canonical, self.asked = canonical, asked
        self._absent: dict[tuple[str, ...], dict[str, list[Absent]]] = {}
        self._shown: dict[tuple[str, ...], Tensor] = {}
        self.rewording = Rewording.load(library.heldout_texts(), rewording)
        slices = [*load_slices(data, library, preprocessing, size, step), *additional_slices]
        wanted = ((lesion_slices, lesions), (opacity_slices, opacities), (transplant_slices, transplants))
        synthetic = [one for make, count in wanted if count for one in kept_slices(make, slices, count, seed)]
        pairs: list[dict[str, Any]] = []
        for sample in [*slices, *synthetic]:
            shown: list[int | None] = [k for k, mask in enumerate(sample["masks"]) if bool(mask.any())]
            pairs += [{"slice": sample, "target": k, "shown": shown} for k in shown or [None]]
        super().__init__(pairs, transform)
        own = {(name, one["modality"]) for one in slices for name in one.get("own", ())}
        self.topics = Topics(library, sorted(own))
        self.set_random_state(seed)

    def set_random_state(self, seed: int | None = None, state: Any = None) -> TextPromptDataset:
        """Seed the draws of the sentences and of the augmentation, so that workers differ in both.

        All of them draw from one generator, which a :class:`~monai_ext.data.sampling.Draw` seeds anew: a seed for each
        transform, as Compose gives it, takes a sixth of the time of an item.
        """
        super().set_random_state(seed, state)
        self.rewording.set_random_state(state=self.R)
        share_random_state(self.transform, self.R)
        return self

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, Draw):
            self.R.seed(index.seed)
            index = index.item
        with without_metadata():
            return super().__getitem__(index)

    def sentences(self) -> list[str]:
        """Every sentence that may be the prompt of a target which some image shows."""
        texts: dict[str, None] = {}
        for pair in self.data:
            if pair["target"] is not None:
                sample = pair["slice"]
                texts |= dict.fromkeys(self._sentences(sample, sample["targets"][pair["target"]]))
        return list(texts)

    def taught(self) -> dict[str, dict[str, list[str]]]:
        """By modality, the targets that some image has, each with the sentences of the data set's own.

        Made slices do not count: of what they alone show, a network knows little in real images.
        """
        found: dict[str, dict[str, list[str]]] = {}
        for pair in self.data:
            sample = pair["slice"]
            if pair["target"] is not None and "own" in sample:
                target = sample["targets"][pair["target"]]
                found.setdefault(sample["modality"], {})[target] = list(sample["own"].get(target, ()))
        return found

    def weights(self, by_set: Mapping[str, float] | None = None, balance: float = 0.0) -> Tensor:
        """Sampling weights of the items: each set has a weight of its own, shared evenly among its targets.

        Its images without any target count together as half a target.

        Args:
            by_set: weights by name.
            balance: a set that is not named there weighs the number of its slices to this power: 0 gives all sets the same
                weight, 0.5 the square root of their size.
        """
        keys = [
            (p["slice"]["set"], None if p["target"] is None else p["slice"]["targets"][p["target"]])
            for p in self.data
        ]
        share = {key: 0.5 if key[1] is None else 1.0 for key in set(keys)}
        total = {name: sum(part for key, part in share.items() if key[0] == name) for name, _ in keys}
        slices: dict[str, set[int]] = {}
        for pair in self.data:
            slices.setdefault(pair["slice"]["set"], set()).add(id(pair["slice"]))
        weight = {name: len(ones) ** balance for name, ones in slices.items()} | dict(by_set or {})
        count = Counter(keys)
        return torch.tensor([weight[k[0]] * share[k] / total[k[0]] / count[k] for k in keys])

    def _absent_prompt(self, sample: Mapping[str, Any]) -> tuple[str, int]:
        """A sentence of something that this image does not show, and its topic."""
        missing = [t for t, mask in zip(sample["targets"], sample["masks"], strict=True) if not mask.any()]
        if missing and self.R.rand() < self.missing:
            return self._own(sample, missing[self.R.randint(len(missing))])
        return self._elsewhere(sample)

    def _own(self, sample: Mapping[str, Any], target: str) -> tuple[str, int]:
        """A sentence of a target of this image, whether it is shown or not, and its topic."""
        text = self._pick(self._sentences(sample, target, present=False))
        return text, self.topics.of(target, sample["modality"], text)

    def _elsewhere(self, sample: Mapping[str, Any]) -> tuple[str, int]:
        """A sentence of something that no image of this kind shows, and its topic."""
        draw = self.R.rand()
        if draw < 0.85:
            one = self._pick(self._pick(list(self._absent_targets(sample).values())))
            text = self._pick(one.sentences)
            return text, self.topics.of(one.target, one.modality, text)
        if draw < 0.93:
            return self._pick(self.library.absent("train")), NOTHING
        text = self._pick(self.library.nonsense("train")) if draw < 0.97 else self.rewording.nonsense()
        return text, NOTHING

    def _absent_targets(self, sample: Mapping[str, Any]) -> dict[str, list[Absent]]:
        """Targets that images like this one do not show, by the kind of absence, which are drawn equally often."""
        key = sample["modality"], *sample["targets"]
        if key not in self._absent:
            regions = shown_regions(sample["targets"], sample["modality"], self.library)
            kinds: dict[str, list[Absent]] = {}
            for one in absent_targets(sample["modality"], regions, self.library):
                kinds.setdefault(one.kind, []).append(one)
            self._absent[key] = kinds
        return self._absent[key]

    def _asked(self, sample: Mapping[str, Any]) -> tuple[list[str], Tensor]:
        """Sentences (K) of the image's own targets and of others, and the topic of each (K,)."""
        texts, topics = [], []
        for _ in range(self.asked):
            if sample["targets"] and self.R.rand() < 0.5:
                text, topic = self._own(sample, self._pick(sample["targets"]))
            else:
                text, topic = self._elsewhere(sample)
            texts.append(self.rewording(text))
            topics.append(topic)
        return texts, torch.tensor(topics)

    def _kind_shows(self, sample: Mapping[str, Any]) -> Tensor:
        """What images of this kind show, by topic, see :class:`monai_ext.data.topics.Topics`."""
        key = sample["modality"], *sample["targets"]
        if key not in self._shown:
            absent = [one for kind in self._absent_targets(sample).values() for one in kind]
            self._shown[key] = self.topics.shows(sample["targets"], sample["modality"], absent)
        return self._shown[key]

    def _sentences(self, sample: Mapping[str, Any], target: str, present: bool = True) -> list[str]:
        """The canonical sentence first; of a target that is shown also those that facts and wider targets make true."""
        if target in sample.get("own", {}):
            return sample["own"][target]
        return self.library.training(
            target, sample["modality"], sample["facts"] if present else None, wider=present
        )

    def _pick(self, pool: Sequence[T]) -> T:
        return pool[self.R.randint(len(pool))]

    def _draw(self, sample: Mapping[str, Any], k: int | None) -> tuple[str, Tensor]:
        """A sentence and its label (H, W): the k-th target of a slice, or an absent one where k is None."""
        if k is None:
            return self.rewording(self._absent_prompt(sample)[0]), torch.zeros_like(sample["image"][0])
        texts = self._sentences(sample, sample["targets"][k])
        canonical = self.R.rand() < self.canonical
        return texts[0] if canonical else self.rewording(self._pick(texts)), sample["masks"][k]

    def _transform(self, index: int) -> Any:
        pair = self.data[index]
        sample, first, shown = pair["slice"], pair["target"], pair["shown"]
        drawn: list[tuple[str, Tensor]] = []
        for number in range(self.prompts):
            absent = first is None or (self.R.rand() < self.absent and (number > 0 or self.prompts == 1))
            k = None if absent else first if number == 0 else shown[self.R.randint(len(shown))]
            drawn.append(self._draw(sample, k))
        texts, labels = [text for text, _ in drawn], [label for _, label in drawn]
        item = {
            "case": case_of(sample),
            "image": sample["image"].float() / 255,
            "label": torch.stack(labels).float(),
            "prompt": texts,
            "sided": any(names_side(text) is not None for text in texts),
            "modality": sample["modality"],
            "medical": float(sample["modality"] != "other"),
        }
        if self.asked:
            item["asked"], item["asks"] = self._asked(sample)
            item["shows"] = self._kind_shows(sample)
        return self.transform(item) if self.transform is not None else item
