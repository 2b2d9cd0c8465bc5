"""A struct of a MATLAB file, of version 7.3 (HDF5) or older."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext.errors import InputError


def read_struct(path: Path, name: str, fields: Sequence[str]) -> dict[str, Any]:
    """Fields of a struct: matrices (rows, columns) as MATLAB shows them, single numbers as such, text as str.

    Raises:
        InputError: when the file cannot be read, has no such struct or fields, or h5py is needed and missing.
    """
    from scipy.io import loadmat

    try:
        try:
            struct = loadmat(path, variable_names=[name], squeeze_me=True, struct_as_record=False)[name]
            return {field: getattr(struct, field) for field in fields}
        except NotImplementedError:  # what scipy says of version 7.3
            return _read_hdf5(path, name, fields)
    except InputError:
        raise
    except Exception as error:  # damaged files end in nearly every exception there is
        raise InputError(
            f"{path.name}: no whole MATLAB file with {name}.{', '.join(fields)} ({type(error).__name__}); get it again."
        ) from error


def _read_hdf5(path: Path, name: str, fields: Sequence[str]) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            f"{path.name}: a MATLAB 7.3 file, which needs h5py; install it: pip install h5py."
        ) from error
    with h5py.File(path, "r") as file:
        return {field: from_hdf5(file[name][field][()], file[name][field].attrs) for field in fields}


def from_hdf5(stored: np.ndarray, attributes: Mapping[str, Any]) -> Any:
    """A value as MATLAB shows it: HDF5 holds matrices turned over, and text as numbers of characters.

    Args:
        stored: (columns, rows) array.
        attributes: of the HDF5 data set; ``MATLAB_class`` is b"char" for text.
    """
    if attributes.get("MATLAB_class") in (b"char", "char"):
        return "".join(map(chr, stored.T.ravel(order="F")))
    return stored.item() if stored.size == 1 else stored.T
