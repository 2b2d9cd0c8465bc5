"""Write one mask per prompt, a label map and a picture of them, and record what was written."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import SaveImaged

from monai_ext import __version__
from monai_ext.data.records import FILES, RECORD
from monai_ext.errors import InputError, check_choice
from monai_ext.io.datalists import stem
from monai_ext.io.write_masks import OVERLAY, MaskFormat, mask_files, write_masks
from monai_ext.io.write_picture import write_picture
from monai_ext.prompts.modalities import MODALITIES, names_modality
from monai_ext.prompts.separate import separation_notes, split_prompts
from monai_ext.prompts.text import escaped
from monai_ext.visualize.overlay import overlay_picture


class MaskSaveImaged(SaveImaged):
    """Write the masks of one case into ``output_dir/<case>/`` and add a record of each.

    The files have the geometry and, where they can, the format of the input: one file per prompt, named after it, and
    ``labels`` (label i + 1 for prompt i). For pictures they are PNG (masks 0 and 255, label map 0, 1, 2, …), for volumes
    uint8 ``.nii.gz``, ``.mha`` or ``.nrrd`` with the shape, affine and geometry header of the input. For a DICOM series
    there is one ``segmentation.dcm``, a DICOM SEG with a segment per prompt
    (:func:`monai_ext.io.dicom.write_seg.write_seg`), or, if asked for, ``structures.dcm``, an RT Structure Set with a ROI
    per prompt (:func:`monai_ext.io.dicom.write_rtstruct.write_rtstruct`). Each file is written under a temporary name and then renamed.

    The record, a list of one dict per prompt under ``record_key``, holds ``case``, ``prompt``, ``mask`` (path relative to
    ``output_dir``), ``segment`` or ``roi`` (number in a DICOM SEG or an RT Structure Set, else left out), ``presence`` (of the case, in [0, 1]),
    ``threshold`` (of the mask), ``voxels``, one of ``volume_ml``, ``area_mm2`` (a volume of one slice) and ``area_px`` (a
    picture), and ``warnings`` (sentences). The list under "files" names what was written of the case, relative to
    ``output_dir``, too.

    MONAI Label and MONAI Deploy leave this transform out: they write results themselves.

    Args:
        keys: key of the (P, ...) uint8 masks.
        output_dir: folder for all cases.
        prompt: the prompts of every case, several separated by ";", or a list. An item's own key ``prompt``
            goes before it.
        threshold: probability above which the masks were set, for the record.
        presence_threshold: presence below which the inferer empties a mask, for the warning.
        preview: also write ``overlay.png``, the masks drawn on the image.
        output_format: "auto", the format of the input, "nifti" for all volumes, or "rtstruct" for DICOM series.
        algorithm: name and version of the bundle, for DICOM.
        enabled: False writes nothing and adds no record.
        label_key, presence_key, image_key, record_key, unknown_key, reading_key: data keys of the (1, ...) label map,
            of the (P,) presence, of the (3, ...) displayed image, for the record, and, which may be missing, of P
            sentences, why a prompt was refused, and of what was asked instead of each prompt (see
            :class:`monai_ext.transforms.PopPresenced`).
        allow_missing_keys: do not raise when the key is missing.

    Raises:
        InputError: when a folder cannot be written, the case's name is no folder name, there is no such format, or it
            does not fit the input.
        ValueError: when masks and prompts differ in number.
    """

    def __init__(
        self,
        keys: KeysCollection = "masks",
        output_dir: str | Path = "./",
        prompt: str | Sequence[str] = "",
        threshold: float = 0.5,
        presence_threshold: float = 0.5,
        preview: bool = False,
        output_format: MaskFormat = "auto",
        algorithm: tuple[str, str] = ("monai_ext", __version__),
        enabled: bool = True,
        label_key: str = "pred",
        presence_key: str = "presence",
        image_key: str = "image",
        record_key: str = "record",
        unknown_key: str = "unknown",
        reading_key: str = "reading",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys=allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(f"the masks of a case lie under one key, got {self.keys}.")
        self.output_dir = Path(output_dir)
        self.prompts = _as_list(prompt)
        self.separated = separation_notes(prompt) if isinstance(prompt, str) else {}
        self.threshold = threshold
        self.presence_threshold = presence_threshold
        self.preview = preview
        check_choice("format", output_format, get_args(MaskFormat))
        self.output_format = output_format
        self.algorithm = algorithm
        self.enabled = enabled
        self.label_key = label_key
        self.presence_key = presence_key
        self.image_key = image_key
        self.record_key = record_key
        self.unknown_key = unknown_key
        self.reading_key = reading_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the files of one case and add its record to `data`."""
        d = dict(data)
        if not self.enabled:
            return d
        for key in self.key_iterator(d):
            masks = d[key]
            prompts = [escaped(one) for one in (_as_list(d["prompt"]) if "prompt" in d else self.prompts)]
            if len(prompts) != len(masks):
                raise ValueError(f"{len(masks)} masks for {len(prompts)} prompts {prompts}.")
            meta = masks.meta if isinstance(masks, MetaTensor) else {}
            case = case_name(d, meta)
            folder = self.output_dir / case
            names = [slug(prompt) for prompt in prompts]
            written = mask_files(names, meta, self.output_format)
            try:
                (folder / RECORD).unlink(missing_ok=True)  # it describes the masks that are replaced now
                planes = _array(masks)
                labels = _array(d[self.label_key])[0]
                files, notes = write_masks(
                    folder, planes, labels, prompts, names, meta, self.output_format, self.algorithm
                )
                if self.preview:
                    picture = overlay_picture(
                        d[self.image_key], masks, prompts, d[self.presence_key].tolist()
                    )
                    write_picture(folder / f"{OVERLAY}.png", np.asarray(picture))
                    written.append(f"{OVERLAY}.png")
            except OSError as error:
                _remove(folder, [*written, f"{OVERLAY}.png"])
                raise InputError(
                    f"{case}: cannot write into the output folder ({error.strerror})."
                ) from error
            warnings = [line for line in str(meta.get("warnings", "")).split("\n") if line] + notes
            unknown = d.get(self.unknown_key, [""] * len(prompts))
            readings = d.get(self.reading_key, [{}] * len(prompts))
            d[FILES] = [f"{case}/{name}" for name in written]
            d[self.record_key] = [
                {
                    "case": case,
                    "prompt": prompt,
                    **file,
                    "mask": f"{case}/{file['mask']}",
                    **self._figures(prompt, float(presence), reason, reading, plane, meta, warnings),
                }
                for prompt, file, presence, reason, reading, plane in zip(
                    prompts, files, d[self.presence_key], unknown, readings, planes, strict=True
                )
            ]
        return d

    def _figures(
        self,
        prompt: str,
        presence: float,
        unknown: str,
        reading: Mapping[str, Any],
        mask: np.ndarray,
        meta: Mapping[str, Any],
        warnings: list[str],
    ) -> dict[str, Any]:
        """The entries of a record that follow from the mask and its presence."""
        voxels = int(np.count_nonzero(mask))
        limits = self.presence_threshold, self.threshold
        reason = why_empty(prompt, voxels, presence, *limits, unknown)
        if reason and not unknown:
            reason += not_taught(reading.get("modalities", ()), meta)
        said = [
            self.separated.get(prompt, ""),
            *reading.get("notes", ()),
            other_modality(prompt, meta),
            reason,
        ]
        return {
            "presence": presence,
            "threshold": self.threshold,
            "voxels": voxels,
            **extent(voxels, mask.shape, meta),
            "warnings": [*warnings, *filter(None, said)],
        }


