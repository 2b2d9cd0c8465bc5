"""Segmentation from Python: ``monai_ext.load("vlsm").segment("chest.png", ["lungs"])``."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigWorkflow
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImaged, SaveImaged

from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.bundle.configs import inference_configs
from monai_ext.bundle.runner import AUTO, device_override, open_workflow, unwrapped
from monai_ext.engines.devices import mixed_precision
from monai_ext.errors import InputError
from monai_ext.inferers import Perturbations
from monai_ext.inferers.uncertainty import LEVELS
from monai_ext.prompts.prompt import Prompt, as_prompts
from monai_ext.prompts.text import escaped
from monai_ext.transforms.masks import PromptMasks
from monai_ext.transforms.save import not_taught, why_empty


@dataclass
class Result:
    """What one prompt found.

    Attributes:
        prompt: as asked.
        mask: (H, W) or (X, Y, Z) uint8 in {0, 1}, in the input's order, with its affine.
        presence: in [0, 1], that the image shows what the prompt names.
        probability: (H, W) or (X, Y, Z) float32 in [0, 1], zero where judged absent.
        found: whether the mask holds anything.
        reason: why it does not, a sentence; "" if it does.
        notes: what the prompt was taken to mean, sentences.
        quality: if asked for, mean pairwise Dice of the members in [0, 1], an estimate of how good the mask is; None where
            there is no mask.
        entropy: if asked for, (H, W) or (X, Y, Z) float32 in [0, 1], in bits: of the mean probability of the members.
    """

    prompt: str
    mask: MetaTensor
    presence: float
    probability: MetaTensor
    found: bool
    reason: str
    notes: tuple[str, ...] = ()
    quality: float | None = None
    entropy: torch.Tensor | None = None


class Segmenter:
    """A bundle's preprocessing, network, inferer and postprocessing, without its files in and out.

    Args:
        workflow: of the bundle's inference.json, initialised.

    Attributes:
        weights: which were loaded, as in the report.
        network: on its device, in evaluation mode.
    """

    def __init__(self, workflow: ConfigWorkflow) -> None:
        get = workflow.parser.get_parsed_content
        self.weights: dict[str, str] = get("loaded")
        device = get("device")
        self.network: torch.nn.Module = get("network_def").to(device).eval()
        self.inferer = get("inferer")
        self.perturbations: Perturbations = self.inferer.perturbations or Perturbations()
        self.inferer.mask_threshold = None  # a result holds probabilities, to be cut at any threshold
        self.threshold = float(get("mask_threshold"))
        self.presence_threshold = float(get("presence_threshold"))
        before: Compose = get("preprocessing")
        self._load = before
        self._show = Compose([t for t in before.transforms if not isinstance(t, LoadImaged)])
        self._finish = Compose([t for t in get("postprocessing").transforms if not isinstance(t, SaveImaged)])
        # the evaluator itself is not built: it needs files
        amp = get("evaluator#amp") if "evaluator#amp" in workflow.parser else None
        self._precision = partial(mixed_precision, device, amp)

    def segment(
        self,
        image: str | Path | torch.Tensor | np.ndarray,
        prompts: str | Prompt | Sequence[str | Prompt],
        threshold: float | None = None,
        uncertainty: bool = False,
    ) -> list[Result]:
        """Segment one image by each prompt.

        Args:
            image: a file or DICOM folder; or an array: (H, W) or (C, H, W) for a picture, (C, X, Y, Z) for a
                volume, C 1 or 3; pictures in uint8 are taken as they are, other pictures by their own range,
                volumes as those of files (CT in HU). A MetaTensor's affine (4, 4), RAS in mm, gives the position of
                a volume; a plain array is cut across its last axis and shown as it is.
            prompts: one or several; a string may hold several, separated by ";".
            threshold: probability in [0, 1] above which a pixel belongs to the mask; the bundle's own if None.
            uncertainty: also measure how sure each result is, by the ``perturbations`` of the bundle's configuration.

        Returns:
            one result per prompt, in their order.

        Raises:
            InputError: when image, prompts or threshold cannot be used.
        """
        asked = as_prompts(prompts)
        if threshold is not None and not 0 <= threshold <= 1:
            raise InputError(f"threshold is {threshold}; it lies in [0, 1].")
        limit = self.threshold if threshold is None else threshold
        with unwrapped():
            if isinstance(image, (str, Path)):
                item: Any = self._load({"image": str(Path(image).expanduser())})
            else:
                item = self._show({"image": _as_image(image)})
                if not isinstance(image, MetaTensor):
                    item["image"] = item["image"].as_tensor()  # the inferer then knows of no orientation
            with self._precision():
                pred = self.inferer(
                    item["image"][None],
                    self.network,
                    prompts=asked,
                    perturbations=self._perturbations(uncertainty, limit),
                )[0]
            done: Any = self._finish({**item, "pred": pred})
        masks = done["masks"] if threshold is None else PromptMasks(threshold)(pred)
        results = []
        presences, unknown, readings = done["presence"].tolist(), done["unknown"], done["reading"]
        for prompt, mask, probability, presence, why, reading in zip(
            asked, masks, pred, presences, unknown, readings, strict=True
        ):
            name, voxels = escaped(prompt.texts[0]), int(mask.count_nonzero())
            reason = why_empty(name, voxels, presence, self.presence_threshold, limit, why)
            if reason and not why:
                reason += not_taught(reading["modalities"], pred.meta)
            notes = tuple(reading["notes"])
            results.append(Result(name, mask, presence, probability, bool(mask.any()), reason, notes))
        if uncertainty:
            for result, quality, levels in zip(
                results, done["quality"].tolist(), done["entropy"], strict=True
            ):
                result.quality = None if math.isnan(quality) else quality
                result.entropy = levels.float() / LEVELS
        return results

    def _perturbations(self, enabled: bool, threshold: float) -> Perturbations:
        """Those of the configuration, with the threshold at which the masks are cut."""
        changed = copy.copy(self.perturbations)
        changed.enabled, changed.threshold = enabled, threshold
        return changed


def load(
    name: str | Path, device: str = AUTO, variants: Sequence[str] = (), trust: bool = False
) -> Segmenter:
    """Load a bundle with its weights.

    Args:
        name: of a bundle, or the folder of one (as exported).
        device: "auto", "cpu" or "cuda:0".
        variants: configurations laid over the bundle's own, see :func:`monai_ext.bundle.configs.config_files`.
        trust: run a bundle or variants from elsewhere without :func:`monai_ext.bundle.check.check_bundle`.

    Raises:
        InputError: unknown bundle, device or variant, or the check finds something in them.
        WeightsError: when its weights cannot be loaded.
    """
    bundle = find_trusted_bundle(name, variants, trust)
    return Segmenter(open_workflow(bundle, inference_configs(variants), device_override(device)))


def _as_image(image: torch.Tensor | np.ndarray) -> MetaTensor:
    """(C, H, W) or (C, X, Y, Z), a copy, with what preprocessing reads in ``meta``."""
    copied = image.clone() if isinstance(image, torch.Tensor) else torch.from_numpy(np.array(image))
    tensor = MetaTensor(copied[None] if copied.ndim == 2 else copied)
    if tensor.ndim not in (3, 4) or tensor.shape[0] not in (1, 3) or 0 in tensor.shape:
        raise InputError(
            f"an array of shape {tuple(image.shape)}: give (H, W) or (C, H, W) for a picture, (C, X, Y, Z) for "
            "a volume, with 1 or 3 channels."
        )
    tensor.meta["original_channel_dim"] = 0
    if tensor.ndim == 3 and "kind" not in tensor.meta:
        tensor.meta.update(kind="picture", bits=8 if tensor.dtype == torch.uint8 else 0)
    return tensor
