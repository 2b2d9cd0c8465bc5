"""One evaluation of a bundle on labelled cases, with a record of all that its figures depend on.

``monai-ext evaluate`` runs it once; ``tune``, ``compare`` and ``train`` run it for many settings and bundles.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import monai
import torch

import monai_ext
from monai_ext.bundle import configs, runner
from monai_ext.data.datasets import Folder
from monai_ext.errors import InputError
from monai_ext.files import whole_file
from monai_ext.handlers.metrics import SCORES
from monai_ext.io.case_names import input_hash
from monai_ext.studies.tune_settings import Setting, overrides

RECORD = "setting.json"
"""File that is written last into the folder of an evaluation; its presence means that the evaluation is finished."""


@dataclass(frozen=True)
class EvaluationTask:
    """A bundle, and the cases that it is scored on.

    Attributes:
        bundle: its folder.
        data, split, variants, sets, wording, uncertainty, batch_size, limit, seed, device, overlays: of
            :func:`monai_ext.bundle.runner.run_evaluate`. No figure depends on `overlays`, so they are no fact.
    """

    bundle: Path
    data: Folder
    split: str
    variants: tuple[str, ...] = ()
    sets: Sequence[str] | None = None
    wording: str = "canonical"
    uncertainty: bool = False
    batch_size: int | None = None
    limit: int | None = None
    seed: int = 0
    device: str = runner.AUTO
    overlays: str | None = "panels"

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that run_evaluate and evaluate_overrides share."""
        names = ("variants", "sets", "wording", "uncertainty", "batch_size", "limit", "seed")
        return {name: getattr(self, name) for name in names}

    def facts(self) -> dict[str, Any]:
        """All that a result depends on except its setting, for records, without paths and names of files.

        Raises:
            InputError, WeightsError: when data or weights cannot be read.
        """
        configuration = runner.evaluate_overrides(self.bundle, self.data, self.split, **self.arguments())
        configuration |= runner.device_override(self.device)
        files = configs.evaluation_configs(self.variants)
        get = runner.open_workflow(self.bundle, files, configuration).parser.get_parsed_content
        with runner.unwrapped():
            cases = get("datalist")
            all_cases = cases if self.limit is None else get("datalist#cases")
        modules = {"torch": str(torch.__version__), "monai": monai.__version__}
        versions = {**modules, "monai_ext": monai_ext.__version__, "scores": str(SCORES)}
        digest = hashlib.sha256()
        for file in configs.config_files(self.bundle, files):
            digest.update(file.read_bytes())
        return {
            "bundle": self.bundle.name,
            "version": get("_meta_#version"),
            "variants": configs.variant_fingerprints(self.bundle, self.variants),
            "configuration_sha256": digest.hexdigest(),
            "versions": versions,
            "weights": get("loaded"),
            "device": str(get("device")),
            "split": self.split,
            "wording": self.wording,
            "uncertainty": self.uncertainty,
            "cases": len(cases),
            "cases_of_the_list": len(all_cases),
            "sets": {
                name: sum(one["set"] == name for one in cases) for name in sorted({c["set"] for c in cases})
            },
            "data_sha256": data_hash(cases),
        }

    def evaluate(self, folder: Path, setting: Setting) -> dict[str, Any]:
        """Run the evaluation of a setting into a folder: the content of its metrics.json.

        Raises:
            InputError, WeightsError: what the user can act on.
        """
        return runner.run_evaluate(
            self.bundle,
            self.data,
            self.split,
            folder,
            device=self.device,
            overlays=self.overlays,
            settings=overrides(setting),
            **self.arguments(),
        )


def data_hash(cases: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of the cases: the content of images and labels, and the prompts and targets of each."""
    digest = hashlib.sha256()
    for case in cases:
        facts = {key: value for key, value in case.items() if key not in ("image", "label")}
        files = [input_hash(case[key]) for key in ("image", "label") if key in case]
        digest.update(json.dumps([facts, files], sort_keys=True).encode())
    return digest.hexdigest()


def run_evaluation(task: EvaluationTask, output: Path) -> dict[str, Any]:
    """Score a bundle on labelled images, and write ``setting.json`` beside the figures.

    Args:
        task: bundle and cases.
        output: folder, see :func:`monai_ext.bundle.runner.run_evaluate`.

    Returns:
        the content of metrics.json.

    Raises:
        InputError, WeightsError: what the user can act on.
    """
    output = output.expanduser().absolute()
    started = time.monotonic()
    figures = task.evaluate(output, {})
    seconds = round(time.monotonic() - started, 3)
    write_record(output, task.facts(), {}, seconds)
    return figures


def write_record(folder: Path, facts: Mapping[str, Any], setting: Setting, seconds: float) -> None:
    """Write, last of all, what an evaluation in a folder depended on.

    Raises:
        InputError: when it cannot be written.
    """
    record = {"setting": setting, "seconds": seconds, "facts": facts}
    try:
        with whole_file(folder / RECORD) as path:
            path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder.name}/{RECORD}: cannot be written ({error.strerror}).") from error
