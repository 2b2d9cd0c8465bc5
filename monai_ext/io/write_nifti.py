"""Write one NIfTI mask with the geometry of the file that was segmented."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_ext.files import whole_file


def write_nifti(path: Path, array: np.ndarray, meta: Mapping[str, Any], slope: float = 1) -> None:
    """Write (X, Y, Z) uint8 with the geometry header of the input where it had one, else with its affine.

    Readers give the values times `slope`.
    """
    array = np.asarray(array, dtype=np.uint8)  # X fastest in memory is quickest, as the file has it
    block = np.asarray(meta.get("nifti_header", np.zeros(0)), dtype=np.uint8).tobytes()
    if block:
        kind = nib.Nifti1Image if len(block) == nib.Nifti1Header.template_dtype.itemsize else nib.Nifti2Image
        header = kind.header_class(binaryblock=block)
        header.set_data_dtype(np.uint8)
        header["scl_slope"], header["scl_inter"], header["cal_min"], header["cal_max"] = 1, 0, 0, 0
        header.set_intent("none")
        header.set_data_offset(0)  # extensions of the input are not written
        # no affine: NIfTI's own codes and numbers stay as they were, to the last bit
        image = kind(array.reshape(header.get_data_shape()), None, header)
    else:
        affine = np.asarray(meta["affine"], dtype=np.float64)
        image = nib.Nifti1Image(array, affine)
        image.set_sform(affine, code=1)
        image.set_qform(affine, code=1)
        image.header.set_xyzt_units("mm")
    if slope != 1:
        image.header.set_slope_inter(slope, 0)
    with whole_file(path) as temporary:
        nib.save(image, temporary)
