"""One item of a data set, opened: what its files hold, and what is wrong with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from monai.utils import ensure_tuple

from monai_ext.data.near_duplicates import look_of
from monai_ext.errors import InputError
from monai_ext.io.read_image import load_image
from monai_ext.io.volumes import AIR
from monai_ext.prompts.modalities import DICOM_MODALITIES

PICTURE = "picture"
TUMOUR_FACTS = ("pathology", "tumour_type")
"""Facts of an item that describe something which its label must show, unless they hold a word of NOTHING."""
NOTHING = ("", "normal", "none", "no tumour")


@dataclass(frozen=True)
class Contents:
    """What the files of one item hold.

    Attributes:
        kind: of the image, such as "picture 2D", "nifti 3D".
        channels: of the image; sequences count as channels.
        size: rows and columns of a picture; X, Y, Z of a volume.
        spacing: mm along each axis; empty for pictures, where it is not known.
        lowest, highest: intensities, as the reader gives them (CT in HU).
        shown: how much there is of every annotated target, 0 where its mask is empty: share of a picture in
            [0, 1], ml of a volume. It has no entries without a label that can be used.
        look: by what images are compared, see :func:`monai_ext.data.near_duplicates.look_of`.
    """

    kind: str
    channels: int
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    lowest: float
    highest: float
    shown: Mapping[str, float] = field(default_factory=dict)
    look: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Unit of the amounts in `shown`: "share" or "ml"."""
        return "ml" if self.spacing else "share"