def other_modality(prompt: str, meta: Mapping[str, Any]) -> str:
    """A warning where a prompt names another kind of image than the one it is asked of, as a sentence; else ""."""
    spoken, shown = names_modality(prompt), meta.get("shown_as", "")
    known = names_modality(shown)
    if spoken == "us" or known is None or spoken in (None, known):  # "show us" is no ultrasound
        return ""
    return f"'{prompt}' speaks of another kind of image: this one was shown as {shown}"


def why_empty(
    prompt: str, voxels: int, presence: float, presence_threshold: float, threshold: float, unknown: str = ""
) -> str:
    """Why the mask of a prompt is empty, as a sentence; "" if it is not empty.

    Args:
        prompt: its text.
        voxels: of the mask.
        presence: of the prompt, in [0, 1].
        presence_threshold: presence below which the inferer empties a mask.
        threshold: probability above which a pixel belongs to the mask.
        unknown: why the network does not know the words of the prompt, as the end of a sentence, or "".
    """
    if unknown:
        return f"'{prompt}' {unknown}; the mask is empty"
    if presence < presence_threshold:
        return (
            f"judged absent: presence {presence:.2f} is below {presence_threshold:.2f},"
            f" so the mask of '{prompt}' is empty"
        )
    return "" if voxels else f"judged present ({presence:.2f}), but no pixel is above {threshold:.2f}"


