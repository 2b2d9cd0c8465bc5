"""Run a bundle's configurations: everything asked for becomes an override, MONAI does the rest.

Importing this is cheap; torch and MONAI load when something runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ext.bundle.configs import (
    config_files,
    evaluation_configs,
    inference_configs,
    literal,
    read_configs,
    variant_fingerprints,
)
from monai_ext.errors import InputError, actionable
from monai_ext.logs import suppress_logs
from monai_ext.prompts.separate import plain_text, split_prompts

if TYPE_CHECKING:
    from monai.bundle import ConfigWorkflow

    from monai_ext.data.datasets import Folder

AUTO = "auto"


def parse_prompts(texts: Sequence[str]) -> list[str]:
    """Prompts of the texts given, several in one text separated by ";".

    Raises:
        InputError: when there is none, one is blank, or MONAI would take it for code or a reference.
    """
    prompts = []
    for text in texts:
        pieces = split_prompts(text)
        if not pieces:
            raise InputError("an empty prompt: say what to segment, such as -p lungs.")
        if any("\ud800" <= letter <= "\udfff" for letter in text):  # bytes of an argument that are no UTF-8
            raise InputError(f"prompt {text!r} is not text in UTF-8; use words.")
        prompts += [plain_text(piece) for piece in pieces]
    if not prompts:
        raise InputError("no prompt: say what to segment, such as -p lungs.")
    return prompts


def device_override(device: str) -> dict[str, Any]:
    """The override of a device: none for "auto", which is the configuration's own choice.

    Raises:
        InputError: when it is not auto, cpu or a CUDA device that is there.
    """
    if device == AUTO:
        return {}
    from monai_ext.engines.devices import checked_device

    return {"device": f"$torch.device('{checked_device(device)}')"}


def run_segment(
    bundle: Path,
    source: Path,
    prompts: Sequence[str],
    output: Path,
    *,
    variants: Sequence[str] = (),
    device: str = AUTO,
    batch_size: int | None = None,
    threshold: float | None = None,
    modality: str = AUTO,
    series: str = "",
    preview: bool = False,
    explain: bool = False,
    statistics: bool = False,
    uncertainty: bool = False,
    output_format: str = AUTO,
    report: Path | None = None,
    resume: bool = True,
    names: str | None = None,
    part: int = 1,
    parts: int = 1,
    progress: bool | None = False,
) -> dict[str, Any]:
    """Segment everything at `source` with a bundle's inference.json.

    Args:
        bundle: its folder.
        source: file or folder, see :func:`monai_ext.io.datalists.list_cases`.
        prompts: texts, see :func:`parse_prompts`.
        output: folder for masks and report.json; an empty one that this made is removed on failure.
        variants: laid over inference.json, see :func:`monai_ext.bundle.configs.config_files`.
        device: "auto", "cpu" or "cuda:0".
        batch_size: slices per encoder call.
        threshold: probability in [0, 1] above which a pixel belongs to the mask.
        modality: "auto", "CT", "MR" or another name.
        series: number, or start of the SeriesInstanceUID, of one of several DICOM series.
        preview: also write overlay.png.
        explain: also write explanation.png, of bundles whose configuration has such an id.
        statistics: also write statistics.json and statistics.csv, see
            :class:`monai_ext.transforms.MaskStatisticsd`; of bundles whose configuration has such an id.
        uncertainty: also measure how sure each result is, see :class:`monai_ext.inferers.Perturbations`; of bundles whose
            configuration has such an id.
        output_format: "auto", in kind with the input (DICOM: a DICOM SEG), "nifti" for all volumes, or
            "rtstruct" for DICOM.
        report: a second path for the report.
        resume: pass over cases that an earlier run finished with the same settings.
        names: "hash" or "file", see :class:`monai_ext.data.fault_tolerant.FaultTolerantDataset`.
        part, parts: which part of the cases, from 1, and of how many; the report is named after it.
        progress: show a bar; None: where standard error is a terminal.

    Returns:
        the report, as :class:`monai_ext.handlers.report.ReportWriter` wrote it.

    Raises:
        InputError, WeightsError: what the user can act on, as raised.
    """
    from monai_ext.io.datalists import check_all_dicom, list_cases

    asked = parse_prompts(prompts)
    if explain and "explain" not in read_configs(bundle, inference_configs(variants)):
        raise InputError(
            f"--explain: bundle {bundle.name} makes no saliency map; choose one that does, such as medclip_sam."
        )
    for name in (*(("statistics",) if statistics else ()), *(("uncertainty",) if uncertainty else ())):
        _check_option(bundle, inference_configs(variants), name)
    cases = list_cases(source, part, parts)  # reports what is wrong before MONAI and torch load
    if output_format == "rtstruct":
        check_all_dicom(cases)
    overrides: dict[str, Any] = {
        "dataset_dir": literal(source.expanduser().absolute()),
        "displayable_configs#text_prompt": literal("; ".join(asked)),
        "modality": literal(modality),
        "series": literal(series),
        "preview": preview,
        "output_format": literal(output_format),
        "resume": resume,
        "part": part,
        "parts": parts,
        "progress": progress,
        **({} if batch_size is None else {"batch_size": batch_size}),
        **({} if threshold is None else {"mask_threshold": threshold}),
        **({} if names is None else {"case_names": literal(names)}),
        **({"explain": True} if explain else {}),
        **({"statistics": True} if statistics else {}),
        **({"uncertainty": True} if uncertainty else {}),
        # a result depends on them: what was done with others is done again
        **(
            {"settings#variants": [*map(literal, variant_fingerprints(bundle, variants))]} if variants else {}
        ),
        **({} if report is None else {"report": literal(report.expanduser().absolute())}),
    }
    flow = _run(bundle, inference_configs(variants), output, device, overrides)
    from monai_ext.handlers.report import ReportWriter

    writers = [h for h in flow.parser.get_parsed_content("handlers") if isinstance(h, ReportWriter)]
    if not writers:
        raise InputError(f"bundle {bundle.name}: no ReportWriter among the handlers of inference.json.")
    return writers[0].report


def _check_option(bundle: Path, configs: Sequence[str], name: str) -> None:
    if name not in read_configs(bundle, configs):
        raise InputError(f"--{name}: the configuration of bundle {bundle.name} knows none; export it again.")


def run_evaluate(
    bundle: Path,
    data: Folder,
    split: str,
    output: Path,
    *,
    variants: Sequence[str] = (),
    sets: Sequence[str] | None = None,
    wording: str = "canonical",
    overlays: str | None = "some",
    uncertainty: bool = False,
    device: str = AUTO,
    batch_size: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Score a bundle on a list of labelled images with its evaluate.json.

    Args:
        bundle: its folder.
        data: folder of a data set with a dataset.json, or a parent of several, or a list of such folders.
        split: a list of dataset.json.
        output: folder for metrics.json, cases.csv and overlays/; an empty one that this made is removed on failure.
        variants: laid over inference.json, see :func:`monai_ext.bundle.configs.config_files`.
        sets: which of several sets are pooled; all if None.
        wording: one of :data:`monai_ext.data.evaluation.WORDINGS`.
        overlays: "some": pictures of the worst, median and best case of each target; "all": of every case; "panels": only
            small ones, for a report; None: none.
        uncertainty: also score the estimated quality of each result, see :mod:`monai_ext.metrics.summary`.
        device, batch_size: see :func:`run_segment`.
        limit, seed: score only so many cases, see :func:`monai_ext.data.evaluation.draw_cases`; all if None.
        settings: further overrides of the configuration, values by id; texts as :func:`monai_ext.bundle.configs.literal` gives them.

    Returns:
        the content of metrics.json.

    Raises:
        InputError, WeightsError: what the user can act on, as raised.
    """
    overrides = evaluate_overrides(
        bundle,
        data,
        split,
        variants=variants,
        sets=sets,
        wording=wording,
        uncertainty=uncertainty,
        batch_size=batch_size,
        limit=limit,
        seed=seed,
    )
    overrides |= {"overlays": None} if overlays is None else {"overlay_cases": literal(overlays)}
    _run(bundle, evaluation_configs(variants), output, device, {**overrides, **(settings or {})})
    return json.loads((output.expanduser() / "metrics.json").read_text(encoding="utf-8"))


