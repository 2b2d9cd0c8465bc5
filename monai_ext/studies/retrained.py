"""From a training to a bundle with a model card: figures before and after, also of what it did not learn."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_ext.bundle.configs import INFERENCE, read_configs
from monai_ext.bundle.retrained import CARD, METADATA, write_retrained
from monai_ext.data.datasets import read_split
from monai_ext.errors import InputError
from monai_ext.files import whole_file
from monai_ext.studies.evaluate import EvaluationTask, run_evaluation
from monai_ext.studies.train import Plan, Say, TrainingRequest, begun, facts_of, make_plan, run_training
from monai_ext.synthesis.phantom_set import write_phantom_sets
from monai_ext.weights.registry import read_registry, weights_names

BUNDLE, PLAN, EVALUATION, COMPARISON = "bundle", "plan.json", "evaluation", "before_after.json"
WORDINGS = {"canonical": "", "heldout": ", in other words"}


@dataclass(frozen=True)
class Row:
    """A target before and after a training: Dice with its 95 % interval over patients, and images.

    Attributes:
        where: set, or kind of phantom.
        target: its name, with the wording of the prompts if that is not the usual one.
        before, after: Dice, in [0, 1].
        before_interval, after_interval: None where one patient has it.
        images: that show it.
    """

    where: str
    target: str
    before: float
    before_interval: Sequence[float] | None
    after: float
    after_interval: Sequence[float] | None
    images: int


def retrain(
    request: TrainingRequest, say: Say, progress: bool | None = None, version: str | None = None
) -> list[str]:
    """Train, write the bundle, and compare it with its parent.

    Args:
        request: what was asked for.
        say: prints a line.
        progress: show a bar; None: where standard error is a terminal.
        version: of the new bundle; None: that of the parent, raised.

    Returns:
        lines that say where everything is.

    Raises:
        InputError, WeightsError: what the user can act on.
        KeyboardInterrupt: when it was told to stop.
    """
    output = request.output.expanduser().absolute()
    cases = Counter(item["set"] for item in read_split(request.data, "training", request.sets))
    if cases.total() < 2:
        raise InputError(
            f"{', '.join(one.name for one in request.data)}: one case to train on; two are the least."
        )
    _check_place(output / BUNDLE)
    plan = _planned(request, output, say)
    say(f"{cases.total()} cases of {', '.join(cases)}; a network of {plan.parameters:,} parameters.")
    say(
        f"{plan.step_seconds:.2f} s a step, {plan.steps} steps an epoch, {plan.epochs} epochs: {_time(plan.seconds)} of "
        f"training; {_memory(plan)}checkpoints take {plan.state_bytes / 1e6:.0f} MB."
    )
    model = run_training(request, plan.epochs, progress)
    facts = facts_of(request, plan, cases)
    bundle = output / BUNDLE
    if bundle.exists():
        shutil.rmtree(bundle)  # of an earlier end of this training
    write_retrained(request.bundle, request.module, model, bundle, facts, "", version)
    rows = before_and_after(request, bundle, output)
    _describe(request, bundle, facts, rows)
    return [*table(rows), f"bundle → {bundle}", f"figures → {output / COMPARISON}"]


def before_and_after(request: TrainingRequest, bundle: Path, output: Path) -> list[Row]:
    """Score the parent and the new bundle on the validation list, in usual and in other words, and on phantoms.

    Phantoms are scored for the targets that the parent was taught: what they lose is forgotten.
    """
    rows: list[Row] = []
    folder = output / EVALUATION
    phantoms = folder / "phantoms"
    if not phantoms.exists() and (known := taught(request.bundle)):
        write_phantom_sets(phantoms, known)
    wanted: list[tuple[str, Path | Sequence[Path], Sequence[str] | None, str]] = [
        (wording, request.data, request.sets, wording) for wording in WORDINGS
    ]
    wanted += [("phantoms", phantoms, None, "canonical")] if phantoms.exists() else []
    for name, data, sets, wording in wanted:
        before, after = (
            run_evaluation(
                EvaluationTask(one, data, "validation", sets=sets, wording=wording, device=request.device),
                folder / f"{name}-{which}",
            )
            for which, one in (("before", request.bundle), ("after", bundle))
        )
        rows += _rows(before, after, WORDINGS[wording])
    with whole_file(output / COMPARISON) as partial:
        partial.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    return rows


def taught(bundle: Path) -> dict[str, list[str]]:
    """The targets by modality that the registered weights of a bundle were taught."""
    entries, found = read_registry(), {}
    for name in weights_names(read_configs(bundle, [INFERENCE])["weights"]):
        for modality, targets in entries[name].targets.items() if name in entries else ():
            found[modality] = list(targets)
    return found


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as lines of text."""
    lines = [f"{'set':<26}{'target':<34}{'Dice before':>24}{'after':>24}{'images':>8}"]
    return lines + [
        f"{row.where:<26}{row.target:<34}{_dice(row.before, row.before_interval):>24}"
        f"{_dice(row.after, row.after_interval):>24}{row.images:>8}"
        for row in rows
    ]


