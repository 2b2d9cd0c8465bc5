"""The application: every bundle of its folder served and retrained, and the next case offered."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.app import MONAILabelApp
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random
from monailabel.utils.async_tasks.task import AsyncTask

import monai_ext
from monai_ext.apps.label.infer import TextPromptInferTask
from monai_ext.apps.label.next_case import LOWEST_QUALITY, QUALITY, LowestQuality, QualityScoring
from monai_ext.apps.label.runs import Runs
from monai_ext.apps.label.train import RetrainTask
from monai_ext.bundle.trainings import trainings
from monai_ext.errors import InputError
from monai_ext.prompts.separate import plain_text, split_prompts
from monai_ext.weights.load import check_own_model


class LabelApp(MONAILabelApp):
    """Serves every bundle in ``APP/model``, or those that ``--conf models NAME,NAME`` names.

    ``--conf labels "WORDS; WORDS"`` says what is segmented here: the prompt of requests without one, the segments that
    clients offer, and what the values 1, 2, … mean of labels that are saved without names. ``--conf modality WORDS`` and
    ``--conf group REGEX`` are what :class:`~monai_ext.apps.label.options.TrainingOptions` calls so.

    A bundle that was retrained is served in the place of the one that it came from, from the next request on.

    Raises:
        InputError, WeightsError: as :func:`find_bundles`; when a label begins with what MONAI takes for code.
    """

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.bundles = find_bundles(Path(app_dir) / "model", conf.get("models", ""))
        self.label_names = [plain_text(name) for name in split_prompts(conf.get("labels", ""))]
        self._served: dict[str, Path] = {}
        self._changing = threading.Lock()
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf,
            name=f"monai_ext {monai_ext.__version__}",
            description="Medical images segmented from text",
            version=monai_ext.__version__,
        )
        # MONAI Label would score all images after every start, training and sample. Here a sample of the strategy that
        # needs scores asks for some.
        self._auto_update_scoring = False

    def init_infers(self) -> dict[str, TextPromptInferTask]:
        self._served = {name: Runs(path).served() for name, path in self.bundles.items()}
        return {name: TextPromptInferTask(str(path), self.conf) for name, path in self._served.items()}

    def init_trainers(self) -> dict[str, RetrainTask]:
        trainable = {name: path for name, path in self.bundles.items() if trainings(path)}
        return {name: RetrainTask(path, self.label_names, self.conf) for name, path in trainable.items()}

    def init_strategies(self) -> dict[str, Any]:
        return {"first": First(), "random": Random(), LOWEST_QUALITY: LowestQuality(self.scoring_of)}

    def init_scoring_methods(self) -> dict[str, Any]:
        return {QUALITY: QualityScoring(self.scoring_of)}

    def info(self) -> dict[str, Any]:
        self.serve_newest()
        found: dict[str, Any] = super().info()
        return found

    def infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        self.serve_newest()
        found: dict[str, Any] = super().infer(request, datastore)
        return found

    def next_sample(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().next_sample(request)
        except InputError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None
        if request.get("strategy") == LOWEST_QUALITY and found.get("unscored") and self._server_mode:
            # nothing is started where scoring is under way
            AsyncTask.run("scoring", request={"method": QUALITY, **_asked(request)})
        return found

    def serve_newest(self) -> None:
        """Serve what was retrained since the last request; what is being answered is answered by the bundle before."""
        with self._changing:
            for name, path in self.bundles.items():
                newest = Runs(path).served()
                if newest != self._served[name]:
                    self._infers[name] = TextPromptInferTask(str(newest), self.conf)
                    self._served[name] = newest

    def scoring_of(self, request: dict[str, Any]) -> tuple[TextPromptInferTask, Path, str]:
        """The served bundle that a request means, its folder beside the others, and the prompt to score.

        The prompt is that of the request, of ``--conf labels``, what the bundle was retrained for, or its own.

        Raises:
            InputError: when there is no such bundle, or the prompt is none.
        """
        self.serve_newest()
        name = request.get("model") or next(iter(self.bundles))
        if name not in self.bundles:
            raise InputError(f"no bundle {name!r} is served; choose from {', '.join(self.bundles)}.")
        published = Runs(self.bundles[name]).published()
        trained = "; ".join(published.targets) if published and not self.label_names else ""
        task = self._infers[name]
        prompt = request.get("text_prompt") or trained or task.config()["text_prompt"]
        return task, self.bundles[name], prompt


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in ("model", "text_prompt") if name in request}


def find_bundles(folder: Path, names: str) -> dict[str, Path]:
    """Exported bundles in a folder by name, all of them or those of a list separated by commas.

    Raises:
        WeightsError: when one has no weights, or such as hold NaN or infinity.
        InputError: when one is missing, or there is none.
    """
    found = {path.parent.parent.name: path.parent.parent for path in folder.glob("*/configs/inference.json")}
    wanted = [name.strip() for name in names.split(",") if name.strip()] or sorted(found)
    if not wanted:
        raise InputError("no bundle in the folder model; make one with: monai-ext bundles export.")
    for name in wanted:
        if name not in found:
            raise InputError(f"no bundle {name} in the folder model; make it with: monai-ext bundles export.")
        check_own_model(found[name])
    return {name: found[name] for name in wanted}