def not_taught(modalities: Sequence[str], meta: Mapping[str, Any]) -> str:
    """That the network was taught something in other kinds of images, as the end of a sentence; else "".

    Args:
        modalities: keys of those in which it was taught it, none where that is not recorded.
        meta: of the image: where it states no modality, a picture may be any but CT and MRI are volumes, mostly.
    """
    stated = names_modality(str(meta.get("modality") or meta.get("recognised_as") or ""))
    pictures = [one for one in MODALITIES if one not in ("ct", "mri")]
    possible = [stated] if stated else pictures if meta.get("kind") == "picture" else ["ct", "mri"]
    if not modalities or set(possible) & set(modalities):
        return ""
    elsewhere = " and ".join(MODALITIES[one].name for one in modalities)
    return (
        f"; it is not known in {' or '.join(MODALITIES[one].name for one in possible)}, only in {elsewhere}"
    )


def extent(voxels: int, shape: Sequence[int], meta: Mapping[str, Any]) -> dict[str, float]:
    """Size of a mask: ``area_px`` of a picture, ``area_mm2`` of one slice, ``volume_ml`` of several."""
    if len(shape) == 2:
        return {"area_px": voxels}
    columns = np.asarray(meta["affine"], dtype=np.float64)[:3, :3]
    single = [axis for axis in range(3) if shape[axis] == 1]
    if single:
        rows, cols = np.delete(columns, single[-1], axis=1).T
        return {"area_mm2": voxels * float(np.linalg.norm(np.cross(rows, cols)))}
    return {"volume_ml": voxels * abs(float(np.linalg.det(columns))) / 1000}


def slug(prompt: str) -> str:
    """A file name made of a prompt: lower case, letters and digits of any script, "-" for all else."""
    return re.sub(r"[\W_]+", "-", prompt.casefold())[:60].strip("-") or "prompt"


def case_name(data: Mapping[Hashable, Any], meta: Mapping[str, Any]) -> str:
    """The item's ``case``, else the name of its file; one folder name, never a path."""
    case = str(data.get("case") or stem(str(meta.get("filename_or_obj", "image"))))
    if case in (".", "..") or re.search(r"[/\\\x00]", case):
        raise InputError(f"case {case!r}: a case id is one folder name; take out the slashes.")
    return case


def _remove(folder: Path, names: Sequence[str]) -> None:
    """Remove the files of a case that cannot be completed, and its folder if nothing else is in it."""
    with contextlib.suppress(OSError):  # what cannot be removed was not written
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _as_list(prompt: str | Sequence[str]) -> list[str]:
    if isinstance(prompt, str):
        return split_prompts(prompt) or [""]  # an empty string is one prompt, as in the inferer
    return [str(p) for p in prompt]


def _array(image: torch.Tensor | np.ndarray) -> np.ndarray:
    return image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)


MaskSaveImageD = MaskSaveImageDict = MaskSaveImaged
