"""One item of a data set, opened: what its files hold, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import ensure_tuple

from monai_ext.errors import InputError
from monai_ext.transforms.display import AIR
from monai_ext.transforms.load import MedicalLoadImage

PICTURE = "picture"
# they are of something in the image, unless they say that none is
TUMOUR_FACTS = ("pathology", "tumour_type")
NOTHING = ("", "normal", "none", "no tumour")
# DICOM's codes that tell what is seen; OT, SC, XC and the like may be anything
DICOM_MODALITIES = {
    "CT": "ct",
    "MR": "mri",
    "ES": "endoscopy",
    "DMS": "dermoscopy",
    **dict.fromkeys(("US", "IVUS"), "us"),
    **dict.fromkeys(("CR", "DX", "MG", "RF", "RG", "XA"), "xray"),
    **dict.fromkeys(("PT", "NM"), "nuclear medicine"),
}


@dataclass(frozen=True)
class Contents:
    """What the files of one item hold.

    Attributes:
        kind: of the image, such as "picture 2D", "nifti 3D".
        channels: of the image; sequences count as channels.
        size: rows and columns of a picture; X, Y, Z of a volume.
        spacing: mm along each axis; empty for pictures, where it is not known.
        lowest, highest: intensities, as the loader gives them (CT in HU).
        shown: how much there is of every annotated target, 0 where it is empty: share of a picture in [0, 1],
            ml of a volume. Empty without a label that can be used.
    """

    kind: str
    channels: int
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    lowest: float
    highest: float
    shown: Mapping[str, float] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """Of the amounts in `shown`: "share" or "ml"."""
        return "ml" if self.spacing else "share"


class ItemCheck:
    """Open the files of one item, image before label, and look at each.

    Args:
        item: of :func:`monai_ext.data.datasets.read_split`. Files that are missing were reported by it and are
            passed over here.
        classes: label values that the item itself says its label holds.

    Attributes:
        contents: None where the image cannot be used.
        pixels: equal for two images of equal pixels, "" without contents.
        problems: what has to be corrected, sentences without a full stop.
        notes: what is odd and may be right.
    """

    def __init__(self, item: Mapping[str, Any], classes: Sequence[Any] = ()) -> None:
        self.item = item
        self.contents: Contents | None = None
        self.pixels = ""
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._grid: tuple[torch.Size, np.ndarray] | None = None  # shape and affine of the image
        image = self._load("image")
        if image is not None:
            self._look_at_image(image)
        del image  # only one of the two is in memory
        label = self._load("label")
        if label is not None:
            self._look_at_label(label, [str(value) for value in classes])

    def _load(self, key: str) -> MetaTensor | None:
        paths = [Path(path) for path in ensure_tuple(self.item.get(key, ()))]
        if not paths and key == "image":
            self.problems.append("an empty list of images")
        if not paths or not all(path.exists() for path in paths):
            return None
        try:
            return MedicalLoadImage(label=key == "label")(paths)
        except InputError as error:
            self.problems.append(str(error).rstrip("."))
            return None

    def _name(self, key: str) -> str:
        return Path(ensure_tuple(self.item[key])[0]).name

    def _look_at_image(self, image: MetaTensor) -> None:
        name, meta = self._name("image"), image.meta
        self._grid = image.shape[1:], image.affine.numpy()
        self.notes += [line for line in str(meta.get("warnings", "")).split("\n") if line]
        seen = DICOM_MODALITIES.get(str(meta.get("modality", "")).upper())
        asked = self.item["modality"]
        if seen is not None and asked != "other" and seen != asked:
            self.problems.append(f"{name}: its DICOM modality is {meta['modality']}, the set's is {asked}")
        if not torch.isfinite(image).all():
            self.problems.append(f"{name}: holds NaN or infinite values; replace them")
            return
        lowest, highest = float(image.min()), float(image.max())
        if lowest == highest:
            self.notes.append(f"the image is {lowest:g} everywhere")
        flat = meta["kind"] == PICTURE
        if asked == "ct" and not flat and lowest >= AIR:
            self.notes.append(f"no value below {AIR:g}: perhaps not in Hounsfield units")
        self.contents = Contents(
            kind=f"{meta['kind']} {image.ndim - 1}D",
            channels=len(image),
            size=tuple(image.shape[1:]),
            spacing=() if flat else tuple(round(float(s), 4) for s in meta["spacing"]),
            lowest=lowest,
            highest=highest,
        )
        values = np.ascontiguousarray(image.as_tensor().numpy())
        self.pixels = hashlib.blake2b(values.data, digest_size=16).hexdigest() + str(values.shape)

    def _look_at_label(self, label: MetaTensor, classes: Sequence[str]) -> None:
        name = self._name("label")
        fits = self._fits(label, name)
        if len(label) != 1:
            self.problems.append(f"{name}: {len(label)} channels; a label map has one number per pixel")
            return
        values, counts = np.unique(label.as_tensor().numpy(), return_counts=True)
        broken = values[~np.isfinite(values)]
        fractions = values[np.isfinite(values) & (values != np.round(values))]
        if broken.size or fractions.size:
            found = "NaN or infinite values" if broken.size else f"values such as {fractions[0]:g}"
            self.problems.append(f"{name}: {found}; labels are whole numbers")
            return
        amounts = {str(int(value)): int(count) for value, count in zip(values, counts, strict=True)}
        unknown = [value for value in amounts if value not in self.item["table"].split("+")]
        if unknown:
            shown = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
            why = " (JPEG alters labels: use PNG)" if name.lower().endswith((".jpg", ".jpeg")) else ""
            self.problems.append(f"{name}: label values {shown} are not in the label table{why}")
        self._compare_with_facts(name, amounts, classes)
        if self.contents is not None and fits:
            volume = abs(float(np.linalg.det(label.affine[:3, :3].numpy()))) / 1000
            one = volume if self.contents.spacing else 1 / label.numel()
            shown_here = {
                target: one * sum(amounts.get(str(value), 0) for value in parts)
                for target, parts in self.item["targets"].items()
            }
            self.contents = replace(self.contents, shown=shown_here)

    def _fits(self, label: MetaTensor, name: str) -> bool:
        """Whether the label lies on the grid of the image, as far as that is known."""
        if self._grid is None:
            return True
        shape, affine = self._grid
        if label.shape[1:] != shape:
            its, other = ("×".join(map(str, size)) for size in (label.shape[1:], shape))
            self.problems.append(f"{name}: is {its} and {self._name('image')} {other}; draw it on this image")
            return False
        off = label.affine.numpy() - affine
        if np.abs(off).max() <= 1e-3:
            return True
        corners = np.stack(np.meshgrid(*[(0, size - 1) for size in shape], (1,)), -1).reshape(-1, 4)
        furthest = np.linalg.norm(corners @ off.T, axis=1).max()
        self.problems.append(f"{name}: lies up to {furthest:.2g} mm off {self._name('image')} by its affine")
        return False

    def _compare_with_facts(self, name: str, amounts: Mapping[str, int], classes: Sequence[str]) -> None:
        """Whether the label holds what the item says of it."""
        facts, filled = self.item["facts"], any(value != "0" for value in amounts)
        said = [
            f"{fact} is {facts[fact]}" for fact in TUMOUR_FACTS if str(facts.get(fact, "")) not in NOTHING
        ]
        if facts.get("empty_mask") is False:
            said.insert(0, "empty_mask is false")
        if said and not filled:
            self.problems.append(f"{name}: all background, but the item says that {said[0]}")
        if facts.get("empty_mask") is True and filled:
            self.problems.append(f"{name}: not all background, but the item says that empty_mask is true")
        lacking = [value for value in classes if value not in amounts]
        if lacking:
            self.problems.append(f"{name}: no pixel of {', '.join(lacking)}, which the item's classes name")