def evaluate_overrides(
    bundle: Path,
    data: Folder,
    split: str,
    *,
    variants: Sequence[str] = (),
    sets: Sequence[str] | None = None,
    wording: str = "canonical",
    uncertainty: bool = False,
    batch_size: int | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What :func:`run_evaluate` sets in the configuration, but for output and device.

    Raises:
        InputError: when there is no such data, or the bundle has no such configuration.
    """
    folders = [Path(one).expanduser() for one in ([data] if isinstance(data, (str, Path)) else data)]
    for one in folders:
        if not one.exists():
            raise InputError(f"{one}: no such file or folder.")
    places = [literal(one.absolute()) for one in folders]
    overrides: dict[str, Any] = {
        "dataset_dir": places[0] if len(places) == 1 else places,
        "split": literal(split),
        "sets": None if sets is None else [literal(name) for name in sets],
        "wording": literal(wording),
        **({} if batch_size is None else {"batch_size": batch_size}),
    }
    if uncertainty:
        _check_option(bundle, evaluation_configs(variants), "uncertainty")
        overrides["uncertainty"] = True
    if limit is not None:
        overrides["datalist"] = {
            "_target_": "monai_ext.data.evaluation.draw_cases",
            "cases": read_configs(bundle, evaluation_configs(variants))["datalist"],
            "limit": limit,
            "seed": seed,
        }
    return overrides


def read_workflow(
    bundle: Path, configs: Sequence[str], overrides: Mapping[str, Any], kind: str = "infer"
) -> ConfigWorkflow:
    """The workflow of a bundle's configurations, in which nothing has been built yet; `kind` is "infer" or "train".

    Raises:
        InputError: when a configuration is missing.
    """
    from monai.bundle import ConfigWorkflow

    files = [str(file) for file in config_files(bundle, configs)]
    with suppress_logs():  # a warning that the bundle has no logging.conf
        return ConfigWorkflow(
            files, workflow_type=kind, logging_file=False, bundle_root=literal(bundle), **overrides
        )


def open_workflow(
    bundle: Path, configs: Sequence[str], overrides: Mapping[str, Any], kind: str = "infer"
) -> ConfigWorkflow:
    """The workflow of a bundle's configurations, weights loaded.

    Raises:
        InputError, WeightsError: what the user can act on, as raised.
    """
    with unwrapped():
        flow = read_workflow(bundle, configs, overrides, kind)
        flow.initialize()
    return flow


def _run(
    bundle: Path, configs: Sequence[str], output: Path, device: str, overrides: dict[str, Any]
) -> ConfigWorkflow:
    output = output.expanduser().absolute()
    if output.exists() and not output.is_dir():
        raise InputError(f"{output.name}: the output is a folder, but this is a file; choose another name.")
    settings = {**overrides, "output_dir": literal(output), **device_override(device)}
    with removed_if_empty(output):
        flow = open_workflow(bundle, configs, settings)
        with unwrapped():
            flow.run()
            flow.finalize()
    return flow


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise what a user can act on by itself, out of the RuntimeErrors that MONAI wraps it in."""
    try:
        yield
    except Exception as error:
        if (reason := actionable(error)) is not None and reason is not error:
            raise reason from error
        raise


@contextmanager
def removed_if_empty(folder: Path) -> Iterator[None]:
    """When what follows fails, remove the folders below and above that it made and left empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        if made and folder.is_dir():
            below = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
            for path in (*below, *made):
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
        raise
