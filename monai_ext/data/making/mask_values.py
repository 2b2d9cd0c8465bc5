"""What the pixels of a mask's file say, whoever drew it: label values, 0 and 255, colours."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.io.datalists import PICTURES
from monai_ext.io.read_image import load_image
from monai_ext.io.read_picture import load_picture

MOST = 32
"""Different values or colours of a picture beyond which it is no label map that somebody drew."""
NEAR = 40
"""How far the values of a mask of 0 and 255 may be off these where the file lost some detail, as JPEG does."""
WHITE = "255"


class MaskValues:
    """The values of a mask's file.

    Attributes:
        values: (X, Y, Z) or (H, W); whole numbers.
        affine: (4, 4) of a volume, of a picture the identity.
        names: of each value that is no background: "1", or "#ff0000" in colour.
        thresholded: whether values near 0 and 255 were taken for these.
    """

    def __init__(self, file: Path, named: Collection[str] = ()) -> None:
        """Read a file.

        Args:
            file: a picture or a volume of one channel, or a picture in colour.
            named: values that have a name: a file of no others is a label map, whatever they are.

        Raises:
            InputError: the file cannot be read, or its values are mixed, as those of blurred or compressed masks.
        """
        self.thresholded = False
        if file.name.lower().endswith(PICTURES):
            self.affine = np.eye(4)
            planes = load_picture(file, label=_has_indices(file))[0]
            self.values = planes[0] if len(planes) == 1 else _colours(planes)
            self.names = self._of_picture(file, len(planes) > 1, named)
        else:
            array, meta = load_image([file], label=True, dtype=None)
            self.values, self.affine = array[0], meta["affine"]
            self.names = _of_volume(file, array)

    def regions(self, placed: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """The name of each value, with a bool array of where it is in `placed`: the values, their axes perhaps turned."""
        for value, name in self.names.items():
            yield name, placed == value

    def _of_picture(self, file: Path, colour: bool, named: Collection[str]) -> dict[int, str]:
        found = [int(value) for value in np.unique(self.values) if value]
        names = {value: f"#{value:06x}" if colour else str(value) for value in found}
        lossy = file.suffix.lower() in (".jpg", ".jpeg")
        known = set(names.values()) & set(named)
        if len(known) == len(names) and not lossy:
            return names
        if not colour and known <= {"1", WHITE} and self._is_nearly_binary(lossy):
            self.thresholded = True
            self.values = np.where(self.values > 127, 255, 0)
            return {255: WHITE} if self.values.any() else {}
        if len(found) > MOST or lossy:
            raise InputError(
                f"{file.name}: {len(found) + 1} {'colours' if colour else 'values'} that run into each other, so it was"
                " blurred or compressed; save masks as PNG with one value for each target."
            )
        return names

    def _is_nearly_binary(self, lossy: bool) -> bool:
        """Whether all values are near 0 or 255, and both of these were blurred, as nobody's labels are."""
        present = np.unique(self.values)
        low = (present > 0) & (present <= NEAR)
        high = (present >= 255 - NEAR) & (present < 255)
        near = bool((low | high | (present == 0) | (present == 255)).all())
        return near and (lossy or bool(low.any() and high.any()))


def _has_indices(file: Path) -> bool:
    """Whether a picture stores numbers of a palette, or one bit."""
    try:
        with Image.open(file) as picture:
            return picture.mode in ("P", "1")
    except (OSError, ValueError, SyntaxError):
        return False  # load_picture says what is wrong


def _colours(planes: np.ndarray) -> np.ndarray:
    """(H, W) numbers 0xRRGGBB of (3, H, W) uint8."""
    red, green, blue = planes.astype(np.int32)
    return red << 16 | green << 8 | blue


def _of_volume(file: Path, array: np.ndarray) -> dict[int, str]:
    found = np.unique(array)
    if not np.isfinite(found).all() or (found != np.round(found)).any():
        odd = next(value for value in found if not np.isfinite(value) or value != round(value))
        raise InputError(
            f"{file.name}: holds {odd:g}; masks are whole numbers, save it with one for each target."
        )
    return {int(value): str(int(value)) for value in found if value}
