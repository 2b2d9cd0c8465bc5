"""Write one MetaImage (.mha) or NRRD file with the geometry of the file that was segmented."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.files import whole_file


def write_itk(path: Path, array: np.ndarray, meta: Mapping[str, Any]) -> None:
    """(X, Y, Z), compressed, with the dimensions, spacing, origin and direction that ITK reads from the input.

    Args:
        path: ``.mha`` or ``.nrrd``.
        array: a mask, uint8, or a map, float32, which is written in its own type; Z = 1 for an input of two dimensions.
        meta: ``source`` as :func:`monai_ext.io.read_itk.load_itk` gives it.

    Raises:
        OSError: when the file cannot be written.
    """
    import SimpleITK as sitk

    source = json.loads(meta["source"])
    dimensions = len(source["spacing"])
    stored = array.reshape(array.shape[:dimensions]).T  # (Z, Y, X) or (Y, X)
    image = sitk.GetImageFromArray(np.ascontiguousarray(stored))
    image.SetSpacing(source["spacing"])
    image.SetOrigin(source["origin"])
    image.SetDirection(source["direction"])
    with whole_file(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise OSError(errno.EIO, "ITK cannot write the file") from error
        _put_lines(temporary, source["lines"], nrrd=path.suffix == ".nrrd")


def _put_lines(path: Path, lines: Sequence[str], nrrd: bool) -> None:
    """Let the header state the geometry by the lines of the input: no more than that, and in its units.

    A NRRD file holds spacing times direction: ITK's product of the two is another number in the last bit.
    """
    end = b"\n\n" if nrrd else b"\nElementDataFile"
    text, end, voxels = path.read_bytes().partition(end)
    kept = [line for line in text.decode().splitlines() if not (nrrd and line.startswith("space"))]
    path.write_bytes("\n".join([*kept, *lines]).encode() + end + voxels)
