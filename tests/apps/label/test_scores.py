from __future__ import annotations

import os

import pytest

from monai_ext.apps.label import scores as module
from monai_ext.apps.label.contents import content_hash, stamp
from monai_ext.apps.label.scores import Scores


@pytest.fixture
def image(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"one")
    return file


def test_a_score_is_kept_for_the_same_content_weights_and_prompt(tmp_path, image):
    Scores(tmp_path / "vlsm", "w", "lungs").add("a", image, 0.5)
    assert Scores(tmp_path / "vlsm", "w", "lungs").of("a", image).quality == 0.5
    assert Scores(tmp_path / "vlsm", "w", "lungs").of("b", image) is None
    assert Scores(tmp_path / "vlsm", "x", "lungs").of("a", image) is None
    assert Scores(tmp_path / "vlsm", "w", "liver").of("a", image) is None
    assert Scores(tmp_path / "clip_sam", "w", "lungs").of("a", image) is None


def test_another_content_has_no_score_but_the_same_with_another_date_has(tmp_path, image):
    scores = Scores(tmp_path / "vlsm", "w", "lungs")
    scores.add("a", image, None, "a reason")
    os.utime(image, (1, 1))
    assert scores.of("a", image).reason == "a reason"
    image.write_bytes(b"two")
    assert scores.of("a", image) is None


def test_an_image_that_was_not_touched_is_not_read(tmp_path, image, monkeypatch):
    scores = Scores(tmp_path / "vlsm", "w", "lungs")
    scores.add("a", image, 0.25)
    monkeypatch.setattr(module, "content_hash", lambda path: pytest.fail("read"))
    assert scores.of("a", image).quality == 0.25


def test_scores_of_other_weights_are_forgotten_when_one_is_added(tmp_path, image):
    Scores(tmp_path / "vlsm", "w", "lungs").add("a", image, 0.5)
    Scores(tmp_path / "vlsm", "x", "lungs").add("b", image, 0.6)
    assert Scores(tmp_path / "vlsm", "w", "lungs").scores == {}
    assert list(Scores(tmp_path / "vlsm", "x", "lungs").scores) == ["b"]


def test_a_folder_is_its_files(tmp_path):
    folder = tmp_path / "series"
    (folder / "deep").mkdir(parents=True)
    (folder / "1").write_bytes(b"ab")
    (folder / "deep" / "2").write_bytes(b"c")
    os.utime(folder / "1", ns=(5, 5))
    os.utime(folder / "deep" / "2", ns=(7, 7))
    before = content_hash(folder)
    assert stamp(folder) == [2, 3, 7]
    (folder / "1").write_bytes(b"ba")
    assert content_hash(folder) != before
