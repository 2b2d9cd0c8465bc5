"""By what a bundle's training images are known again: recorded by a training, looked for by a comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from monai_ext.bundle.retrained import IMAGES
from monai_ext.data.perceptual_hash import BITS, NEAR, hash_distance, in_body_axes, volume_hashes
from monai_ext.errors import InputError
from monai_ext.io.case_names import input_hash
from monai_ext.transforms.load import MedicalLoadImage

SHA256 = re.compile(r"[0-9a-f]{64}")
HASHES = re.compile(rf"[0-9a-f]{{{BITS // 4}}}")


class Print(NamedTuple):
    """By what an image is known again.

    Attributes:
        sha256: of its file or DICOM series.
        hashes: of :func:`monai_ext.data.perceptual_hash.volume_hashes`.
    """

    sha256: str
    hashes: tuple[str, ...]


def image_print(path: str | Path) -> Print:
    """Content and look of an image; volumes are hashed as they lie in the body (RAS), whatever the order of their axes.

    Raises:
        InputError: when it cannot be read.
    """
    image = MedicalLoadImage()(path)
    in_body = in_body_axes(image.numpy(), image.affine.numpy())
    return Print(input_hash(path), tuple(volume_hashes(in_body)))


def image_prints(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a bundle records of its training images, each sequence by itself, without paths and names.

    Args:
        items: of :func:`monai_ext.data.datasets.read_split`.

    Raises:
        InputError: when an image cannot be read.
    """
    paths = dict.fromkeys(
        path
        for item in items
        for path in (item["image"] if isinstance(item["image"], list) else [item["image"]])
    )
    return [image_print(path)._asdict() for path in paths]


class TrainingImages:
    """The training images that a bundle records.

    Args:
        bundle: its folder; what it does not record stays unknown.

    Raises:
        InputError: when the record cannot be read.
    """

    def __init__(self, bundle: Path) -> None:
        file = bundle / IMAGES
        self.prints = _read(file) if file.is_file() else []

    def __len__(self) -> int:
        return len(self.prints)

    @cached_property
    def sha256(self) -> set[str]:
        """Of all files."""
        return {one.sha256 for one in self.prints}

    def look_like(self, hashes: Sequence[str]) -> bool:
        """Whether one of them looks like an image of these hashes: as many, of which each differs in few bits only."""
        alike = [one.hashes for one in self.prints if len(one.hashes) == len(hashes)]
        if not alike or not hashes:
            return False
        columns = zip(hashes, zip(*alike, strict=True), strict=True)
        near = [hash_distance(mine, theirs) <= NEAR for mine, theirs in columns]
        return any(all(row) for row in zip(*near, strict=True))


def _read(file: Path) -> list[Print]:
    try:
        found = [
            Print(one["sha256"], tuple(one["hashes"])) for one in json.loads(file.read_text(encoding="utf-8"))
        ]
        whole = all(SHA256.fullmatch(one.sha256) and all(map(HASHES.fullmatch, one.hashes)) for one in found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file.name} of the bundle cannot be read ({error}).") from error
    if not whole:
        raise InputError(f"{file.name} of the bundle holds no hashes as they are recorded; train it again.")
    return found
