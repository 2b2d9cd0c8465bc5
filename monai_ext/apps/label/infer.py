"""One bundle as MONAI Label serves it, with the prompt as a parameter of each request.

MONAI Label's own ``monaibundle`` application serves the same bundles, but it runs a prompt that begins with ``$`` as
code, so anyone who reaches the server can run code; inferences that run at the same time (batch inference) share one
configuration, hence a prompt; and the masks of pictures (PNG, JPEG) come out as one column.
"""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.tasks.infer.bundle import BundleInferTask
from monailabel.utils.others.generic import name_to_device

from monai_ext.errors import InputError
from monai_ext.files import file_sha256
from monai_ext.inferers.quality import estimated_quality
from monai_ext.prompts.separate import plain_text, split_prompts


class TextPromptInferTask(BundleInferTask):
    """One bundle: image and ``text_prompt`` in, label map out.

    The result's parameters hold ``label_names`` (prompt to its value in the label map) and ``presence``
    (prompt to the probability, in [0, 1], that the image shows it; below the bundle's threshold the mask
    is empty). Bad input is answered with status 400 and one line.

    Args:
        path: folder of the exported bundle.
        conf: the server's ``--conf`` pairs; ``labels`` are its prompts where a request has none.
    """

    def __init__(self, path: str, conf: dict[str, str]) -> None:
        super().__init__(path, conf, load_strict=True)
        if conf.get("labels"):
            self._config["text_prompt"] = self.displayable_configs["text_prompt"] = conf["labels"]
        # the segments that a client offers to draw
        self.labels = {
            name: value for value, name in enumerate(split_prompts(self._config["text_prompt"]), 1)
        }
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

    @cached_property
    def weights(self) -> str:
        """SHA-256 of the weights that are served, by which scores are kept."""
        return file_sha256(Path(self.get_path()))

    def writer(
        self, data: dict[str, Any], extension: Any = None, dtype: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """Write the label map as MONAI Label does, which takes every array for (X, Y, …)."""
        if data[self.key_image].meta.get("kind") == "picture":
            # (1, H, W) with the rows first
            data = {**data, self.key_pred: data[self.key_pred][0].T}
        file, result = super().writer(data, extension, dtype)
        return file, {**result, "presence": data["presence"].tolist(), "unknown": data["unknown"]}

    def quality(self, image: str, prompt: str, device: str | None = None) -> list[float | None]:
        """How far the results of an image agree with those in other views and words, see ``estimated_quality``.

        Args:
            image: its path.
            prompt: as in a request, perhaps several.
            device: as in a request; None: a GPU where there is one.

        Returns:
            for each prompt the quality in [0, 1]; None where it has no mask.

        Raises:
            InputError: when the image cannot be read.
        """
        check_setting("text_prompt", prompt, "")
        device = name_to_device(device)
        data = {**self._config, "image": image, "image_path": image, "text_prompt": prompt, "device": device}
        with self._one_request:
            data = self.run_pre_transforms(data, self.pre_transforms(data))
            network, inferer = self._get_network(device, data), self.inferer(data)
        (found,) = estimated_quality(inferer, data[self.key_image][None].to(device), network)
        return found


def check_setting(key: str, value: Any, default: Any) -> None:
    """Pass a value that a client may put into a bundle's configuration.

    Raises:
        InputError: when it is of another type than the default, or text that MONAI would run as code.
    """
    if type(value) is not type(default):
        raise InputError(f"{key} is {value!r}; {type(default).__name__} is needed.")
    if isinstance(value, str):
        plain_text(value)
