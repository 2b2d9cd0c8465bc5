"""Score every prompt of every case during an evaluation, and write the figures at its end."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from ignite.metrics import Metric
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from torch import Tensor

from monai_ext.data.absent_prompts import HEALTHY, KINDS
from monai_ext.engines.distributed import rank
from monai_ext.errors import InputError
from monai_ext.files import check_writable, whole_file
from monai_ext.handlers.overlays import CaseOverlays
from monai_ext.handlers.stages import StageRecorder, stage_scores
from monai_ext.metrics.absent import PRESENT, absent_figures, cross_table
from monai_ext.metrics.agreement import mask_agreement, target_mask
from monai_ext.metrics.lesions import lesion_counts
from monai_ext.metrics.summary import AVERAGED, summarise

SCORES = 2
"""Raised whenever rows hold other scores: evaluations that are kept from before are then run again."""


def score_case(data: Mapping[str, Any], tolerance: float = 2.0, surface: bool = True) -> list[dict[str, Any]]:
    """One row per prompt of a case, as :func:`monai_ext.metrics.summary.summarise` takes them.

    Args:
        data: ``masks`` (P, H, W) or (P, X, Y, Z) in {0, 1}; ``presence`` (P,); ``label`` (1, ...) with label values, which
            may be missing where no prompt has a target; and the other keys of an item of
            :func:`monai_ext.data.evaluation.evaluation_items`. With ``recorded``, a
            :class:`~monai_ext.handlers.stages.RecordedCase`, a row also has the scores of the stages. With ``subtype`` a
            row also has it, and ``oracle``, 1 where the words name the true subtype. With ``quality`` (P,), NaN where there is
            no mask, a row also has it. With ``kind`` a row also has what :func:`monai_ext.metrics.absent.absent_figures` takes;
            ``unknown`` then holds why each prompt was refused, or "".
        tolerance: of the normalised surface Dice: mm for volumes, pixels for pictures.
        surface: False leaves out the surface metrics and the counts of lesions, which take most of the time.

    Raises:
        InputError: when the label is missing or does not fit the image, or holds a value that is not in the label table.
        ValueError: when masks, presence and prompts differ in number.
    """
    name = f"{data['set']}/{data['case']}"
    masks = data["masks"]
    label = _checked_label(data, name)
    volume = masks.ndim == 4
    spacing = affine_to_spacing(torch.as_tensor(masks.affine)).tolist() if volume else None
    plain = torch.as_tensor(masks).cpu()
    presence = torch.as_tensor(data["presence"]).reshape(-1).tolist()
    if not len(plain) == len(presence) == len(data["prompt"]):
        raise ValueError(
            f"{name}: {len(plain)} masks and {len(presence)} presences of {len(data['prompt'])} prompts."
        )
    rows: list[dict[str, Any]] = []
    subtypes = data.get("subtype", [None] * len(data["prompt"]))
    measured = [{"quality": value} for value in torch.as_tensor(data.get("quality", ())).tolist()]
    qualities: list[dict[str, float]] = measured or [{}] * len(plain)
    for mask, score, prompt, target, values, subtype, quality in zip(
        plain, presence, data["prompt"], data["target"], data["values"], subtypes, qualities, strict=True
    ):
        if values and label is None:
            raise InputError(f"{name}: no label to score '{target}' by.")
        reference = torch.zeros_like(mask)
        if values and label is not None:
            reference = target_mask(label, values)
        stages = stage_scores(data["recorded"], len(rows), reference) if "recorded" in data else {}
        rows.append(
            {
                **{key: data[key] for key in ("set", "case", "group", "modality")},
                "difficulty": data.get("difficulty", ""),
                "target": target,
                "prompt": prompt,
                **({} if subtype is None else {"subtype": subtype, "oracle": int(bool(subtype))}),
                **(_absence(data, len(rows), bool(reference.any())) if "kind" in data else {}),
                "present": bool(reference.any()),
                "presence": score,
                "voxels": int(mask.count_nonzero()),
                "reference_voxels": int(reference.count_nonzero()),
                "image_voxels": mask.numel(),
                "unit": "mm" if volume else "px",
                **mask_agreement(mask, reference, spacing, tolerance, surface),
                **(lesion_counts(mask, reference) if surface else {}),
                **stages,
                **quality,
            }
        )
    return rows


def _absence(data: Mapping[str, Any], number: int, present: bool) -> dict[str, Any]:
    """What a row of the benchmark of absent targets has beside its scores."""
    return {
        "regions": data["regions"],
        "asked_for": data["asked_for"][number],
        "asked_modality": data["asked_modality"][number],
        "kind": PRESENT if present else data["kind"][number] or HEALTHY,
        "refused": int(bool(data["unknown"][number])),
    }


def _checked_label(data: Mapping[str, Any], name: str) -> Tensor | None:
    """The label without its channel, float32 on the CPU, or None where the case has none."""
    label, masks = data.get("label"), data["masks"]
    if label is None:
        return None
    if label.shape[1:] != masks.shape[1:] or len(label) != 1:
        raise InputError(
            f"{name}: label of shape {tuple(label.shape)} for an image of {tuple(masks.shape[1:])}; "
            "one label value per pixel of the image is needed."
        )
    located = masks.ndim == 4 and isinstance(label, MetaTensor)
    if located and not torch.allclose(label.affine.double(), masks.affine.double(), atol=1e-3):
        raise InputError(f"{name}: label and image lie differently in space; give them one affine.")
    plain = torch.as_tensor(label).float().cpu()[0]
    unknown = set(plain.unique().tolist()) - {float(v) for v in data["table"].split("+")}
    if unknown:
        shown = ", ".join(f"{value:g}" for value in sorted(unknown)[:5])
        raise InputError(f"{name}: the label holds {shown}, which the label table does not name.")
    return plain


class MeanDice(Metric):
    """Mean Dice over all pairs of an image and a target that is in it; `rows` holds the scores of every prompt.

    A metric for MONAI's evaluators, whose state it reads after decollation and post-processing.

    Args:
        tolerance, surface: see :func:`score_case`. Validation while training needs no surface metrics.
        recorder: the inferer's observer; the stages that it records are scored, too.
    """

    def __init__(
        self, tolerance: float = 2.0, surface: bool = True, recorder: StageRecorder | None = None
    ) -> None:
        self.tolerance = tolerance
        self.surface = surface
        self.recorder = recorder
        self.rows: list[dict[str, Any]] = []
        super().__init__()

    def reset(self) -> None:
        """Forget all rows."""
        self.rows = []
        if self.recorder is not None:
            self.recorder.clear()

    def iteration_completed(self, engine: Engine) -> None:
        """Score the cases of one iteration, whose batch and output are lists of dicts."""
        state: Any = engine.state
        for batch, output in zip(state.batch, state.output, strict=True):
            data = {**batch, **output}
            if self.recorder is not None:
                data["recorded"] = self.recorder.take()
            self.update(data)

    def update(self, output: Mapping[str, Any]) -> None:
        """Score one case."""
        self.rows += score_case(output, self.tolerance, self.surface)

    def compute(self) -> float:
        """The mean, NaN where no target is in any image; afterwards `rows` holds the rows of all processes."""
        self.rows = _completed(_gather(self.rows))
        values = [row["dice"] for row in self.rows if row["present"]]
        return sum(values) / len(values) if values else math.nan


def _gather(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of all processes, sorted, without the doubles of items that samplers repeat."""
    if dist.is_available() and dist.is_initialized():
        gathered: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(gathered, rows)
        rows = [row for one in gathered for row in one]
    unique = {(row["set"], row["case"], row["target"], row["prompt"]): row for row in rows}
    return [unique[key] for key in sorted(unique)]


