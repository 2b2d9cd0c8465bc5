"""``monai-ext segment``: the command, and a line for each mask it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from monai_ext.bundle import runner
from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.cli.console import print_error, print_line, reporting
from monai_ext.cli.options import BatchSize, Debug, Device, Output, Quiet, Trust, Variant
from monai_ext.errors import InputError

SHOWN = 100
"""Characters of a prompt in a line about its result."""


def segment(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="Picture, NIfTI, MHA or NRRD file, DICOM folder or .zip, or folder of these.",
        ),
    ],
    output: Output,
    prompt: Annotated[
        list[str] | None, typer.Option("-p", "--prompt", help="What to segment, in words; may be repeated.")
    ] = None,
    bundle: Annotated[str, typer.Option(help="Name of a bundle, or folder of an exported one.")] = "vlsm",
    variant: Variant = None,
    trust: Trust = False,
    device: Device = runner.AUTO,
    batch_size: BatchSize = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Probability above which a pixel is in the mask.")
    ] = None,
    modality: Annotated[
        Literal["auto", "CT", "MR"], typer.Option(case_sensitive=False, help="Of volumes: auto, CT or MR.")
    ] = "auto",
    series: Annotated[
        str, typer.Option(help="Which of several DICOM series: its number, or the start of its UID.")
    ] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Also draw the masks on the image.")] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Also draw how each result came about: saliency, coarse mask, boxes."),
    ] = False,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics",
            help="Also write volume, place, shape and intensities of each mask: statistics.csv, .json.",
        ),
    ] = False,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Also ask in other views and words: a map of entropy beside each mask, and how far the results agree.",
        ),
    ] = False,
    output_format: Annotated[
        Literal["auto", "nifti", "rtstruct"],
        typer.Option(
            "--format",
            help="Of masks: auto, as the input (DICOM: a DICOM SEG), nifti for all volumes, or rtstruct, an RT"
            " Structure Set, for DICOM.",
        ),
    ] = "auto",
    report: Annotated[Path | None, typer.Option(help="A second path for OUT/report.json.")] = None,
    resume: Annotated[
        bool, typer.Option(help="Pass over cases that an earlier run finished with the same settings.")
    ] = True,
    names: Annotated[
        Literal["hash", "file"] | None,
        typer.Option(
            help="What cases are called: hash, by their content (of the bundle: hash), or file, as their files,"
            " whose names then stand in folders and records."
        ),
    ] = None,
    part: Annotated[int, typer.Option(min=1, help="Do only this part of the cases, for job arrays.")] = 1,
    parts: Annotated[int, typer.Option(min=1, help="Number of parts.")] = 1,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Segment what the prompts name; writes masks and report.json."""
    with reporting(debug):
        result = runner.run_segment(
            find_trusted_bundle(bundle, variant or (), trust),
            source,
            prompt or [],
            output,
            variants=variant or (),
            device=device,
            batch_size=batch_size,
            threshold=threshold,
            modality=modality,
            series=series,
            preview=preview,
            explain=explain,
            statistics=statistics,
            uncertainty=uncertainty,
            output_format=output_format,
            report=report,
            resume=resume,
            names=names,
            part=part,
            parts=parts,
            progress=False if quiet else None,
        )
    if not quiet:
        from monai_ext.io.datalists import report_name

        print_results(result, output, report_name(part, parts), preview, explain, statistics)
    for failed in result["failed"]:
        print_error(f"{failed['case']} left out: {failed['reason'].removeprefix(failed['case'] + ': ')}")
    if result["failed"]:
        raise typer.Exit(InputError.exit_code)


def print_results(
    report: dict[str, Any],
    output: Path,
    name: str,
    preview: bool = False,
    explain: bool = False,
    statistics: bool = False,
) -> None:
    """A line for each result of a run, and the paths of all that was written.

    Args:
        report: of :func:`monai_ext.bundle.runner.run_segment`.
        output: the folder as it was given.
        name: of the report's file.
        preview, explain: which pictures were drawn.
        statistics: whether a table of the masks' figures was written.
    """
    for row in report["results"]:
        found = f'{row["case"]}  "{_short(row["prompt"])}": '
        warnings = [line.replace(row["prompt"], _short(row["prompt"])) for line in row["warnings"]]
        *notes, reason = [*warnings, ""] if row["voxels"] else warnings
        if row["voxels"]:
            said = f"presence {row['presence']:.2f}{_quality(row)}"
            print_line(f"{found}found, {_extent(row, output)}, {said} → {_path(row, output)}")
        else:
            print_line(f"{found}not found; {reason} → {_path(row, output)}")
        for note in notes:
            print_line(f"  note: {note}")
    done = list(dict.fromkeys(row["case"] for row in report["results"]))
    for drawn, file in ((preview, "overlay"), (explain, "explanation")):
        for case in done if drawn else ():
            print_line(f"{file} → {output / case / file}.png")
    uncertain = {row["case"]: row["uncertainty"] for row in report["results"] if "uncertainty" in row}
    for figures in uncertain.values():
        print_line(f"entropy → {output / Path(figures['entropy']).parent / '*.entropy.*'}")
    if statistics:
        print_line(f"statistics → {output / Path(name.replace('report', 'statistics')).with_suffix('.csv')}")
    weights = report["weights"]
    if report["skipped"]:
        print_line(f"{report['skipped']} of these cases were done before; --no-resume does them again")
    if report["copies"]:
        print_line(f"{report['copies']} of these inputs are copies of others and stand for the same case")
    if len(done) > 1 and done[0].startswith("case-"):
        print_line("which file each case is → monai-ext cases INPUT")
    print_line(f"record → {output / name}")
    note, licence = weights.get("note", "no note"), weights.get("licence", "not stated by the bundle")
    print_line(f"weights {weights['name']}: {note}; licence: {licence}")


def _short(prompt: str) -> str:
    return prompt if len(prompt) <= SHOWN else f"{prompt[: SHOWN - 1]}…"


def _path(row: dict[str, Any], output: Path) -> str:
    names = {"segment": "segment", "roi": "ROI"}
    numbers = [f", {name} {row[key]}" for key, name in names.items() if key in row]
    return f"{output / row['mask']}{''.join(numbers)}"


def _quality(row: dict[str, Any]) -> str:
    quality = row.get("uncertainty", {}).get("quality")
    return "" if quality is None else f", quality {quality:.2f}"


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
