"""Score masks that no bundle made, a folder's or a floor's, by the metrics of an evaluation and into the same files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from torch import Tensor

import monai_ext
from monai_ext.errors import InputError
from monai_ext.handlers.metrics import SCORES, MeanDice, MetricsWriter
from monai_ext.io.case_names import input_hash
from monai_ext.io.datalists import PICTURES, VOLUMES, stem
from monai_ext.studies.evaluate import data_hash
from monai_ext.studies.tune_settings import Setting
from monai_ext.transforms.load import MedicalLoadImage
from monai_ext.transforms.save import slug

Item = Mapping[str, Any]
"""Of :func:`monai_ext.data.evaluation.evaluation_items`."""


class MaskSource(Protocol):
    """Where masks come from."""

    def facts(self) -> dict[str, Any]:
        """All that the masks depend on, as JSON and without paths."""

    def mask(self, item: Item, target: str, values: str) -> Tensor | None:
        """The mask of a target (H, W) or (X, Y, Z), nonzero = inside; None where there is none to score."""


@dataclass(frozen=True)
class MaskTask:
    """Cases, and the masks to be scored on them.

    Only the targets of the data set are scored: such masks answer no prompt for what belongs to other images, and state
    no presence.

    Attributes:
        name: of the method.
        source: of the masks.
        items: the cases, with the label values of each target.
    """

    name: str
    source: MaskSource
    items: Sequence[Item]

    def facts(self) -> dict[str, Any]:
        """All that the figures depend on.

        Raises:
            InputError: when files cannot be read.
        """
        versions = {
            "monai_ext": monai_ext.__version__,
            "torch": str(torch.__version__),
            "scores": str(SCORES),
        }
        return {"masks": self.source.facts(), "data_sha256": data_hash(self.items), "versions": versions}

    def evaluate(self, folder: Path, setting: Setting) -> dict[str, Any]:
        """Score all masks into a folder: the content of its metrics.json. There are no settings.

        Raises:
            InputError: when a mask cannot be read or does not fit its image, or there is none at all.
        """
        metric = MeanDice()
        for item in self.items:
            if (scored := self._scored(item)) is not None:
                metric.update(scored)
        if not metric.rows:
            raise InputError(f"{self.name}: no mask of any case of the list.")
        metric.compute()
        MetricsWriter(metric, folder)(Engine(lambda engine, batch: None))
        return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))

    def _scored(self, item: Item) -> dict[str, Any] | None:
        """The item with masks and presence of those of its targets that have a mask."""
        found = [(number, mask) for number, mask in self._masks(item) if mask is not None]
        if not found:
            return None
        label = MedicalLoadImage(label=True)(item["label"])
        shape = tuple(label.shape[1:])
        for number, mask in found:
            if tuple(mask.shape) != shape:
                raise InputError(
                    f"{self.name}: the mask of '{item['target'][number]}' of {item['set']}/{item['case']} has the shape"
                    f" {tuple(mask.shape)}, its label {shape}; give masks on the grid of the image."
                )
        masks: Tensor = torch.stack([(mask != 0).as_subclass(Tensor).float() for _, mask in found])
        affine = getattr(found[0][1], "affine", label.affine)
        lists = {key: [item[key][number] for number, _ in found] for key in ("prompt", "target", "values")}
        presence = masks.flatten(1).any(1).float()
        return {**item, **lists, "label": label, "masks": MetaTensor(masks, affine), "presence": presence}

    def _masks(self, item: Item) -> Iterator[tuple[int, Tensor | None]]:
        for number, (target, values) in enumerate(zip(item["target"], item["values"], strict=True)):
            if target:
                yield number, self.source.mask(item, target, values)


class MaskFolder:
    """Masks in files that are named after cases and targets.

    A case "c" of set "s" with the target "left lung" has its mask in ``c/left-lung.png`` (as ``monai-ext segment --names
    file`` writes it, in kind), or in ``c.png`` if it has one target; or in a folder "s" around these. PNG, TIFF, BMP, JPEG, NIfTI,
    MHA and NRRD are read; nonzero is inside.

    Args:
        folder: of the files.
        items: the cases.

    Raises:
        InputError: when it is no folder, or no file in it is named after a case.
    """

    def __init__(self, folder: Path, items: Sequence[Item]) -> None:
        self.folder = folder.expanduser()
        if not self.folder.is_dir():
            raise InputError(f"{folder}: no such folder of masks.")
        self._listed: dict[Path, dict[str, Path]] = {}
        self.files = {
            (item["case"], target): file
            for item in items
            for target, prompt in zip(item["target"], item["prompt"], strict=True)
            if target and (file := self._file(item, target, prompt)) is not None
        }
        if not self.files:
            raise InputError(
                f"{folder}: no mask is named after a case, such as {items[0]['case']}.png or {items[0]['case']}/TARGET.png."
            )

    def _file(self, item: Item, target: str, prompt: str) -> Path | None:
        single = sum(1 for name in item["target"] if name) == 1
        for base in (self.folder / item["set"], self.folder):
            named = self._files_in(base / item["case"])
            for name in (slug(target), slug(prompt)):
                if name in named:
                    return named[name]
            if single and item["case"] in (files := self._files_in(base, by_slug=False)):
                return files[item["case"]]
        return None

    def _files_in(self, folder: Path, by_slug: bool = True) -> dict[str, Path]:
        """The images in a folder by their name without extension; {} if there is no such folder."""
        if folder not in self._listed:
            files = sorted(folder.iterdir()) if folder.is_dir() else []
            readable = [file for file in files if file.name.lower().endswith(PICTURES + VOLUMES)]
            self._listed[folder] = {slug(stem(file)) if by_slug else stem(file): file for file in readable}
        return self._listed[folder]

    def facts(self) -> dict[str, Any]:
        """The content of all masks, as one hash."""
        digest = hashlib.sha256()
        for key, file in sorted(self.files.items()):
            digest.update(json.dumps([*key, input_hash(file)]).encode())
        return {"folder": "masks from elsewhere", "files": len(self.files), "sha256": digest.hexdigest()}

    def mask(self, item: Item, target: str, values: str) -> Tensor | None:
        """The content of the file, None where there is none."""
        file = self.files.get((item["case"], target))
        return None if file is None else MedicalLoadImage(label=True)(file)[0]
