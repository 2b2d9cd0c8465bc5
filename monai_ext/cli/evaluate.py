"""``monai-ext evaluate``: the command, and the table of its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from monai_ext.bundle import runner
from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.cli.console import reporting
from monai_ext.cli.options import (
    BatchSize,
    Bundle,
    Data,
    Debug,
    Device,
    Output,
    Quiet,
    Sets,
    Trust,
    Variant,
    set_names,
)
from monai_ext.errors import InputError

STAGES = {
    "oracle_iou": "IoU of best candidate",
    "saliency_dice": "Dice of saliency",
    "coarse_dice": "of coarse mask",
    "refined_dice": "of refined mask",
}


def evaluate(
    bundle: Bundle,
    data: Data,
    split: Annotated[str, typer.Option(help="A list of dataset.json, such as validation.")],
    output: Output,
    variant: Variant = None,
    trust: Trust = False,
    sets: Sets = None,
    wording: Annotated[
        str,
        typer.Option(
            help="The prompts: canonical, one per target; heldout, paraphrases kept out of training; languages, names"
            " in six other languages; nonsense; absent; or prompt levels, medclipsam_p0 to p9 (odd ones name the true"
            " subtype: an oracle), several joined by +."
        ),
    ] = "canonical",
    absent: Annotated[
        bool,
        typer.Option(
            "--absent",
            help="Short for --wording absent: also ask each image for every target that it certainly does not show, for"
            " nonsense and for negations, and say how often something is marked; writes absent.csv, too.",
        ),
    ] = False,
    overlays: Annotated[
        Literal["some", "all"],
        typer.Option(help="Pictures: of the worst, median and best case of each target, or of all cases."),
    ] = "some",
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Also ask in other views and words, and say how well the agreement of the results tells good masks"
            " from bad ones.",
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Score only so many cases, drawn by their names; all if left out."),
    ] = None,
    device: Device = runner.AUTO,
    batch_size: BatchSize = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Score a bundle on labelled images; writes metrics.json, cases.csv, report.html and pictures of some cases."""
    with reporting(debug):
        if absent and wording not in ("canonical", "absent"):
            raise InputError(
                f"--absent and --wording {wording}: absent targets are asked for in canonical words; leave one of them out."
            )
        folder = find_trusted_bundle(bundle, variant or (), trust)
        from monai_ext.reports.evaluate import write_report
        from monai_ext.studies.evaluate import EvaluationTask, run_evaluation

        task = EvaluationTask(
            bundle=folder,
            data=data,
            split=split,
            variants=tuple(variant or ()),
            sets=set_names(sets),
            wording="absent" if absent else wording,
            uncertainty=uncertainty,
            limit=limit,
            batch_size=batch_size,
            device=device,
            overlays=overlays,
        )
        figures = run_evaluation(task, output)
        write_report(output)
    if not quiet:
        print_figures(figures, output)


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
    if quality := figures.get("quality"):
        span = quality["ci95"]
        interval = f" (95 % {span[0]:.2f} to {span[1]:.2f})" if span else ""
        print(
            f"quality: rank correlation with Dice {_figure(quality['spearman'])}{interval} over {quality['n']} masks;"
            f" {quality['without_mask']} targets without a mask have none"
        )
    if absent := figures.get("absent"):
        print_absent(absent)
    if wording := figures.get("wording"):
        named, asked = wording["oracle"], wording["oracle"] + wording["generic"]
        print(f"words: {named} of {asked} prompts name the true subtype, taken from the annotation (oracle)")
    files = ["metrics.json", "cases.csv", *(["absent.csv"] if absent else [])]
    print(f"figures → {', '.join(str(output / name) for name in files)}")
    if figures.get("overlays"):
        print(f"pictures of cases, reference and result as contours → {output / 'overlays'}")
    print(f"report → {output / 'report.html'}")


def print_absent(figures: dict[str, Any]) -> None:
    """The table of the benchmark of absent targets, see :func:`monai_ext.metrics.absent.absent_figures`."""
    table = Table("kind of absence", "asked", "answered", "95 %", "refused")
    table.columns[0].no_wrap = True
    for name, counts in [*figures["kinds"].items(), ("all", figures["pooled"])]:
        span = "" if counts["ci95"] is None else "–".join(f"{100 * end:.1f}" for end in counts["ci95"])
        answered = f"{counts['answered']} ({_percent(counts['share'])})"
        table.add_row(name, str(counts["asked"]), answered, span, str(counts["refused"]))
    Console().print(table)
    t_acc, n_acc, giou, pooled = (figures[name] for name in ("t_acc", "n_acc", "giou", "pooled"))
    print(
        f"refused: by their words, so not answered; of the others, which the network judged,"
        f" {_percent(pooled['share_of_judged'])} are answered"
    )
    print(
        f"T-acc {_figure(t_acc['mean'])} over {t_acc['n']} present prompts, {t_acc['refused']} of them refused by words;"
        f" N-acc {_figure(n_acc['mean'])} over {n_acc['n']} absent ones; gIoU {_figure(giou['mean'])}"
    )
    for pair in figures["worst"]:
        kind = f" ({pair['target_modality']})" if pair["target_modality"] else ""
        print(
            f"worst: {pair['target']}{kind} on {pair['set']}, {pair['answered']} of {pair['asked']} answered"
        )


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.1f} %"
