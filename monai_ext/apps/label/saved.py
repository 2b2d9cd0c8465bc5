"""The labels that were saved in MONAI Label, as a source of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ext.apps.label.names import names_of_label
from monai_ext.data.making import Found, Mask, Source
from monai_ext.errors import InputError

if TYPE_CHECKING:
    from monailabel.interfaces.datastore import Datastore

FINAL = "final"
"""The tag of labels that a person has saved; what a model found has another one."""
KIND = "labels saved in MONAI Label"
LEAST = 3
"""Labelled images: two to train on, and one to validate with."""


def saved_labels(datastore: Datastore, labels: Sequence[str] = ()) -> Source:
    """Each image with a final label, and what the values of its label mean.

    A patient is the ``PatientID`` that the image has in a DICOM archive, hashed, or what it was uploaded with as
    ``patient``; the modality is that of the archive.

    Args:
        datastore: of MONAI Label.
        labels: names of the values 1, 2, … of labels that were saved without.

    Raises:
        InputError: when there are fewer than three, or one has no names.
    """
    images = sorted(datastore.get_labeled_images())
    if len(images) < LEAST:
        raise InputError(
            f"{len(images)} of the images have a saved label; {LEAST} are the least: two to train on and one to validate"
            " with."
        )
    return Source(KIND, [_case(datastore, image, labels) for image in images])


def _case(datastore: Datastore, image: str, labels: Sequence[str]) -> Found:
    label = datastore.get_label_by_image_id(image, FINAL)
    names = names_of_label(image, datastore.get_label_info(label, FINAL), labels)
    info = datastore.get_image_info(image)
    return Found(
        image,
        (Path(datastore.get_image_uri(image)),),
        (Mask(Path(datastore.get_label_uri(label, FINAL)), names=names),),
        group=_patient(info),
        modality=str(info.get("Modality") or ""),
        id=image,
    )


def _patient(info: Mapping[str, Any]) -> str:
    if identity := info.get("PatientID"):
        return f"patient-{hashlib.sha256(str(identity).encode()).hexdigest()[:12]}"
    return str(info.get("patient") or "")
