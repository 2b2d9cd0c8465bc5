"""Write where a result is uncertain, and add to its record how much its members agree."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import SaveImaged

from monai_ext.data.records import FILES
from monai_ext.errors import InputError
from monai_ext.io.write_masks import MaskFormat, entropy_files, write_entropy
from monai_ext.io.write_picture import write_picture
from monai_ext.transforms.save import slug
from monai_ext.visualize.entropy import entropy_picture

UNCERTAINTY = "uncertainty"
"""Key of the figures in a record."""
PICTURE = "overlay.entropy.png"


class UncertaintySaveImaged(SaveImaged):
    """Write the entropy of each result beside its mask, and add ``uncertainty`` to its record.

    Entropy is that of the mean probability of the members (:class:`monai_ext.inferers.Perturbations`), in bits in [0, 1]
    and the geometry of the input: see :func:`monai_ext.io.write_masks.write_entropy` for its files. The record then holds
    ``quality``, the mean pairwise Dice of the members in [0, 1], None where there is no mask; ``reason``, why it is None,
    or ""; ``members``, and ``members_found``, how many of them found something; and ``entropy``, the path of the file,
    relative to `output_dir`.

    It stands after :class:`monai_ext.transforms.MaskSaveImaged`. MONAI Label and MONAI Deploy leave it out.

    Args:
        keys: key of the (P, ...) uint8 masks.
        output_dir: folder for all cases.
        enabled: False writes nothing and adds nothing.
        preview: also write ``overlay.entropy.png``, the entropy drawn on the image.
        output_format: of the masks, see :class:`monai_ext.transforms.MaskSaveImaged`.
        entropy_key, quality_key, members_key, found_key, image_key, record_key: data keys of the (P, ...) uint8 entropy,
            255 for one bit, and of P values each (see :class:`monai_ext.transforms.PopPresenced`), of the (3, ...)
            displayed image, and of the record, a list of one dict per prompt.
        allow_missing_keys: do not raise when the masks are missing.

    Raises:
        InputError: when a file cannot be written.
        KeyError: when nothing was measured, or there is no record.
    """

    def __init__(
        self,
        keys: KeysCollection = "masks",
        output_dir: str | Path = "./",
        enabled: bool = True,
        preview: bool = False,
        output_format: MaskFormat = "auto",
        entropy_key: str = "entropy",
        quality_key: str = "quality",
        members_key: str = "members",
        found_key: str = "members_found",
        image_key: str = "image",
        record_key: str = "record",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys=allow_missing_keys)
        self.output_dir, self.enabled, self.preview = Path(output_dir), enabled, preview
        self.output_format = output_format
        self.entropy_key, self.image_key, self.record_key = entropy_key, image_key, record_key
        self.figure_keys = quality_key, members_key, found_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with longer records; its files are written."""
        d = dict(data)
        if not self.enabled:
            return d
        for key in self.key_iterator(d):
            rows: list[dict[str, Any]] = d[self.record_key]
            figures = zip(*(d[name].tolist() for name in self.figure_keys), strict=True)
            case, prompts = rows[0]["case"], [row["prompt"] for row in rows]
            names = entropy_files([slug(prompt) for prompt in prompts], d[key].meta, self.output_format)
            d[self.record_key] = [
                {**row, UNCERTAINTY: {**_figures(row, *values), "entropy": f"{case}/{name}"}}
                for row, values, name in zip(rows, figures, names, strict=True)
            ]
            try:
                self._write(d, key, names)
            except OSError as error:
                with contextlib.suppress(OSError):  # what cannot be removed was not written
                    for name in (*names, PICTURE):
                        (self.output_dir / case / name).unlink(missing_ok=True)
                raise InputError(
                    f"{case}: cannot write into the output folder ({error.strerror})."
                ) from error
        return d

    def _write(self, d: dict[Hashable, Any], key: Hashable, names: list[str]) -> None:
        masks, entropy, rows = d[key], d[self.entropy_key], d[self.record_key]
        case = rows[0]["case"]
        folder = self.output_dir / case
        for name, levels in zip(names, entropy.cpu().numpy(), strict=True):
            write_entropy(folder / name, levels, masks.meta)
        written = list(names)
        if self.preview:
            prompts = [row["prompt"] for row in rows]
            said = [quality_text(row[UNCERTAINTY]) for row in rows]
            write_picture(
                folder / PICTURE,
                np.asarray(entropy_picture(d[self.image_key], entropy, masks, prompts, said)),
            )
            written.append(PICTURE)
        d[FILES] = [*d.get(FILES, ()), *(f"{case}/{name}" for name in written)]


def quality_text(figures: Mapping[str, Any]) -> str:
    """The figures of a record in a few words: "quality 0.93", or how many members found something where it has none."""
    if figures["quality"] is not None:
        return f"quality {figures['quality']:.2f}"
    if not figures["members"]:
        return "not asked"
    return f"no mask, {figures['members_found']} of {figures['members']} members found one"


def _figures(row: Mapping[str, Any], quality: float, members: int, found: int) -> dict[str, Any]:
    reason = ""
    if math.isnan(quality):
        reason = "it has a single member" if row["voxels"] else row["warnings"][-1]
    return {
        "quality": None if reason else quality,
        "reason": reason,
        "members": members,
        "members_found": found,
    }


UncertaintySaveImageD = UncertaintySaveImageDict = UncertaintySaveImaged
