"""Breast tumours in ultrasound: BUSI to train with, UDIAT (another hospital and scanner) to test on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from monai_ext.data.recipes.recipe import Case, Recipe, find_folders
from monai_ext.data.recipes.sheet import rows_of_sheet
from monai_ext.errors import InputError

_IMAGE = re.compile(r"((?:benign|malignant) \(\d+\))\.png")


def cases(source: Path) -> Iterator[Case]:
    """The images with a tumour: ``benign (1).png`` with ``benign (1)_mask.png``, ``…_mask_1.png`` …; UDIAT's."""
    for pathology in ("benign", "malignant"):
        for folder in find_folders(source, pathology):
            yield from _busi(folder, pathology)
    for folder in find_folders(source, "original"):
        yield from _udiat(folder)


def _busi(folder: Path, pathology: str) -> Iterator[Case]:
    for image in sorted(folder.iterdir()):
        if found := _IMAGE.fullmatch(image.name):
            stem = found[1]
            masks = sorted(folder.glob(f"{stem}_mask*.png"))
            name = re.sub(r"\W+", "_", stem).strip("_")
            yield Case(f"busi_{name}", f"busi_{name}", "BUSI", image, masks, facts={"pathology": pathology})


def _udiat(folder: Path) -> Iterator[Case]:
    known = _pathologies(folder.parent / "DatasetB.xlsx")
    for image in sorted(folder.glob("*.png")):
        mask = folder.parent / "GT" / image.name
        if not mask.is_file():
            raise InputError(f"{folder.name}/{image.name}: no mask GT/{image.name}; unpack all of UDIAT.")
        facts = {"pathology": known[image.stem.lstrip("0")]} if image.stem.lstrip("0") in known else {}
        yield Case(f"udiat_{image.stem}", f"udiat_{image.stem}", "UDIAT", image, [mask], facts=facts)


def _pathologies(sheet: Path) -> dict[str, str]:
    """ "benign" or "malignant" by image number without leading zeros; nothing where there is no table."""
    if not sheet.is_file():
        return {}
    found = {}
    for row in rows_of_sheet(sheet):
        words = " ".join(row).casefold()
        named = [word for word in ("benign", "malignant") if word in words]
        numbers = [match[1] for cell in row if (match := re.fullmatch(r"0*(\d+)(?:\.0|\.png)?", cell))]
        if len(named) == 1 and numbers:
            found[numbers[0]] = named[0]
    return found


BUSI_UDIAT = Recipe(
    name="busi_udiat",
    description="Breast ultrasound with tumour masks: BUSI to train with, UDIAT to validate and test on",
    modality="US",
    target="breast tumour",
    prompts=("tumour in a breast ultrasound",),
    licence="BUSI: free for research, citation asked for. UDIAT (BUS dataset B): research use after an agreement "
    "with its authors. Recalled; see the pages of the two",
    reference="Al-Dhabyani 2020, Data in Brief 28:104863; Yap 2018, IEEE JBHI 22:1218",
    where="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset (BUSI) and "
    "https://helward.mmu.ac.uk/STAFF/M.Yap/dataset.php (UDIAT, on request), both unpacked into one folder",
    layout="Dataset_BUSI_with_GT/{benign,malignant}/ and BUS/{original,GT}/ with DatasetB.xlsx",
    patients="unknown in BUSI, which is in one list only; one image per patient in UDIAT",
    cases=cases,
    official={"BUSI": 647, "UDIAT": 163},
    sizes={"BUSI": {"training": 600}, "UDIAT": {"validation": 50, "test": 113}},
    remarks="Sizes of MedCLIP-SAMv2; which of the 647 BUSI images it took is not published. Images without a tumour "
    "are left out. DatasetB.xlsx gives the pathology of UDIAT's images, which are without one if it is missing.",
)
