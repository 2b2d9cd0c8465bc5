"""Draw the worst, the median and the best case of each target, or all cases, after an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from monai.data import Dataset

from monai_ext.engines.distributed import gather_dict
from monai_ext.errors import InputError
from monai_ext.files import whole_file
from monai_ext.io.datalists import unique_names
from monai_ext.masks.compressed import CompressedMasks
from monai_ext.metrics.agreement import target_mask
from monai_ext.metrics.summary import Row
from monai_ext.transforms.save import slug, write_picture
from monai_ext.visualize.overlay import comparison_picture, flat_view, fullest_slice, panels_picture

FOLDER = "overlays"
PANELS = "panels"
CASES = ("some", "all", PANELS)
QUALITY = 85
"""Of JPEG."""
Key = tuple[str, str, str, str]
"""``set``, ``case``, ``target`` and ``prompt`` of a row."""


@dataclass(frozen=True)
class Contours:
    """The reference and the predicted mask of one slice.

    Attributes:
        index: of the slice; 0 for a picture.
        masks: (2, H, W), the reference and the prediction.
    """

    index: int
    masks: CompressedMasks


class CaseOverlays:
    """Keep the contours of every scored target, and draw some of them when all scores are known.

    Images are not kept in memory; those that are drawn are read again. Of a volume the slice with most of the reference
    is drawn. :class:`monai_ext.handlers.metrics.MetricsWriter` attaches this and calls :meth:`write`.

    Args:
        dataset: of the evaluation; its items hold ``set``, ``case`` and, when loaded, ``image`` (3, ...) in [0, 1].
        cases: "some", the worst, median and best of each set and target, or "all"; "panels", those of "some", without the
            large pictures of both contours.

    Raises:
        InputError: when `cases` is none of these.
    """

    def __init__(self, dataset: Dataset, cases: str = CASES[0]) -> None:
        if cases not in CASES:
            raise InputError(f"cases to draw: {cases!r}; choose from {', '.join(CASES)}.")
        self.dataset = dataset
        self.cases = cases
        self.kept: dict[Key, Contours] = {}

    def attach(self, engine: Engine) -> None:
        """Collect the contours of every case of a run."""
        engine.add_event_handler(Events.STARTED, lambda: self.kept.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)

    def collect(self, engine: Engine) -> None:
        """Keep the contours of the cases of one iteration, whose batch and output are lists of dicts."""
        state: Any = engine.state
        for batch, output in zip(state.batch, state.output, strict=True):
            self.keep({**batch, **output})

    def keep(self, data: Mapping[str, Any]) -> None:
        """Keep the contours of a case as :func:`monai_ext.handlers.metrics.score_case` takes it."""
        image = data["image"]
        for mask, prompt, target, values in zip(
            data["masks"], data["prompt"], data["target"], data["values"], strict=True
        ):
            if not values:
                continue
            reference = target_mask(data["label"], values)
            if not reference.any():
                continue
            index = fullest_slice(image, reference)
            flat = np.concatenate([flat_view(image, one, index)[1] for one in (reference, mask[None])])
            self.kept[data["set"], data["case"], target, prompt] = Contours(index, CompressedMasks.of(flat))

    def gathered(self) -> dict[Key, Contours]:
        """The contours of all processes."""
        return gather_dict(self.kept)

    def write(
        self, rows: Sequence[Row], contours: Mapping[Key, Contours], output_dir: Path
    ) -> list[dict[str, Any]]:
        """Draw the cases of :func:`choose_cases` or :func:`rank_cases` into ``output_dir/overlays`` and ``/panels``.

        Overlays are PNG with both contours. Panels are small JPEG of the image, the reference and the result side by side,
        for a report. Each picture is written whole or not at all.

        Args:
            rows: of all cases.
            contours: of all cases.
            output_dir: created if it is missing.

        Returns:
            for each case a dict with ``file``, its overlay if it has one, and ``panels`` (both relative to `output_dir`),
            ``which``, ``set``, ``case``, ``target``, ``prompt``, ``dice`` and ``presence``.

        Raises:
            InputError: when an image cannot be read again.
            OSError: when a picture cannot be written.
        """
        chosen = rank_cases(rows) if self.cases == "all" else choose_cases(rows)
        groups = list(dict.fromkeys((row["set"], row["target"]) for _, row in chosen))
        names = dict(zip(groups, unique_names([f"{slug(s)}-{slug(t)}" for s, t in groups])))
        numbers = {(item["set"], item["case"]): n for n, item in enumerate(self.dataset.data)}
        written: list[dict[str, Any]] = [{} for _ in chosen]
        image: Any = None
        shown = -1
        # in the order of the cases, so that each image is read once
        order = sorted(range(len(chosen)), key=lambda i: numbers[chosen[i][1]["set"], chosen[i][1]["case"]])
        for index in order:
            which, row = chosen[index]
            number = numbers[row["set"], row["case"]]
            if number != shown:
                image = None  # frees its memory before the next one is read
                image, shown = self.dataset[number]["image"], number
            one = contours[row["set"], row["case"], row["target"], row["prompt"]]
            reference, mask = one.masks.masks()
            name = f"{names[row['set'], row['target']]}-{which}"
            files = {} if self.cases == PANELS else {"file": f"{FOLDER}/{name}.png"}
            files |= {"panels": f"{PANELS}/{name}.jpg"}
            if "file" in files:
                picture = comparison_picture(
                    image, reference, mask, _legend(row, bool(mask.any())), one.index
                )
                write_picture(output_dir / files["file"], np.asarray(picture))
            with whole_file(output_dir / files["panels"]) as path:
                panels_picture(image, reference, mask, one.index).save(path, "JPEG", quality=QUALITY)
            facts = {key: row[key] for key in ("set", "case", "target", "prompt", "dice", "presence")}
            written[index] = {**files, "which": which, **facts}
        return written


def _legend(row: Row, marked: bool) -> tuple[str, str]:
    nothing = "" if marked else ", nothing marked here"
    return (
        f"{row['set']}/{row['case']}: {row['target']}, the reference",
        f"found: Dice {row['dice']:.3f}, presence {row['presence']:.2f}{nothing}",
    )


def choose_cases(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """The worst, median and best row by Dice of each set and target that is in some image, with that word.

    A single row is the worst, two are the worst and the best; of an even number the lower of the middle two is the
    median. Equal scores are ordered by case and prompt, so that three rows always give three pictures.
    """
    chosen = []
    for ranked in _ranked(rows):
        ranks = {"worst": 0, "median": (len(ranked) - 1) // 2, "best": len(ranked) - 1}
        words = ("worst", "best") if len(ranked) == 2 else tuple(ranks)[: len(ranked)]
        chosen += [(word, ranked[ranks[word]]) for word in words]
    return chosen


def rank_cases(rows: Sequence[Row]) -> list[tuple[str, Row]]:
    """Every row whose target is in its image, with its rank in its set and target, 1 for the worst, and its case."""
    return [
        (f"{rank:04d}-{slug(row['case'])}", row)
        for ranked in _ranked(rows)
        for rank, row in enumerate(ranked, 1)
    ]


def _ranked(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each set and target whose target is in the image, the worst Dice first."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["present"]:
            groups.setdefault((row["set"], row["target"]), []).append(row)
    return [
        sorted(group, key=lambda row: (row["dice"], row["case"], row["prompt"]))
        for _, group in sorted(groups.items())
    ]
