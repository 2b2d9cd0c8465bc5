"""What a report says of absent targets: figures by kind of absence, and the cross table of sets and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai_ext.data.absent_prompts import NEGATED, NO_TARGET, NONSENSE
from monai_ext.metrics.absent import PRESENT
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.reports.evaluations import Evaluation, read_table
from monai_ext.reports.numbers import number, share, span
from monai_ext.reports.page import Content, Figure, Figures, Heat, HeatCell, Notes, Section, Table

Line = Mapping[str, str]
"""A line of absent.csv, see :func:`monai_ext.metrics.absent.cross_table`."""
WORDS = (NO_TARGET, NEGATED, NONSENSE)
"""Kinds of absence that have a column of their own: their texts name no target of another image."""
LEAD = (
    "Each image was asked for its own targets, for every target that it certainly does not show, and in words that name none."
    " A prompt is answered if anything is marked. Words that are refused are not answered."
)
NOTE = (
    "Share answered in percent, of what no image of the row shows (healthy images of a target among it); the darker, the more."
    " Empty: not asked, since images may show it. “Recall” is the share of targets in their image that are answered."
)


def section(one: Evaluation) -> Section:
    """The section of an evaluation of absent targets; without content for others.

    Raises:
        InputError: when absent.csv cannot be read.
    """
    contents: list[Content] = []
    if figures := one.figures.get("absent"):
        pooled = figures["pooled"]
        titles = {"t_acc": "T-acc. (recall)", "n_acc": "N-acc.", "giou": "gIoU"}
        contents = [
            Figures(
                [
                    Figure("absent prompts answered", share(pooled["share"]), f"of {pooled['asked']}"),
                    *(
                        Figure(title, number(figures[name]["mean"]), span(figures[name]["ci95"]))
                        for name, title in titles.items()
                    ),
                ]
            ),
            by_kind(figures),
            *([Notes([_worst(pair) for pair in figures["worst"]])] if figures["worst"] else []),
            cross_table(read_table(one.folder / "absent.csv")),
        ]
    return Section("Absent targets", contents, LEAD)


def by_kind(figures: Mapping[str, Any]) -> Table:
    """A row for each kind of absence."""
    rows = []
    for name, counts in [*figures["kinds"].items(), ("all", figures["pooled"])]:
        ends = counts["ci95"]
        rows.append(
            [
                name,
                str(counts["asked"]),
                str(counts["answered"]),
                share(counts["share"]),
                f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %" if ends else "",
                str(counts["refused"]),
                share(counts["share_of_judged"]),
                number(counts["auc"]),
            ]
        )
    columns = ["asked", "answered", "share", "95 % interval", "refused by words", "share of the others"]
    return Table(["kind of absence", *columns, "presence AUC"], rows)


def cross_table(lines: Sequence[Line]) -> Heat:
    """A row for each set, and a column for each target of any kind of image."""
    absent = [line for line in lines if line["kind"] != PRESENT]
    named = dict.fromkeys((line["target_modality"], line["target"]) for line in absent)
    columns: list[tuple[str, Callable[[Line], bool]]] = [("recall", lambda line: line["kind"] == PRESENT)]
    groups = [("own", 1)]
    for modality, kind in MODALITIES.items():
        targets = sorted(target for other, target in named if other == modality)
        columns += [(target, _asks_for(modality, target)) for target in targets]
        groups += [(kind.name, len(targets))] if targets else []
    kinds = [kind for kind in WORDS if any(line["kind"] == kind for line in absent)]
    columns += [(kind, _is_of(kind)) for kind in kinds]
    groups += [("words", len(kinds))] if kinds else []
    rows = []
    for name in dict.fromkeys(line["set"] for line in lines):
        own = [line for line in lines if line["set"] == name]
        rows.append((name, [_cell(name, title, filter(wanted, own)) for title, wanted in columns]))
    return Heat(groups, [title for title, _ in columns], rows, NOTE)


def _asks_for(modality: str, target: str) -> Callable[[Line], bool]:
    return lambda line: (
        line["kind"] != PRESENT and (line["target_modality"], line["target"]) == (modality, target)
    )


def _is_of(kind: str) -> Callable[[Line], bool]:
    return lambda line: line["kind"] == kind


def _cell(name: str, title: str, found: filter[Line]) -> HeatCell:
    counts = [(int(line["asked"]), int(line["answered"])) for line in found]
    asked, answered = (sum(column) for column in zip(*counts)) if counts else (0, 0)
    if not asked:
        return HeatCell("")
    value = None if title == "recall" else answered / asked
    return HeatCell(
        f"{100 * answered / asked:.0f}", value, f"{title} on {name}: {answered} of {asked} answered"
    )


def _worst(pair: Mapping[str, Any]) -> str:
    kind = MODALITIES.get(str(pair["target_modality"]))
    target = f"{pair['target']} ({kind.name})" if kind else f"“{pair['target']}”"
    return f"{target} on {pair['set']}: {pair['answered']} of {pair['asked']} answered ({pair['kind']})"
