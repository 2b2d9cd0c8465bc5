"""Small copies of the layouts in which the four sets are published, with pictures of noise."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

RANDOM = np.random.RandomState(7)


def picture(path: Path, size=(12, 10), colour=False) -> np.ndarray:
    """A noise picture; (H, W) or (H, W, 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RANDOM.randint(0, 256, (*size, 3) if colour else size).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def mask(path: Path, *rows: int, size=(12, 10)) -> None:
    """A mask of 0 and 255 with these rows bright."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(size, np.uint8)
    pixels[list(rows)] = 255
    Image.fromarray(pixels).save(path)


def busi(source: Path, benign: int = 4, malignant: int = 3) -> Path:
    """``Dataset_BUSI_with_GT``: the first malignant image has two masks; normal ones have empty masks."""
    root = source / "Dataset_BUSI_with_GT"
    for name, count in (("benign", benign), ("malignant", malignant), ("normal", 2)):
        for n in range(1, count + 1):
            picture(root / name / f"{name} ({n}).png", colour=True)
            mask(root / name / f"{name} ({n})_mask.png", *(() if name == "normal" else (2,)))
    mask(root / "malignant" / "malignant (1)_mask_1.png", 7)
    return source


def udiat(source: Path, count: int = 6, sheet: bool = True) -> Path:
    """``BUS``: odd images are benign, even ones malignant."""
    for n in range(1, count + 1):
        picture(source / "BUS" / "original" / f"{n:06d}.png")
        mask(source / "BUS" / "GT" / f"{n:06d}.png", 3, 4)
    if sheet:
        words = ["Image", "Type", "Benign", "Malignant"]
        shared = "".join(f"<si><t>{word}</t></si>" for word in words)
        head = '<row r="1"><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>'
        body = "".join(
            f'<row><c><v>{n}</v></c><c t="s"><v>{2 if n % 2 else 3}</v></c></row>'
            for n in range(1, count + 1)
        )
        name = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        with ZipFile(source / "BUS" / "DatasetB.xlsx", "w") as archive:
            archive.writestr("xl/sharedStrings.xml", f"<sst {name}>{shared}</sst>")
            archive.writestr(
                "xl/worksheets/sheet1.xml",
                f"<worksheet {name}><sheetData>{head}{body}</sheetData></worksheet>",
            )
    return source


def figshare(source: Path, patients: int = 6) -> Path:
    """MATLAB files before version 7.3, in two folders: patient k has k + 1 slices; and the folds."""
    from scipy.io import savemat

    number = 0
    for patient in range(patients):
        for _ in range(patient + 1):
            number += 1
            image = RANDOM.randint(0, 3000, (8, 9)).astype(np.int16)
            tumour = np.zeros((8, 9), np.uint8)
            tumour[1, 2:5] = 1
            struct = {"PID": f"MR{patient}", "label": patient % 3 + 1, "image": image, "tumorMask": tumour}
            folder = source / ("one" if number % 2 else "two")
            folder.mkdir(parents=True, exist_ok=True)
            savemat(folder / f"{number}.mat", {"cjdata": struct})
    savemat(source / "cvind.mat", {"cvind": np.ones((number, 1))})
    return source


def covid(source: Path, count: int = 3) -> Path:
    """`count` images of each part and class, and the other tree of the release."""
    for tree in ("Lung Segmentation Data", "Infection Segmentation Data"):
        for part in ("Train", "Val", "Test"):
            for name in ("COVID-19", "Non-COVID", "Normal"):
                folder = source / tree / tree / part / name
                for n in range(count):
                    picture(folder / "images" / f"{part.lower()}_{n} ({n}).png")
                    mask(folder / "lung masks" / f"{part.lower()}_{n} ({n}).png", 1, 2)
    return source


def konya(source: Path, patients: int = 4, order=(2, 1, 0)) -> Path:
    """Patient k has k + 2 slices, of which the last shows no lung and the one after it has no mask.

    Args:
        order: channels of lungs, heart and trachea.
    """
    for patient in range(patients):
        name = f"ID{patient:04d}"
        for number in range(patient + 3):
            grey = picture(source / "images" / "images" / f"{name}_{number}.jpg", (32, 32))
            Image.fromarray(np.repeat(grey[..., None], 3, -1)).save(
                source / "images" / "images" / f"{name}_{number}.jpg", quality=95
            )
        for number in range(patient + 2):
            planes = np.zeros((32, 32, 3), np.uint8)
            planes[16:24, 8:16, order[1]] = 255
            if number < patient + 1:
                planes[:16, :, order[0]] = 255
            path = source / "masks" / "masks" / f"{name}_mask_{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(planes).save(path, quality=95, subsampling=0)
    return source
