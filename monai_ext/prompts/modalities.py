"""The kinds of image that the project knows: their names, the words for them, and their codes in DICOM."""

from __future__ import annotations

import re
from dataclasses import dataclass

from monai_ext.errors import InputError


@dataclass(frozen=True)
class Modality:
    """A kind of image.

    Attributes:
        name: in a sentence or a table, without an article.
        phrase: the same with an article, as in "liver in a CT scan".
        words: regular expression that finds it in a text, whatever the case of the letters.
        codes: modality codes of DICOM that say that an image is of this kind; OT, SC and the like may be any.
        upright: whether these images have an up and a down.
    """

    name: str
    phrase: str
    words: str
    codes: tuple[str, ...]
    upright: bool


MODALITIES = {
    "xray": Modality(
        "X-ray",
        "an X-ray",
        r"x-?ray|radiograph|\bcxr\b|\bcr\b|\bdx\b",
        ("CR", "DX", "MG", "RF", "RG", "XA", "PX", "IO"),
        upright=True,
    ),
    "us": Modality(
        "ultrasound", "an ultrasound image", r"\bus\b|ultraso|sonogra", ("US", "IVUS"), upright=True
    ),
    "endoscopy": Modality(
        "endoscopy",
        "an endoscopy image",
        r"endoscop|colonoscop|laryngoscop|gastroscop",
        ("ES",),
        upright=False,
    ),
    "dermoscopy": Modality("dermoscopy", "a dermoscopy image", r"dermo|dermato", ("DMS",), upright=False),
    "ct": Modality("CT", "a CT scan", r"\bct\b|computed tomography", ("CT",), upright=True),
    "mri": Modality("MRI", "an MRI", r"\bmri?\b|magnetic resonance", ("MR",), upright=False),
    "fundus": Modality(
        "fundus photography",
        "a fundus photograph",
        r"fundus (?:photo|image|picture|camera)|fundoscop|funduscop|ophthalmoscop|retinal (?:photo|image|picture)"
        r"|\brgb fundus\b|^\W*(?:fundus|op)\W*$",
        ("OP",),
        upright=True,
    ),
    "microscopy": Modality(
        "microscopy",
        "a microscopy image",
        r"microscop|histolog|histopatholog|cytolog|\bsmears?\b|\bh ?& ?e\b|^\W*(?:sm|gm)\W*$",
        ("SM", "GM"),
        upright=False,
    ),
    "photo": Modality(
        "photography",
        "a clinical photograph",
        r"(?:clinical|rgb|colou?r|wound|foot) photo|^\W*photo(?:graph\w*|s)?\W*$|^\W*xc\W*$",
        ("XC",),
        upright=False,
    ),
}
"""By the name that data sets, prompts and settings call each by."""

DICOM_MODALITIES = {code: key for key, kind in MODALITIES.items() for code in kind.codes} | dict.fromkeys(
    ("PT", "NM"), "nuclear medicine"
)
"""The kind of image by DICOM's code, of the codes that say which it is."""


def names_modality(text: str) -> str | None:
    """The first of :data:`MODALITIES` that a text names, in words or as a DICOM code; None if it names none."""
    if (code := DICOM_MODALITIES.get(text.strip())) in MODALITIES:
        return code
    found = (key for key, kind in MODALITIES.items() if re.search(kind.words, text, re.IGNORECASE))
    return next(found, None)


def modality_key(text: str) -> str:
    """The key in :data:`MODALITIES` of a modality written in words, as in a ``dataset.json``.

    Raises:
        InputError: when the text names none of them.
    """
    key = names_modality(text)
    if key is None:
        raise InputError(f"modality {text!r} is unknown; known are {', '.join(MODALITIES)}.")
    return key
