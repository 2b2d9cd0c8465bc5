"""A MONAI Label application that serves exported bundles, with the prompt as a parameter of each request.

    mkdir -p APP/model
    echo 'from monai_ext.apps.label import LabelApp' > APP/main.py
    monai-ext bundles export vlsm APP/model/vlsm
    monailabel start_server --app APP --studies STUDIES --host 127.0.0.1

A client sends ``{"text_prompt": "left lung; right lung"}`` with an inference. The environment is one of its
own, see ``make test-label``. MONAI Label's own ``monaibundle`` application serves the same bundles, but it
runs a prompt that begins with ``$`` as code, so anyone who reaches the server can run code; inferences that
run at the same time (batch inference) share one configuration, hence a prompt; and the masks of pictures
(PNG, JPEG) come out as one column.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.app import MONAILabelApp
from monailabel.tasks.activelearning.first import First
from monailabel.tasks.activelearning.random import Random
from monailabel.tasks.infer.bundle import BundleInferTask

import monai_ext
from monai_ext.errors import InputError
from monai_ext.prompts.separate import plain_text, split_prompts
from monai_ext.weights.load import check_own_model


class TextPromptInferTask(BundleInferTask):
    """One bundle: image and ``text_prompt`` in, label map out.

    The result's parameters hold ``label_names`` (prompt to its value in the label map) and ``presence``
    (prompt to the probability, in [0, 1], that the image shows it; below the bundle's threshold the mask
    is empty). Bad input is answered with status 400 and one line.

    Args:
        path: folder of the exported bundle.
        conf: the server's ``--conf`` pairs.
    """

    def __init__(self, path: str, conf: dict[str, str]) -> None:
        super().__init__(path, conf, load_strict=True)
        # The configuration holds the prompt of the request that is being answered.
        self._one_request = threading.Lock()

    def __call__(self, request: dict[str, Any], callbacks: Any = None) -> tuple[Any, dict[str, Any]]:
        try:
            for key, default in self.displayable_configs.items():
                check_setting(key, request.get(key, default), default)
            prompts = split_prompts(request.get("text_prompt", self.displayable_configs["text_prompt"]))
            with self._one_request:
                file, result = super().__call__(request, callbacks)
        except InputError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None
        result["label_names"] = {prompt: value for value, prompt in enumerate(prompts, 1)}
        result["presence"] = dict(zip(prompts, result["presence"], strict=True))
        reasons = zip(prompts, result["unknown"], strict=True)
        result["unknown"] = {prompt: reason for prompt, reason in reasons if reason}
        return file, result

    def writer(
        self, data: dict[str, Any], extension: Any = None, dtype: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """Write the label map as MONAI Label does, which takes every array for (X, Y, …)."""
        if data[self.key_image].meta.get("kind") == "picture":
            # (1, H, W) with the rows first
            data = {**data, self.key_pred: data[self.key_pred][0].T}
        file, result = super().writer(data, extension, dtype)
        return file, {**result, "presence": data["presence"].tolist(), "unknown": data["unknown"]}


def check_setting(key: str, value: Any, default: Any) -> None:
    """Pass a value that a client may put into a bundle's configuration.

    Raises:
        InputError: when it is of another type than the default, or text that MONAI would run as code.
    """
    if type(value) is not type(default):
        raise InputError(f"{key} is {value!r}; {type(default).__name__} is needed.")
    if isinstance(value, str):
        plain_text(value)


class LabelApp(MONAILabelApp):
    """Serves every bundle in ``APP/model``, or those that ``--conf models NAME,NAME`` names."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        self.bundles = find_bundles(Path(app_dir) / "model", conf.get("models", ""))
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=conf,
            name=f"monai_ext {monai_ext.__version__}",
            description="Medical images segmented from text",
            version=monai_ext.__version__,
        )

    def init_infers(self) -> dict[str, TextPromptInferTask]:
        return {name: TextPromptInferTask(str(path), self.conf) for name, path in self.bundles.items()}

    def init_strategies(self) -> dict[str, Any]:
        return {"first": First(), "random": Random()}


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
