"""What the command line says of results: a line for each mask, a table for an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from monai_ext.cli.console import say

SHOWN = 100
"""Characters of a prompt in a line about its result."""
STAGES = {
    "oracle_iou": "IoU of best candidate",
    "saliency_dice": "Dice of saliency",
    "coarse_dice": "of coarse mask",
    "refined_dice": "of refined mask",
}


def print_results(
    report: dict[str, Any], output: Path, name: str, preview: bool = False, explain: bool = False
) -> None:
    """A line for each result of a run, and where everything lies.

    Args:
        report: of :func:`monai_ext.bundle.runner.run_segment`.
        output: the folder as it was given.
        name: of the report's file.
        preview, explain: which pictures were drawn.
    """
    for row in report["results"]:
        found = f'{row["case"]}  "{_short(row["prompt"])}": '
        warnings = [line.replace(row["prompt"], _short(row["prompt"])) for line in row["warnings"]]
        *notes, reason = [*warnings, ""] if row["voxels"] else warnings
        if row["voxels"]:
            say(
                f"{found}found, {_extent(row, output)}, presence {row['presence']:.2f} → {_place(row, output)}"
            )
        else:
            say(f"{found}not found; {reason} → {_place(row, output)}")
        for note in notes:
            say(f"  note: {note}")
    done = list(dict.fromkeys(row["case"] for row in report["results"]))
    for drawn, file in ((preview, "overlay"), (explain, "explanation")):
        for case in done if drawn else ():
            say(f"{file} → {output / case / file}.png")
    weights = report["weights"]
    if report["skipped"]:
        say(f"{report['skipped']} of these cases were done before; --no-resume does them again")
    if report["copies"]:
        say(f"{report['copies']} of these inputs are copies of others and stand for the same case")
    if len(done) > 1 and done[0].startswith("case-"):
        say("which file each case is → monai-ext cases INPUT")
    say(f"record → {output / name}")
    note, licence = weights.get("note", "no note"), weights.get("licence", "not told by the bundle")
    say(f"weights {weights['name']}: {note}; licence: {licence}")


def _short(prompt: str) -> str:
    return prompt if len(prompt) <= SHOWN else f"{prompt[: SHOWN - 1]}…"


def _place(row: dict[str, Any], output: Path) -> str:
    return f"{output / row['mask']}" + (f", segment {row['segment']}" if "segment" in row else "")


def _extent(row: dict[str, Any], output: Path) -> str:
    if "volume_ml" in row:
        return f"{row['volume_ml']:.1f} ml ({_count(row['voxels'])} voxels)"
    if "area_mm2" in row:
        return f"{_count(round(row['area_mm2']))} mm² ({_count(row['voxels'])} pixels)"
    from PIL import Image

    with Image.open(output / row["mask"]) as picture:
        share = row["voxels"] / (picture.width * picture.height)
    return f"{share:.1%} of the image ({_count(row['voxels'])} pixels)".replace("%", " %")


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def print_figures(figures: dict[str, Any], output: Path) -> None:
    """The table of an evaluation, see :func:`monai_ext.bundle.runner.run_evaluate`."""
    stages = {name: title for name, title in STAGES.items() if name in figures["pooled"]}
    metrics = ("iou", *stages, "nsd")
    table = Table(
        "target",
        "Dice",
        "95 % interval",
        "IoU",
        *stages.values(),
        "NSD",
        "images",
    )
    rows = [*figures["targets"].items(), ("all", figures["pooled"]), *figures.get("difficulty", {}).items()]
    for name, scores in rows:
        if not scores:
            continue
        interval = scores["dice"]["ci95"]
        cells = [_figure(scores[m]["mean"]) if m in scores else "" for m in metrics]
        span = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
        table.add_row(name, _figure(scores["dice"]["mean"]), span, *cells, str(scores["dice"]["n"]))
    Console().print(table)
    presence = figures["presence"]
    print(
        f"presence: AUC {_figure(presence['auc'])} over {presence['n']} prompts; masks that are not empty for "
        f"absent things: {_figure(presence['false_positive_rate'])}"
    )
    if wording := figures.get("wording"):
        named, asked = wording["oracle"], wording["oracle"] + wording["generic"]
        print(f"words: {named} of {asked} prompts name the true subtype, taken from the annotation (oracle)")
    print(f"figures → {output / 'metrics.json'}, {output / 'cases.csv'}")
    if figures.get("overlays"):
        print(f"pictures of cases, reference and result as contours → {output / 'overlays'}")


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
