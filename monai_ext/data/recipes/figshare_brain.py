"""Brain tumours in contrast-enhanced T1 MRI: 3064 slices of 233 patients as MATLAB files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from monai_ext.data.recipes.matlab import read_struct
from monai_ext.data.recipes.recipe import Case, Recipe
from monai_ext.errors import InputError

TUMOURS = {1: "meningioma", 2: "glioma", 3: "pituitary tumour"}


def cases(source: Path) -> Iterator[Case]:
    """The files ``1.mat`` to ``3064.mat``, in one folder or several; ``cvind.mat`` is no image."""
    for path in sorted(source.rglob("*.mat")):
        if not path.stem.isdigit():
            continue
        found = read_struct(path, "cjdata", ("PID", "label"))
        if found["label"] not in TUMOURS:
            raise InputError(f"{path.name}: cjdata.label is {found['label']!r}, not 1, 2 or 3; get it again.")
        facts = {"tumour_type": TUMOURS[int(found["label"])]}
        patient = str(found["PID"]).strip()
        yield Case(f"{int(path.stem):04d}", patient, "the release", path, read=_read, facts=facts)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The slice, its range stretched over 0 to 255 (MR signal has no unit), and the tumour."""
    found = read_struct(path, "cjdata", ("image", "tumorMask"))
    image, mask = np.asarray(found["image"], dtype=np.float64), np.asarray(found["tumorMask"]) > 0
    if image.ndim != 2 or mask.shape != image.shape:
        raise InputError(f"{path.name}: an image of {image.shape} and a mask of {mask.shape}; get it again.")
    low, high = image.min(), image.max()
    return np.rint((image - low) * (255 / max(high - low, 1))).astype(np.uint8), mask


FIGSHARE_BRAIN = Recipe(
    name="figshare_brain",
    description="Contrast-enhanced T1 MRI slices with a meningioma, glioma or pituitary tumour",
    modality="MRI T1c",
    target="brain tumour",
    prompts=("tumour in a brain MRI",),
    licence="CC BY 4.0 (recalled; see the page)",
    reference="Cheng 2017, figshare, doi:10.6084/m9.figshare.1512427.v5; Cheng 2015, PLoS ONE 10:e0140381",
    where="https://figshare.com/articles/dataset/brain_tumor_dataset/1512427",
    layout="1.mat to 3064.mat of its four archives",
    patients="cjdata.PID",
    cases=cases,
    official={"the release": 3064},
    sizes={"the release": {"training": 1462, "validation": 1002, "test": 600}},
    remarks="Sizes of MedCLIP-SAMv2, whose own split is not published; here whole patients go into a list. The "
    "published folds (cvind.mat) are not used. Each slice is stretched to 8 bits.",
)
