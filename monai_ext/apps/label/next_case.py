"""Active learning: the next case to label is the one whose result is the least sure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy

from monai_ext.apps.label.infer import TextPromptInferTask
from monai_ext.apps.label.scores import Score, Scores
from monai_ext.errors import InputError, actionable

LOWEST_QUALITY, QUALITY = "lowest_quality", "quality"
OFFERED_S = 86400
"""Seconds for which an image that was offered comes after those that were not."""
CASES, SECONDS = 20, 600
"""Limits of one scoring, which a request may change: it ends after the case that reaches one of them."""

ScoringOf = Callable[[dict[str, Any]], tuple[TextPromptInferTask, Path, str]]
"""The bundle and the prompt that a request means, see :meth:`monai_ext.apps.label.app.LabelApp.scoring_of`."""


class QualityScoring(ScoringMethod):
    """Estimates how far the results of unlabelled images are to be trusted, some images a request.

    A request may hold ``model``, ``text_prompt``, ``limit`` (images), ``seconds`` and ``device``.
    """

    def __init__(self, scoring_of: ScoringOf) -> None:
        super().__init__("Agreement of each result with those in other views and words")
        self.scoring_of = scoring_of

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, float | None]:
        """Score images without a label that have no score yet; returns the quality of each that was scored."""
        task, bundle, prompt = self.scoring_of(request)
        end = time.monotonic() + _number(request, "seconds", SECONDS)
        scores = Scores(bundle, task.weights, prompt)
        done: dict[str, float | None] = {}
        for image in sorted(datastore.get_unlabeled_images()):
            path = Path(datastore.get_image_uri(image))
            if scores.of(image, path) is not None:
                continue
            if len(done) >= _number(request, "limit", CASES) or time.monotonic() >= end:
                break
            done[image], reason = _quality(task, path, prompt, request.get("device"))
            scores.add(image, path, done[image], reason)
        return done


class LowestQuality(Strategy):
    """Offers the unlabelled image with the lowest quality estimate.

    Images without an estimate come after those with one, and those in which nothing was found last. What was offered
    within a day comes after all others, the earliest first, so that two people get two cases.
    """

    def __init__(self, scoring_of: ScoringOf) -> None:
        super().__init__("The case whose result agrees least with those in other views and words")
        self.scoring_of = scoring_of

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """``id`` of the image, its ``quality`` if known, and how many images are ``scored`` and ``unscored``."""
        images = datastore.get_unlabeled_images(request.get("label_tag"), request.get("labels"))
        if not images:
            return None
        task, bundle, prompt = self.scoring_of(request)
        known = Scores(bundle, task.weights, prompt)
        scores = {image: known.of(image, Path(datastore.get_image_uri(image))) for image in images}
        now = time.time()

        def rank(image: str) -> tuple[float, int, float, str]:
            offered = _offered(datastore.get_image_info(image), now)
            return (offered, *_rank(scores[image]), image)

        image = min(images, key=rank)
        score = scores[image]
        unscored = sum(one is None for one in scores.values())
        return {
            "id": image,
            "quality": None if score is None else score.quality,
            "scored": len(images) - unscored,
            "unscored": unscored,
        }


def _rank(score: Score | None) -> tuple[int, float]:
    if score is None:
        return 1, 0.0
    return (2, 0.0) if score.quality is None else (0, score.quality)


def _offered(info: Mapping[str, Any], now: float) -> float:
    """When this strategy offered an image within the last day, in seconds; 0 if it did not."""
    at = float(info.get("strategy", {}).get(LOWEST_QUALITY, {}).get("ts", 0))
    return at if now - at < OFFERED_S else 0.0


def _quality(
    task: TextPromptInferTask, path: Path, prompt: str, device: str | None
) -> tuple[float | None, str]:
    """The lowest quality of the prompts that have a mask, and why the image could not be read."""
    try:
        found = task.quality(str(path), prompt, device)
    except Exception as error:
        if (reason := actionable(error)) is None:
            raise
        return None, str(reason)
    return min((one for one in found if one is not None), default=None), ""


def _number(request: Mapping[str, Any], name: str, standard: float) -> float:
    value = request.get(name, standard)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise InputError(f"{name} is {value!r}; a number above 0 is needed.")
    return float(value)