def _rows(before: Mapping[str, Any], after: Mapping[str, Any], words: str) -> Iterator[Row]:
    for where, figures in before["sets"].items():
        for target, scores in figures["targets"].items():
            old, new = scores["dice"], after["sets"][where]["targets"][target]["dice"]
            yield Row(where, target + words, old["mean"], old["ci95"], new["mean"], new["ci95"], old["n"])


def _check_place(bundle: Path) -> None:
    """Refuse a folder in the place of the new bundle that no training has made: it would be replaced.

    Raises:
        InputError: when there is one.
    """
    made = (bundle / METADATA).is_file() and "training" in json.loads((bundle / METADATA).read_text("utf-8"))
    if bundle.exists() and not made:
        raise InputError(
            f"{bundle.parent.name}/{bundle.name}: there, and not made by a training; choose another output."
        )


def _planned(request: TrainingRequest, output: Path, say: Say) -> Plan:
    """The plan of a training that goes on, else a new one, which is written."""
    file = output / PLAN
    if begun(output) and file.is_file():
        plan = Plan(**json.loads(file.read_text(encoding="utf-8")))
        say("going on with the training that was stopped.")
        return plan if request.epochs is None else Plan(**{**vars(plan), "epochs": request.epochs})
    say("measuring some steps.")
    plan = make_plan(request)
    with whole_file(file) as partial:
        partial.write_text(json.dumps(vars(plan), indent=1) + "\n", encoding="utf-8")
    return plan


def _describe(request: TrainingRequest, bundle: Path, facts: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Put the figures into metadata and model card."""
    metadata = json.loads((bundle / METADATA).read_text(encoding="utf-8"))
    metadata["training"]["figures"] = [vars(row) for row in rows]
    with whole_file(bundle / METADATA) as partial:
        partial.write_text(json.dumps(metadata, indent=4) + "\n", encoding="utf-8")
    with whole_file(bundle / CARD) as partial:
        partial.write_text(_card(request, metadata, facts, rows), encoding="utf-8")


def _card(
    request: TrainingRequest, metadata: Mapping[str, Any], facts: Mapping[str, Any], rows: Sequence[Row]
) -> str:
    cases = "\n".join(f"| {name} | {number} |" for name, number in facts["cases"].items())
    figures = "\n".join(
        f"| {r.where} | {r.target} | {_dice(r.before, r.before_interval)} | {_dice(r.after, r.after_interval)} | {r.images} |"
        for r in rows
    )
    replayed = "with" if facts["replayed"] else "without"
    share = facts["parent_share"]
    mean = f"; a mean of weights in which those before have a share of {share:g}" if share else ""
    return f"""# {metadata["name"]}, retrained

Version {metadata["version"]}, retrained from `{request.bundle.name}` {metadata["parent"]["version"]}, whose model card is
[parent.md](parent.md). **Research and demonstration. Not a medical device; not for diagnosis or treatment.**

## Data

| set | cases to train on |
|---|---|
{cases}

Masks of the `validation` list were not trained on. Phantoms are drawn images, which show only whether something was
forgotten.

## Training

`{facts["configuration"]}.json`, {facts["epochs"]} epochs, {replayed} material that the parent learnt
from{mean}{f"; settings {facts['settings']}" if facts["settings"] else ""}.

## Figures

Dice, with 95 % intervals over patients; masks judged absent count as 0.

| set | target | before | after | images |
|---|---|---|---|---|
{figures}

## Licence

The weights carry the licence of the parent's (`LICENSE-WEIGHTS`, `models/weights.json`), and what holds for the data
above.
"""


def _dice(mean: float, interval: Sequence[float] | None) -> str:
    return f"{mean:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _memory(plan: Plan) -> str:
    """What a plan says of memory; nothing where it is not known, or was made before it was measured."""
    own = f"{plan.memory_bytes / 1e9:.1f} GB of memory, " if plan.memory_bytes else ""
    return own + (f"{plan.gpu_bytes / 1e9:.1f} GB of the GPU's, " if plan.gpu_bytes else "")


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
