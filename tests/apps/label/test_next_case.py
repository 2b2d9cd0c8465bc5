"""The order of cases, and what is scored; the datastore and the bundle are stand-ins."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("monailabel", reason="needs an environment of its own; run make test-label")

from monai_ext.apps.label.next_case import LowestQuality, QualityScoring
from monai_ext.apps.label.scores import Scores
from monai_ext.errors import InputError


class Store:
    def __init__(self, folder: Path, images: str) -> None:
        self.folder, self.images, self.offered = folder, list(images), {}
        for image in images:
            (folder / f"{image}.png").write_text(image)

    def get_unlabeled_images(self, label_tag=None, labels=None):
        return self.images

    def get_image_uri(self, image):
        return str(self.folder / f"{image}.png")

    def get_image_info(self, image):
        return {"strategy": {"lowest_quality": {"ts": self.offered[image]}}} if image in self.offered else {}


class Task:
    """A served bundle whose quality of an image is told, or an error."""

    weights = "w"

    def __init__(self, qualities) -> None:
        self.qualities, self.asked = qualities, []

    def quality(self, image, prompt, device):
        self.asked.append((Path(image).stem, prompt, device))
        found = self.qualities[Path(image).stem]
        if isinstance(found, Exception):
            raise RuntimeError("wrapped, as MONAI does") from found
        return found


@pytest.fixture
def score(tmp_path):
    """Scores of images, asked for as a server would; gives the strategy with the same bundle."""

    def score(store, **qualities):
        task = Task({image: [one] for image, one in qualities.items()})
        known = Scores(tmp_path / "vlsm", "w", "lungs")
        for image, one in qualities.items():
            known.add(image, store.folder / f"{image}.png", one)
        return LowestQuality(lambda request: (task, tmp_path / "vlsm", "lungs"))

    return score


def test_the_lowest_quality_comes_first_then_the_unscored_then_those_without_a_mask(score, tmp_path):
    store = Store(tmp_path, "abcde")
    strategy = score(store, a=None, c=0.9, e=0.2)
    order = []
    while (found := strategy({}, store)) is not None:
        order.append((found["id"], found["quality"]))
        store.images.remove(found["id"])
    assert order == [("e", 0.2), ("c", 0.9), ("b", None), ("d", None), ("a", None)]


def test_what_was_offered_within_a_day_comes_last_the_earliest_first(score, tmp_path):
    store, now = Store(tmp_path, "abc"), time.time()
    strategy = score(store, a=0.1, b=0.2, c=0.3)
    store.offered = {"a": now - 60, "b": now - 90}
    assert strategy({}, store)["id"] == "c"
    store.offered["c"] = now - 30
    assert strategy({}, store)["id"] == "b"
    store.offered["a"] = now - 90000
    assert strategy({}, store) == {"id": "a", "quality": 0.1, "scored": 3, "unscored": 0}


def test_a_changed_image_has_no_score(score, tmp_path):
    store = Store(tmp_path, "ab")
    strategy = score(store, a=0.1, b=0.2)
    (tmp_path / "a.png").write_text("another")
    assert strategy({}, store) == {"id": "b", "quality": 0.2, "scored": 1, "unscored": 1}


def test_scoring_ends_at_its_limits_and_goes_on_with_the_next_request(tmp_path):
    store = Store(tmp_path, "abc")
    unreadable = InputError("c.png: damaged.")
    task = Task({"a": [None, 0.7, 0.4], "b": [None], "c": unreadable})
    scoring = QualityScoring(lambda request: (task, tmp_path / "vlsm", "lungs; heart"))
    assert scoring({"limit": 2, "device": "cpu"}, store) == {"a": 0.4, "b": None}
    assert scoring({}, store) == {"c": None}
    assert scoring({}, store) == {}
    assert task.asked == [
        ("a", "lungs; heart", "cpu"),
        ("b", "lungs; heart", "cpu"),
        ("c", "lungs; heart", None),
    ]
    known = Scores(tmp_path / "vlsm", "w", "lungs; heart")
    assert known.of("c", tmp_path / "c.png").reason == "c.png: damaged."


def test_scoring_ends_in_time(tmp_path):
    store = Store(tmp_path, "abc")
    task = Task({image: [0.5] for image in "abc"})
    scoring = QualityScoring(lambda request: (task, tmp_path / "vlsm", "lungs"))
    assert scoring({"seconds": 1e-9}, store) == {}


@pytest.mark.parametrize("limits", [{"limit": 0}, {"limit": "3"}, {"seconds": -1}, {"seconds": True}])
def test_limits_are_numbers_above_0(limits, tmp_path):
    scoring = QualityScoring(lambda request: (Task({}), tmp_path / "vlsm", "lungs"))
    with pytest.raises(InputError, match="a number above 0 is needed"):
        scoring(limits, Store(tmp_path, "a"))


def test_a_fault_is_no_score(tmp_path):
    task = Task({"a": [0.5]})
    task.qualities = {}
    scoring = QualityScoring(lambda request: (task, tmp_path / "vlsm", "lungs"))
    with pytest.raises(KeyError):
        scoring({}, Store(tmp_path, "a"))
    assert not (tmp_path / "vlsm.scores.json").exists()
