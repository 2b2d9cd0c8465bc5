"""Write the masks of one case in the format of the file that was segmented."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from monai_ext.errors import InputError
from monai_ext.io.datalists import unique_names
from monai_ext.io.dicom.write_rtstruct import write_rtstruct
from monai_ext.io.dicom.write_seg import write_seg
from monai_ext.io.write_itk import write_itk
from monai_ext.io.write_nifti import write_nifti
from monai_ext.io.write_picture import write_picture

LABELS, OVERLAY, SEGMENTS, STRUCTURES = "labels", "overlay", "segmentation", "structures"
"""Names of files that belong to no single prompt: of label map, picture, DICOM SEG and RT Structure Set."""

MaskFormat = Literal["auto", "nifti", "rtstruct"]


def write_masks(
    folder: Path,
    masks: np.ndarray,
    labels: np.ndarray,
    prompts: Sequence[str],
    names: Sequence[str],
    meta: Mapping[str, Any],
    output_format: MaskFormat = "auto",
    algorithm: tuple[str, str] = ("monai_ext", ""),
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write the masks of all prompts, each file whole or not at all.

    Args:
        folder: of the case.
        masks, labels: (P, ...) and (...) uint8, in the order of the input.
        prompts, names: P texts and what their files are called.
        meta: of the image, as :class:`monai_ext.transforms.MedicalLoadImage` gives it.
        output_format: "auto": .png for pictures, .nii.gz for NIfTI, .mha for MHA and MHD, .nrrd for NRRD, each a
            file per prompt and a label map; one DICOM SEG, which has no label map, for DICOM. "nifti": .nii.gz
            for all volumes. "rtstruct": one RT Structure Set, for DICOM alone.
        algorithm: name and version of the method that made them, for DICOM.

    Returns:
        for each mask ``mask``, the name of its file in `folder`, and its number from 1, in a SEG ``segment``, in an
        RT Structure Set ``roi``; warnings for the record, one sentence each.

    Raises:
        OSError: when a file cannot be written.
        InputError: when a DICOM series is no longer as it was read, or the format does not fit the image.
    """
    *files, last = mask_files(names, meta, output_format)
    if not files:
        source = Path(meta["filename_or_obj"])
        write_all, key = (write_rtstruct, "roi") if output_format == "rtstruct" else (write_seg, "segment")
        notes = write_all(folder / last, masks, prompts, source, meta["source"], algorithm)
        return [{"mask": last, key: number} for number in range(1, len(prompts) + 1)], notes
    suffix, write = file_writer(meta, output_format)
    for file, plane in zip(files, masks, strict=True):
        write(folder / file, plane * 255 if suffix == ".png" else plane)
    write(folder / last, labels)
    return [{"mask": file} for file in files], []


def mask_files(names: Sequence[str], meta: Mapping[str, Any], output_format: MaskFormat) -> list[str]:
    """The names of the files of :func:`write_masks`: one for each prompt and then the label map, or one DICOM file.

    Raises:
        InputError: when the format does not fit the image.
    """
    if meta.get("kind") == "dicom" and output_format != "nifti":
        return [f"{STRUCTURES if output_format == 'rtstruct' else SEGMENTS}.dcm"]
    if output_format == "rtstruct":
        raise InputError("format rtstruct: an RT Structure Set refers to DICOM slices; choose auto or nifti.")
    suffix, _ = file_writer(meta, output_format)
    return [f"{name}{suffix}" for name in (*_unique(names), LABELS)]


def _unique(names: Sequence[str]) -> list[str]:
    return unique_names(names, taken=(LABELS, OVERLAY))


def entropy_files(names: Sequence[str], meta: Mapping[str, Any], output_format: MaskFormat) -> list[str]:
    """The names of the files of :func:`write_entropy`, one for each prompt: "left-lung.entropy.png".

    For pictures they are .png, and for volumes in the format of their masks; .nii.gz for DICOM, whose masks lie in one
    file that holds no numbers.
    """
    dicom = meta.get("kind") == "dicom"
    suffix, _ = file_writer(meta, "nifti" if dicom else output_format)
    return [f"{name}.entropy{suffix}" for name in _unique(names)]


def write_entropy(path: Path, levels: np.ndarray, meta: Mapping[str, Any]) -> None:
    """Write the entropy of one result, whole or not at all, in the geometry of the image.

    Args:
        path: its suffix says how: ``.png``, 8 bits, 255 for one bit; ``.nii.gz``, 8 bits with the slope 1/255, so that
            readers give bits in [0, 1]; ``.mha`` or ``.nrrd``, float32 bits in [0, 1].
        levels: (...) uint8, 255 for one bit.
        meta: of the image.

    Raises:
        OSError: when the file cannot be written.
    """
    if path.suffix == ".png":
        write_picture(path, levels)
    elif path.suffix in (".mha", ".nrrd"):
        write_itk(path, levels.astype(np.float32) / 255, meta)
    else:
        write_nifti(path, levels, meta, slope=1 / 255)


def file_writer(
    meta: Mapping[str, Any], output_format: MaskFormat
) -> tuple[str, Callable[[Path, np.ndarray], None]]:
    """Extension and writer that fit the file an image was read from."""
    if meta.get("kind") == "picture":
        return ".png", write_picture
    if meta.get("kind") == "itk" and output_format == "auto":
        nrrd = str(meta["filename_or_obj"]).lower().endswith(".nrrd")
        return ".nrrd" if nrrd else ".mha", lambda path, array: write_itk(path, array, meta)
    return ".nii.gz", lambda path, array: write_nifti(path, array, meta)
