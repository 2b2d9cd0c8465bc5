"""What a user points at, as a list of cases: a file, a DICOM folder, or a folder of either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai_ext.data.dicom import image_files
from monai_ext.errors import InputError

PICTURES = (".png", ".jpg", ".jpeg")
VOLUMES = (".nii.gz", ".nii")
READABLE = "PNG, JPEG, NIfTI (.nii, .nii.gz) or a DICOM folder"


def list_cases(path: str | Path) -> list[dict[str, str]]:
    """The cases at `path`, ordered by name.

    Args:
        path: a picture, a NIfTI file, a DICOM folder, or a folder of such files and DICOM sub-folders (one
            level; other files in it are passed over).

    Returns:
        one ``{"image": path, "case": id, "group": id}`` per case. The id is the file's or folder's name
        without extension, with a number behind it where two would be equal (also on file systems that do
        not tell upper from lower case).

    Raises:
        InputError: when the path is missing or holds nothing that can be read.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise InputError(f"{path}: no such file or folder.")
    if path.is_file():
        if not path.name.lower().endswith(PICTURES + VOLUMES):
            raise InputError(f"{path.name}: not a format that is read; give {READABLE}.")
        found = [path]
    else:
        found = _in_folder(path)
    return [
        {"image": str(file), "case": case, "group": case}
        for file, case in zip(found, unique_names([stem(file) for file in found]), strict=True)
    ]


def _in_folder(folder: Path) -> list[Path]:
    entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    files = [p for p in entries if p.is_file() and p.name.lower().endswith(PICTURES + VOLUMES)]
    if image_files(folder):
        if files:
            raise InputError(
                f"{folder.name}: DICOM slices beside {files[0].name}; give a folder of one kind."
            )
        return [folder]
    found = files + [p for p in entries if p.is_dir() and image_files(p)]
    if not found:
        raise InputError(f"{folder}: nothing to read in this folder; give {READABLE}.")
    return sorted(found)


def stem(path: str | Path) -> str:
    """Name of a file or folder without ``.nii.gz`` or another extension that is read."""
    name = Path(path).resolve().name
    for suffix in PICTURES + VOLUMES:
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
            candidate = f"{name}-{number}"
        used.add(candidate.casefold())
        result.append(candidate)
    return result
