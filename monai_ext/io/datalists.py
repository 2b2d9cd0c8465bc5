"""What a user points at, as a list of cases: a file, a DICOM folder, or a folder of either."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from monai_ext.errors import InputError
from monai_ext.files import LONGEST_NAME, cut_name
from monai_ext.io.dicom.files import dicom_files, is_dicom
from monai_ext.io.dicom.series import case_folders, read_series

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
NIFTI = (".nii.gz", ".nii")
ITK = (".mha", ".mhd", ".nrrd")
VOLUMES = NIFTI + ITK
DICOM = (".dcm", ".zip")
"""Names of a single slice, and of an archive of a folder."""
READABLE = "PNG, JPEG, TIFF, BMP, NIfTI (.nii, .nii.gz), MHA, MHD, NRRD or DICOM (a folder, .zip, file)"


def list_cases(path: str | Path, part: int = 1, parts: int = 1) -> list[dict[str, str]]:
    """The cases at `path`, ordered by name, or those of one part.

    Args:
        path: a picture, a volume, a DICOM file whatever it is called, a DICOM folder, or a folder of such files
            and of DICOM folders, nested or not (other files in it are passed over).
        part, parts: of the cases every `parts`-th from the `part`-th on, for the jobs of an array.

    Returns:
        one ``{"image": path, "case": id, "group": id}`` per case. The id is the file's or folder's name
        without extension, "_" for what cannot be printed, with a number behind it where two would be equal
        (also where a file system does not distinguish upper and lower case).

    Raises:
        InputError: when the path is missing or holds nothing that can be read, or there is no such part.
    """
    path = Path(path).expanduser()
    if is_folder(path):
        found = _in_folder(path)
    elif path.name.lower().endswith(PICTURES + VOLUMES + DICOM) or is_dicom(path):
        found = [path]
    else:
        raise InputError(f"{path.name}: not a format that is read; give {READABLE}.")
    names = unique_names([_printable(stem(file)) for file in found])
    cases = [
        {"image": str(file), "case": case, "group": case} for file, case in zip(found, names, strict=True)
    ]
    if not 1 <= part <= parts:
        raise InputError(f"part {part} of {parts}: parts are counted from 1 to their number.")
    if part > len(cases):
        raise InputError(
            f"part {part} of {parts}: nothing to do, there are {len(cases)} cases; use fewer parts."
        )
    return cases[part - 1 :: parts]


def check_all_dicom(cases: Sequence[Mapping[str, str]]) -> None:
    """Refuse cases of :func:`list_cases` among which are others than DICOM.

    Raises:
        InputError: with their number.
    """
    paths = [Path(case["image"]) for case in cases]
    others = [p for p in paths if not (p.is_dir() or p.name.lower().endswith(DICOM) or is_dicom(p))]
    if others:
        raise InputError(
            f"format rtstruct: {len(others)} of {len(paths)} inputs are no DICOM, whose slices an RT Structure Set refers"
            " to; choose auto or nifti, or give DICOM alone."
        )


def _printable(name: str) -> str:
    """`name` with "_" for what no terminal, record or other system can show."""
    return "".join(c if c.isprintable() else "_" for c in name)


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; else it is a file that can be opened.

    Raises:
        InputError: when it is missing, cannot be opened, or is a pipe or a device.
    """
    try:
        folder = path.is_dir()
        if folder:
            next(path.iterdir(), None)
        elif not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
            raise InputError(f"{path.name}: not a file but a pipe or a device.")
        else:
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path.name}: no such file or folder.") from None
    except (OSError, ValueError) as error:  # not permitted, a loop of links, a name too long
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InputError(f"{path.name}: cannot be opened ({reason}).") from error
    return folder


def _in_folder(folder: Path) -> list[Path]:
    entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    # broken links and pipes are listed too, so that reading them reports what is wrong
    files = [p for p in entries if not p.is_dir() and p.name.lower().endswith(PICTURES + VOLUMES)]
    series = case_folders(folder)
    if series == [folder] and files:
        raise InputError(f"{folder.name}: DICOM slices beside other images; give a folder of one kind.")
    if not files and not series:
        if next(dicom_files(folder), None):
            read_series(folder)  # says that there are only objects, such as SEG, and no images
        raise InputError(f"{folder.name}: nothing to read in this folder; give {READABLE}.")
    return sorted(files + series)


def report_name(part: int, parts: int) -> str:
    """File name of the report of a part of the cases."""
    return "report.json" if parts == 1 else f"report-{part}-of-{parts}.json"


def stem(path: str | Path) -> str:
    """Name of a file or folder without ``.nii.gz`` or another extension that is read."""
    name = Path(os.path.abspath(path)).name  # of a link its own name
    for suffix in PICTURES + VOLUMES + DICOM:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return name


def unique_names(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """`names` with "-2", "-3", … behind those that stand earlier in the list or in `taken`, whatever their case."""
    used = {name.casefold() for name in taken}
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in used:
            number += 1
            candidate = cut_name(name, LONGEST_NAME - len(f"-{number}")) + f"-{number}"
        used.add(candidate.casefold())
        result.append(candidate)
    return result
