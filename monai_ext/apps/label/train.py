"""``train_start`` of MONAI Label: retrain a bundle from the labels that were saved, as ``monai-ext train`` does."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.train import TrainTask
from monailabel.utils.others.generic import device_list

from monai_ext.apps.label.options import TrainingOptions, run_name
from monai_ext.apps.label.runs import Published, Runs
from monai_ext.apps.label.saved import saved_labels
from monai_ext.bundle.runner import AUTO
from monai_ext.bundle.trainings import choose_training, trainings
from monai_ext.data.making import Plan, Wishes, plan_set, write_set
from monai_ext.errors import actionable
from monai_ext.studies.retrained import COMPARISON, WORDINGS, retrain
from monai_ext.studies.train import TrainingRequest

logger = logging.getLogger(__name__)

DATA = "saved_labels"
"""Name of the data set that is made of the labels."""
VALIDATION = "80/20"
"""Shares of the patients to train on and to validate with; one patient at least is validated with."""


class RetrainTask(TrainTask):
    """Retrains one bundle, and has the result served.

    Each retraining begins with the bundle that was there first, and uses all labels that are saved by then. Nothing of
    the studies changes: images are linked to.

    Args:
        bundle: folder of the bundle that was there first.
        labels: what the values 1, 2, … of labels mean that were saved without names.
        defaults: of the options.
    """

    def __init__(self, bundle: Path, labels: Sequence[str], defaults: Mapping[str, Any]) -> None:
        super().__init__(f"Retrains {bundle.name} from the labels that are saved here")
        self.runs, self.labels = Runs(bundle), list(labels)
        known = [name for name in ("modality", "group", "training") if name in defaults]
        self.defaults = {name: defaults[name] for name in known}

    def config(self) -> dict[str, Any]:
        """The options with their defaults; a list is a choice, whose first entry is the default."""
        ways = trainings(self.runs.bundle)
        return {
            **asdict(TrainingOptions()),
            **self.defaults,
            "preset": ["quick", "full"],
            "device": [AUTO, *device_list()],
            "training": self.defaults.get("training") or (ways[0] if len(ways) == 1 else ways),
        }

    def stats(self) -> dict[str, Any]:
        """What is served and how good it is, and how far a training is that runs or was stopped."""
        published = self.runs.published()
        served: dict[str, Any] = {}
        if published is not None:
            served = {"best_metric": published.dice, "version": published.version, "cases": published.cases}
        return {**served, **self.runs.progress()}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Train; started again after a stop with the same labels and options, it goes on.

        Returns:
            what :class:`Published` says.

        Raises:
            HTTPException: status 400 with one line, when labels or options cannot be used; what was served stays.
        """
        try:
            return asdict(self._retrain(TrainingOptions.read(request, self.defaults), datastore))
        except Exception as error:
            if (reason := actionable(error)) is None:
                raise
            raise HTTPException(status_code=400, detail=str(reason)) from None

    def _retrain(self, options: TrainingOptions, datastore: Datastore) -> Published:
        runs = self.runs
        training = choose_training(runs.bundle, options.training or None)
        source = saved_labels(datastore, self.labels)
        name = run_name(runs.bundle, source, options)
        if (published := runs.published()) is not None and published.run == name:
            logger.info("nothing has changed since the last training; its bundle is served.")
            return published
        plan = plan_set(
            source, Wishes(modality=options.modality, group=options.group or None, split=VALIDATION)
        )
        for note in plan.notes:
            logger.info("note: %s", note)
        folder = runs.begin(name)
        if not (folder / DATA).exists():
            write_set(plan, source.cases[0].images[0].parent, folder / DATA, link=True)
        request = TrainingRequest(
            bundle=runs.bundle,
            data=[folder / DATA],
            output=folder,
            training=training,
            epochs=options.epochs or None,
            minutes=options.minutes or None,
            preset=options.preset,
            keep=options.keep,
            device=options.device,
            settings=options.settings,
        )
        version = runs.next_version()
        for line in retrain(request, logger.info, progress=False, version=version):
            logger.info(line)
        published = Published(name, version, plan.targets, _cases(plan), validation_dice(folder))
        runs.publish(published)
        return published


def validation_dice(folder: Path) -> float:
    """Mean Dice over the targets of the saved labels, in the usual words, of a run that ended."""
    rows = json.loads((folder / COMPARISON).read_text(encoding="utf-8"))
    usual = [row for row in rows if row["where"] == DATA and not row["target"].endswith(WORDINGS["heldout"])]
    dice = [row["after"] for row in usual]
    return sum(dice) / len(dice)


def _cases(plan: Plan) -> int:
    return sum(map(len, plan.lists.values()))