def _completed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that all have the scores of stages: 0 or undefined in cases of which the network was asked nothing."""
    scores = {name: None for row in rows for name in row if name in AVERAGED}
    return [
        {**row, **{s: 0.0 if row["present"] else math.nan for s in scores if s not in row}} for row in rows
    ]


class MetricsWriter:
    """Write ``metrics.json`` (see :func:`monai_ext.metrics.summary.summarise`) and ``cases.csv`` at the end.

    ``cases.csv`` has a row per image and prompt; an empty cell is an undefined value. Where the words come from a prompt
    level, ``wording`` in ``metrics.json`` holds how many of the prompts whose target is in the image name its true
    subtype (``oracle``) and how many do not (``generic``). Where each image was asked for all that it does not show, ``absent``
    holds what :func:`monai_ext.metrics.absent.absent_figures` gives, and ``absent.csv`` its cross table.

    Args:
        metric: attached to the same evaluator.
        output_dir: created if it is missing.
        samples, seed: of the bootstrap.
        overlays: draws cases of each target into ``overlays/``, which ``metrics.json`` then lists.
    """

    def __init__(
        self,
        metric: MeanDice,
        output_dir: str | Path,
        samples: int = 1000,
        seed: int = 0,
        overlays: CaseOverlays | None = None,
    ) -> None:
        self.metric = metric
        self.output_dir = Path(output_dir)
        self.samples = samples
        self.seed = seed
        self.overlays = overlays

    def attach(self, engine: Engine) -> None:
        """Check at the start that the files can be written; write them when all cases are scored."""
        engine.add_event_handler(Events.STARTED, self.check)
        if self.overlays is not None:
            self.overlays.attach(engine)
        engine.add_event_handler(Events.COMPLETED, self)

    def check(self, engine: Engine) -> None:
        """Check before the first case that the folder can be written.

        Raises:
            InputError: when it cannot.
        """
        check_writable(self.output_dir / "metrics.json")

    def __call__(self, engine: Engine) -> None:
        """Write all files, each whole or not at all, ``metrics.json`` last; of several processes the first one does it.

        Raises:
            InputError: when the folder cannot be written.
        """
        rows = self.metric.rows
        drawings = self.overlays.gathered() if self.overlays is not None else {}
        if rank():
            return
        figures = summarise(rows, self.samples, self.seed)
        if "oracle" in rows[0]:
            true = [row["oracle"] for row in rows if row["present"]]
            figures["wording"] = {"oracle": sum(true), "generic": len(true) - sum(true)}
        tables = {"cases.csv": rows}
        if "kind" in rows[0]:
            figures["absent"] = absent_figures(rows, KINDS, self.samples, self.seed)
            tables["absent.csv"] = cross_table(rows)
        try:
            for name, table in tables.items():
                _write_table(self.output_dir / name, table)
            if self.overlays is not None:
                figures["overlays"] = self.overlays.write(rows, drawings, self.output_dir)
            with whole_file(self.output_dir / "metrics.json") as path:
                path.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{self.output_dir}: cannot be written ({error.strerror}).") from error
        pooled, presence = figures["pooled"].get("dice", {}), figures["presence"]
        logging.getLogger(__name__).info(
            "Dice %s over %s, presence AUC %s over %s",
            pooled.get("mean"),
            pooled.get("n"),
            presence["auc"],
            presence["n"],
        )


def _write_table(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with whole_file(target) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
