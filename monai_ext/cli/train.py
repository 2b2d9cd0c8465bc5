"""``monai-ext train``: retrain a bundle on a data set, and write a bundle with what it learnt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from monai_ext.bundle import runner
from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.cli.console import print_error, print_line, reporting
from monai_ext.cli.options import Bundle, Data, Debug, Device, Output, Quiet, Sets, Trust, set_names
from monai_ext.errors import InputError

if TYPE_CHECKING:
    from monai_ext.studies.train import TrainingRequest


def train(
    bundle: Bundle,
    data: Data,
    output: Output,
    training: Annotated[
        str | None,
        typer.Option(help="Which of the bundle's trainings, where it has several, such as train_encoder."),
    ] = None,
    sets: Sets = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WEIGHTS|BUNDLE",
            help="Weights to begin with: a name of the registry, a model.pt, or a bundle.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of the training.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Of training; the epochs that fit are measured before it begins.")
    ] = None,
    preset: Annotated[
        Literal["quick", "full"],
        typer.Option(help="quick: some minutes on a CPU; full: the bundle's own recipe."),
    ] = "full",
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Against forgetting: show phantoms and photographs among the new images, and end with a mean of old and"
            " new weights.",
        ),
    ] = False,
    parent_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of the old weights in that mean, 0 to 1; 0.3 with --keep, else 0."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="ID=VALUE", help="Of the configuration; may be repeated."),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(min=1, help="Of this machine, one for each GPU; each takes batches of the given size."),
    ] = 1,
    trust: Trust = False,
    device: Device = runner.AUTO,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Retrain a bundle on your own data; started again it goes on where it was stopped."""
    with reporting(debug):
        from monai_ext.bundle.trainings import choose_training
        from monai_ext.studies.train import TrainingRequest

        if epochs is not None and minutes is not None:
            raise InputError("--epochs and --minutes both say how long; give one of them.")
        folder = find_trusted_bundle(bundle, (), trust)
        request = TrainingRequest(
            folder,
            data,
            output,
            choose_training(folder, training),
            start,
            epochs,
            minutes,
            preset,
            keep,
            parent_share,
            set_names(sets),
            device,
            processes,
            parse_settings(settings or []),
        )
        _check_data(data, request.sets, quiet)
        _run(request, (lambda _: None) if quiet else print_line, quiet)


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Values by id, of ``ID=VALUE``; a value is JSON, or else a text.

    Raises:
        InputError: when a text has another form, or MONAI would run a value as code or look it up.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InputError(f"--set {text!r}: write ID=VALUE, such as learning_rate=0.001.")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
        _check_plain(name, values[name])
    return values


def _check_plain(name: str, value: Any) -> None:
    if isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            _check_plain(name, one)
    elif isinstance(value, str) and value.startswith(("$", "@", "%")):
        raise InputError(f"--set {name}: {value!r} begins with {value[0]!r}, which configurations reserve.")


def _check_data(data: list[Path], sets: Any, quiet: bool) -> None:
    from monai_ext.cli.dataset_check import print_warnings, run_check

    found = run_check(data, None if sets is None else ",".join(sets), None, None)
    if not quiet:
        print_warnings(found)
    for problem in found.problems:
        print_error(problem)
    if found.problems:
        raise typer.Exit(InputError.exit_code)
    if names := found.never_shown():
        raise InputError(
            f"no image of any list shows {'; '.join(names)}; mend the labels, or take the target out of the label table."
        )


def _run(request: TrainingRequest, say: Any, quiet: bool) -> None:
    from monai_ext.reports.train import write_report
    from monai_ext.studies.retrained import retrain

    for line in retrain(request, say, False if quiet else None):
        say(line)
    say(f"report → {write_report(request.output)}")