class ItemCheck:
    """Open the files of one item, image before label, and check each.

    Args:
        item: of :func:`monai_ext.data.datasets.read_split`, which has reported missing files: they are passed over
            here.
        classes: label values that the item itself says its label holds.

    Attributes:
        contents: what the files hold; None where the image cannot be used.
        pixels: hash of the pixels, equal for two images of equal pixels; "" without contents.
        problems: what has to be corrected, sentences without a full stop.
        notes: what is odd and may be right, likewise.
    """

    def __init__(self, item: Mapping[str, Any], classes: Sequence[Any] = ()) -> None:
        self.item = item
        self.contents: Contents | None = None
        self.pixels = ""
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._grid: tuple[tuple[int, ...], np.ndarray] | None = None  # shape and affine of the image
        if (image := self._load("image")) is not None:
            self._check_image(*image)
        del image  # only one of the two is in memory
        if (label := self._load("label")) is not None:
            self._check_label(*label, [str(value) for value in classes])

    def _load(self, key: str) -> tuple[np.ndarray, dict[str, Any]] | None:
        """(C, ...) float32 and the ``meta`` of the image or the label; None where it cannot be had."""
        paths = [Path(path) for path in ensure_tuple(self.item.get(key, ()))]
        if not paths and key == "image":
            self.problems.append("an empty list of images")
        if not paths or not all(path.exists() for path in paths):
            return None
        try:
            return load_image(paths, label=key == "label")
        except InputError as error:
            self.problems.append(str(error).rstrip("."))
            return None

    def _name(self, key: str) -> str:
        return Path(ensure_tuple(self.item[key])[0]).name

    def _check_image(self, image: np.ndarray, meta: Mapping[str, Any]) -> None:
        name = self._name("image")
        self._grid = image.shape[1:], meta["affine"]
        self.notes += dict.fromkeys(meta["warnings"])
        stated = DICOM_MODALITIES.get(meta["modality"].upper())
        expected = self.item["modality"]
        if stated is not None and expected != "other" and stated != expected:
            self.problems.append(f"{name}: its DICOM modality is {meta['modality']}, the set's is {expected}")
        if not np.isfinite(image).all():
            self.problems.append(f"{name}: holds NaN or infinite values; replace them")
            return
        lowest, highest = float(image.min()), float(image.max())
        if lowest == highest:
            self.notes.append(f"the image is {lowest:g} everywhere")
        picture = meta["kind"] == PICTURE
        if expected == "ct" and not picture and lowest >= AIR:
            self.notes.append(f"no value below {AIR:g}: perhaps not in Hounsfield units")
        self.contents = Contents(
            kind=f"{meta['kind']} {image.ndim - 1}D",
            channels=len(image),
            size=image.shape[1:],
            spacing=() if picture else tuple(round(float(s), 4) for s in meta["spacing"]),
            lowest=lowest,
            highest=highest,
            look=look_of(image, meta["affine"]),
        )
        values = np.ascontiguousarray(image)
        self.pixels = hashlib.blake2b(values.data, digest_size=16).hexdigest() + str(values.shape)

    def _check_label(self, label: np.ndarray, meta: Mapping[str, Any], classes: Sequence[str]) -> None:
        name = self._name("label")
        fits = self._fits(label.shape[1:], meta["affine"], name)
        if len(label) != 1:
            self.problems.append(f"{name}: {len(label)} channels; a label map has one number per pixel")
            return
        values, counts = np.unique(label, return_counts=True)
        broken = values[~np.isfinite(values)]
        fractions = values[np.isfinite(values) & (values != np.round(values))]
        if broken.size or fractions.size:
            found = "NaN or infinite values" if broken.size else f"values such as {fractions[0]:.9g}"
            self.problems.append(f"{name}: {found}; labels are whole numbers")
            return
        amounts = {str(int(value)): int(count) for value, count in zip(values, counts, strict=True)}
        unknown = [value for value in amounts if value not in self.item["table"].split("+")]
        if unknown:
            listed = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
            why = " (JPEG alters labels: use PNG)" if name.lower().endswith((".jpg", ".jpeg")) else ""
            self.problems.append(f"{name}: label values {listed} are not in the label table{why}")
        self._compare_with_facts(name, amounts, classes)
        if self.contents is not None and fits:
            millilitres = abs(float(np.linalg.det(meta["affine"][:3, :3]))) / 1000
            amount = (
                millilitres if self.contents.spacing else 1 / label.size
            )  # that one voxel or pixel stands for
            shown = {
                target: amount * sum(amounts.get(str(value), 0) for value in values)
                for target, values in self.item["targets"].items()
            }
            self.contents = replace(self.contents, shown=shown)

    def _fits(self, label_shape: tuple[int, ...], label_affine: np.ndarray, name: str) -> bool:
        """Whether the label lies on the grid of the image, as far as that is known."""
        if self._grid is None:
            return True
        shape, affine = self._grid
        if label_shape != shape:
            its, other = ("×".join(map(str, size)) for size in (label_shape, shape))
            self.problems.append(f"{name}: is {its} and {self._name('image')} {other}; draw it on this image")
            return False
        off = label_affine - affine
        if np.abs(off).max() <= 1e-3:
            return True
        corners = np.stack(np.meshgrid(*[(0, size - 1) for size in shape], (1,)), -1).reshape(-1, 4)
        furthest = np.linalg.norm(corners @ off.T, axis=1).max()
        self.problems.append(f"{name}: lies up to {furthest:.2g} mm off {self._name('image')} by its affine")
        return False

    def _compare_with_facts(self, name: str, amounts: Mapping[str, int], classes: Sequence[str]) -> None:
        """Whether the label holds what the item says of it."""
        facts, filled = self.item["facts"], any(value != "0" for value in amounts)
        claims = [
            f"{fact} is {facts[fact]}" for fact in TUMOUR_FACTS if str(facts.get(fact, "")) not in NOTHING
        ]
        if facts.get("empty_mask") is False:
            claims.insert(0, "empty_mask is false")
        if claims and not filled:
            self.problems.append(f"{name}: all background, but the item says that {claims[0]}")
        if facts.get("empty_mask") is True and filled:
            self.problems.append(f"{name}: not all background, but the item says that empty_mask is true")
        lacking = [value for value in classes if value not in amounts]
        if lacking:
            self.problems.append(f"{name}: no pixel of {', '.join(lacking)}, which the item's classes name")
