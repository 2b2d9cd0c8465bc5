"""Images and labels of data sets as slices in memory: resized, with a mask for each target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.utils import convert_to_tensor
from skimage.measure import label as components
from torch import Tensor

from monai_ext.errors import InputError
from monai_ext.io.slices import view_of
from monai_ext.prompts.library import PromptLibrary

SIDED = {"lungs": ("left lung", "right lung"), "kidneys": ("left kidney", "right kidney")}


def load_slices(
    items: Iterable[Mapping[str, Any]],
    library: PromptLibrary,
    preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]],
    size: int = 192,
    step: int = 2,
) -> list[dict[str, Any]]:
    """Read images and labels and resize them, to be kept in memory.

    Args:
        items: of :func:`monai_ext.data.datasets.read_split`; an item of several sequences becomes one
            image per sequence.
        library: gives each target its name.
        preprocessing: loads the keys `image` and `label`; `image` comes as (3, ...) in [0, 1].
        size: side in pixels that pictures and slices are resized to, whatever their shape.
        step: distance, in slices, of those that are taken of a volume; slices without content are left out.

    Returns:
        dicts with `image` (3, size, size) uint8, `masks` (K, size, size) uint8 in {0, 1}, `targets` (K names),
        `set`, `case`, `modality`, `facts`, and `own`: the set's own sentences for targets that the library does not know.
        Paired organs that are seen as two components also have a target for each side.

    Raises:
        InputError: with all labels that are of another shape than their image, or hold values that the table lacks.
    """
    slices, problems = [], []
    for item in items:
        sequences = item["image"] if isinstance(item["image"], list) else [item["image"]]
        for sequence in sequences:
            data = preprocessing({**item, "image": sequence})
            image = convert_to_tensor(data["image"])
            label = convert_to_tensor(data["label"]) if "label" in data else torch.zeros_like(image[:1])
            if problem := _misfit(image, label, item):
                problems.append(f"{item['set']}/{item['case']}: {problem}")
                continue
            for shown, values in _displayed(image, label, data["image"], step):
                slices.append(_resized(shown, values, item, library, size))
    if problems:
        raise InputError(
            f"{len(problems)} label(s) that cannot be trained on: {'; '.join(problems[:5])}"
            f"{'; …' if len(problems) > 5 else ''}. monai-ext dataset check lists all."
        )
    return slices


def _misfit(image: Tensor, label: Tensor, item: Mapping[str, Any]) -> str:
    """Why a label is none of its image, "" if it is one."""
    if label.shape[1:] != image.shape[1:]:
        its, other = ("×".join(map(str, one.shape[1:])) for one in (label, image))
        return f"the label is {its} and the image {other}"
    known = {float(value) for value in item["table"].split("+")} if "table" in item else None
    unknown = set() if known is None else set(label.unique().tolist()) - known
    return (
        f"label values {', '.join(f'{v:g}' for v in sorted(unknown)[:5])} are not in the table"
        if unknown
        else ""
    )


def _displayed(image: Tensor, label: Tensor, loaded: Tensor, step: int) -> Iterable[tuple[Tensor, Tensor]]:
    """Image (3, H, W) and label (1, H, W) of a picture, or of every `step`-th slice of a volume with content."""
    if image.ndim == 3:
        yield image, label
        return
    view = view_of(loaded)
    for plane, values in zip(view.show(image)[::step], view.show(label)[::step], strict=True):
        if float((plane > 0.06).float().mean()) > 0.05:
            yield plane, values


def _resized(
    image: Tensor, label: Tensor, item: Mapping[str, Any], library: PromptLibrary, size: int
) -> dict[str, Any]:
    masks: dict[str, Tensor] = {}
    facts, own = dict(item.get("facts", {})), {}
    for name, values in item.get("targets", {}).items():
        mask = torch.isin(label[0], torch.tensor([float(v) for v in values])).float()
        try:
            target, stated = library.resolve(name, item["modality"])
            facts.update(stated)
        except InputError:  # a target that only the set has, with sentences of its own
            target, own[name] = name, list(item["prompts"][name])
        masks[target] = F.interpolate(mask[None, None], (size, size), mode="area")[0, 0] >= 0.5
    for name, (left, right) in SIDED.items():
        if name in masks and left not in masks and left in library.targets(item["modality"]):
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
        "case": item.get("case", ""),
        "modality": item["modality"],
        "facts": facts,
        "own": own,
    }


def split_sides(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The patient's left and right half of a paired organ in radiological display (left is on the image's right).

    Args:
        mask: (H, W) bool.

    Returns:
        two (H, W) bool masks, or None unless the organ is seen as two large components on either side of the middle
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
