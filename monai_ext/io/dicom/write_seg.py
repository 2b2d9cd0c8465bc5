"""Write the masks of one DICOM series as a DICOM SEG, by highdicom."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_ext import __version__
from monai_ext.errors import InputError
from monai_ext.files import whole_file
from monai_ext.io.coded_terms import PRIVATE, long_string, printable, term_of
from monai_ext.io.dicom.archive import unpacked
from monai_ext.io.dicom.series import Series
from monai_ext.io.dicom.source import SERIES_NUMBER, date_and_time, derived_uid, read_again, source_images
from monai_ext.logs import suppress_logs

NO_DATE = "19000101"
"""Date of the SEG of a series without a date: the tag must hold one."""
SINGLE_FRAME = {f"1.2.840.10008.5.1.4.1.1.{kind}" for kind in ("2", "4", "128", "1", "1.1")}
"""Classes of images with one frame a file: CT, MR, PET, CR, DX."""
SLIDES = {f"1.2.840.10008.5.1.4.1.1.77.1.{kind}" for kind in ("3", "6")}
"""Classes of images with positions on a slide, not in a patient."""


def write_seg(
    path: Path,
    masks: np.ndarray,
    prompts: Sequence[str],
    source: Path,
    series: str,
    algorithm: tuple[str, str],
) -> list[str]:
    """One segment per prompt on the slices of the series, numbered from 1; overlaps are kept.

    Frames without voxels are left out, but an empty mask keeps its segment, and one frame of each must stay where
    all masks are empty. Of the patient the SEG holds what the patient module must: name, ID, birth date and sex.
    The same masks of the same series give the same bytes: the UIDs of the SEG are hashes of its content, and its
    dates are those of the series.

    Args:
        path: ``.dcm`` to write.
        masks: (P, X, Y, Z) uint8 in {0, 1}, axes as :func:`monai_ext.io.dicom.read.load_dicom` gives them.
        prompts: P texts, which become labels, tracking IDs and, where :func:`term_of` knows them, SNOMED codes.
        source, series: what was segmented, as `load_dicom` took it; it is read again, without its pixels.
        algorithm: name and version of the method that segmented it.

    Returns:
        sentences on what the source lacks for a SEG.

    Raises:
        InputError: when `source` no longer holds the series, has fewer than 8 pixels, or is a slide under a microscope.
        OSError: when `path` cannot be written.
    """
    with unpacked(source) as folder:
        found = read_again(folder, series, source.name, masks.shape[1:])
        first = found.planes[0]
        if first.rows * first.columns < 8:  # which highdicom packs in disorder
            raise InputError(
                f"{source.name}: too few pixels for a DICOM SEG; write NIfTI with --format nifti."
            )
        if first.sop_class in SLIDES:
            raise InputError(
                f"{source.name}: no DICOM SEG is written in the coordinates of a slide; write NIfTI with --format nifti."
            )
        with suppress_logs("pydicom", "highdicom"):
            images, notes = source_images(found)
            seg = _segmentation(masks, prompts, found, images, algorithm)
    with whole_file(path) as temporary, suppress_logs("pydicom", "highdicom"):
        seg.save_as(temporary, enforce_file_format=True)
    return notes


class _Stack(np.ndarray):
    """Masks whose sum over segments, by which highdicom finds overlaps, takes 2 bytes a voxel, not 8."""

    def sum(self, axis: Any = None, **_: Any) -> Any:  # type: ignore[override]
        return np.add.reduce(self.view(np.ndarray), axis=axis, dtype=np.uint16)


def _segmentation(
    masks: np.ndarray, prompts: Sequence[str], series: Series, images: list[Any], algorithm: tuple[str, str]
) -> Any:
    import highdicom as hd
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    # planes in one piece: highdicom goes through them several times
    stored = np.ascontiguousarray(masks.transpose(0, 3, 2, 1))  # (P, Z, Y, X)
    digest = hashlib.sha256(np.packbits(stored).tobytes()).hexdigest()
    origin = [image.SOPInstanceUID for image in images]
    names = [digest, str(stored.shape), *origin, *prompts, *algorithm, __version__]
    planes = list(series.planes)
    if not stored.any():
        stored, planes = stored[:, :1], planes[:1]  # else highdicom keeps all of them, empty
    one_by_one = len(images) == len(series.planes) == len(planes)  # else highdicom places them by position
    one_by_one &= len(images) == 1 or images[0].SOPClassUID in SINGLE_FRAME
    day, time = date_and_time(images[0])
    seg = hd.seg.Segmentation(
        source_images=images if one_by_one else images[:1],
        further_source_images=None if one_by_one else images[1:],
        pixel_array=stored.transpose(1, 2, 3, 0).view(_Stack),
        plane_positions=None
        if one_by_one
        else [hd.PlanePositionSequence("PATIENT", p.position or (0, 0, 0)) for p in planes],
        segmentation_type="BINARY",
        segment_descriptions=[
            _description(number, prompt, algorithm, derived_uid(names, f"segment {number}"))
            for number, prompt in enumerate(prompts, 1)
        ],
        series_instance_uid=derived_uid(names, "series"),
        series_number=SERIES_NUMBER + int(series.planes[0].number or 0) % 1_000_000,
        sop_instance_uid=derived_uid(names, "instance"),
        instance_number=1,
        manufacturer="monai_ext",
        manufacturer_model_name=long_string(algorithm[0]),
        software_versions=__version__,
        device_serial_number="none",
        content_label="SEGMENTATION",
        content_description="Segmented from text prompts",
        series_description=long_string(f"monai_ext {algorithm[0]}"),
        content_date=day or NO_DATE,
        content_time=time or "000000",
        series_date=day or None,
        series_time=(time or None) if day else None,
        specific_character_set="ISO_IR 192",
        coding_schemes=[CodingSchemeIdentificationItem(PRIVATE, name="Text prompts of monai_ext")],
    )
    # highdicom takes these from the clock and draws them at random
    del seg.InstanceCreationDate, seg.InstanceCreationTime
    for equipment in seg.ContributingEquipmentSequence:
        del equipment.ContributionDateTime
    for item in (*seg.DimensionIndexSequence, *seg.DimensionOrganizationSequence):
        item.DimensionOrganizationUID = derived_uid(names, "dimensions")
    return seg


def _description(number: int, prompt: str, algorithm: tuple[str, str], tracking: str) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    term = term_of(prompt)
    name, version = algorithm
    described = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=long_string(prompt),
        segmented_property_category=hd.sr.CodedConcept(*term.category),
        segmented_property_type=hd.sr.CodedConcept(*term.kind),
        algorithm_type="AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=long_string(f"monai_ext {name}"),
            family=codes.CID7162.ArtificialIntelligence,
            version=long_string(version),
            source="monai_ext",
        ),
        tracking_uid=tracking,
        tracking_id=printable(prompt) or long_string(prompt),
        anatomic_regions=[hd.sr.CodedConcept(*term.region)] if term.region else None,
    )
    if term.side:
        kind = described.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [hd.sr.CodedConcept(*term.side)]
    return described
