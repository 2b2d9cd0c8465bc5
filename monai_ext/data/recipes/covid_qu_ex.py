"""Lungs in chest X-rays: COVID-QU-Ex, whose own training, validation and test folders stay apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monai_ext.data.recipes.recipe import Case, Recipe, find_folders
from monai_ext.errors import InputError

FINDINGS = {"COVID-19": "COVID-19", "Non-COVID": "non-COVID pneumonia", "Normal": "normal"}


def cases(source: Path) -> Iterator[Case]:
    """``Lung Segmentation Data/…/{Train,Val,Test}/{COVID-19,Non-COVID,Normal}/{images,lung masks}/*.png``."""
    for pool in ("Train", "Val", "Test"):
        for name, finding in FINDINGS.items():
            # the release has another tree, "Infection Segmentation Data", which repeats some of these images
            for folder in find_folders(source, "Lung Segmentation Data", pool, name):
                yield from _images(folder, pool, finding)


def _images(folder: Path, pool: str, finding: str) -> Iterator[Case]:
    for image in sorted((folder / "images").glob("*.png")):
        mask = folder / "lung masks" / image.name
        if not mask.is_file():
            location = f"{pool}/{folder.name}"
            raise InputError(
                f"{location}/images/{image.name}: no file of that name in {location}/lung masks; unpack all."
            )
        name = f"{folder.name}_{image.stem}".replace(" ", "_").replace("(", "").replace(")", "")
        yield Case(name, name, pool, image, [mask], facts={"finding": finding})


COVID_QU_EX = Recipe(
    name="covid_qu_ex",
    description="Chest X-rays with lung masks: COVID-19, other pneumonia, normal",
    modality="X-ray",
    target="lungs",
    prompts=("lungs in a chest X-ray",),
    licence="CC BY-SA 4.0 (recalled; see the page)",
    reference="Tahir 2021, Comput Biol Med 139:105002; Chowdhury 2020; Rahman 2021",
    where="https://www.kaggle.com/datasets/anasmohammedtahir/covidqu",
    layout="Lung Segmentation Data/{Train,Val,Test}/{COVID-19,Non-COVID,Normal}/{images,lung masks}/",
    patients="unknown: identical images are kept once, images of one patient cannot be recognised",
    cases=cases,
    official={"Train": 21715, "Val": 5417, "Test": 6788},
    sizes={"Train": {"training": 16280}, "Val": {"validation": 1372}, "Test": {"test": 957}},
    remarks="Sizes of MedCLIP-SAMv2. Its text (299 x 299 pixels, four classes) describes the COVID-19 Radiography "
    "Database, and it names COVID-QU-Ex; which images it took is not published. Here each list is drawn from the "
    "release's own part.",
)
