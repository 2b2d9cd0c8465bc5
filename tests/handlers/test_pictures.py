"""After each validation a sheet shows the same few cases: image, reference, and result with its Dice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import Dataset, MetaTensor
from PIL import Image

from monai_ext.handlers import pictures
from monai_ext.handlers.pictures import ValidationPictures, case_row, choose_cases
from monai_ext.io.colours import COLOURS
from monai_ext.visualize.contact_sheet import CAPTION, MARGIN, SIDE


def item(case, name="films", values=("1",)):
    return {"set": name, "case": str(case), "values": list(values), "target": ["lungs"] * len(values)}


ITEMS = [*(item(n) for n in range(6)), *(item(n, "other") for n in range(3)), item(9, "empty", ("",))]


def loaded(case, name="films"):
    """A case whose lungs are a square; the result covers its upper half."""
    label = torch.zeros(1, 40, 40)
    label[:, 10:30, 10:30] = 1
    mask = torch.zeros(1, 40, 40, dtype=torch.uint8)
    mask[:, 10:20, 10:30] = 1
    return {**item(case, name), "image": torch.full((3, 40, 40), 0.5), "label": label}, {"masks": mask}


def validate(handler, epoch, cases=range(6)):
    """A validation as MONAI's evaluator runs it; the case of each iteration is its batch."""

    def step(engine, case):
        batch, output = loaded(case)
        engine.state.batch = [batch]
        return [output]

    engine = Engine(step)
    handler.attach(engine)
    engine.state.epoch, engine.state.max_epochs = epoch - 1, epoch
    engine.run(list(cases), max_epochs=epoch)


def test_cases_with_a_target_are_chosen_evenly_from_each_set():
    four = choose_cases(ITEMS, 4)
    assert sorted(one["set"] for one in four) == ["films", "films", "other", "other"]
    assert choose_cases(ITEMS, 4) == four
    assert all(one in four for one in choose_cases(ITEMS[::-1], 4))
    assert choose_cases(ITEMS, 6)[:4] == four
    assert len(choose_cases(ITEMS, 50)) == 9
    assert choose_cases(ITEMS, 0) == []


def test_each_validation_writes_a_sheet_of_the_same_cases(tmp_path):
    handler = ValidationPictures(Dataset(ITEMS[:6]), tmp_path, 2)
    validate(handler, 3)
    validate(ValidationPictures(Dataset(ITEMS[:6]), tmp_path, 2), 12, reversed(range(6)))
    first, second = (tmp_path / "pictures" / f"epoch-{n:04d}.png" for n in (3, 12))
    assert first.read_bytes() == second.read_bytes()
    size = (3 * (SIDE + MARGIN) + MARGIN, 2 * (SIDE + CAPTION + MARGIN) + MARGIN)
    assert Image.open(first).size == size
    assert len(list((tmp_path / "pictures").iterdir())) == 2


def test_a_row_shows_the_image_the_reference_and_the_result_with_its_dice():
    batch, output = loaded(1)
    (plain, about), (true, _), (found, result) = case_row({**batch, **output})
    assert about == ("films/1", "lungs")
    assert result == ("result", "Dice 0.667")
    colours = [{tuple(c) for c in np.asarray(p).reshape(-1, 3).tolist()} for p in (plain, true, found)]
    grey = {(128, 128, 128)}
    assert colours == [grey, grey | {tuple(COLOURS[0])}, grey | {tuple(COLOURS[1])}]
    rows, _ = np.nonzero((np.asarray(found) == COLOURS[1]).all(-1))
    assert (rows.min(), rows.max()) == (60, 119)  # the upper half, six times as large


def test_of_several_targets_the_one_with_most_of_the_reference_is_drawn():
    batch, output = loaded(1)
    batch["label"][:, 0, 0] = 2
    batch |= {"values": ["", "2", "1"], "target": ["", "nodule", "lungs"]}
    masks = torch.cat([torch.zeros(2, 40, 40, dtype=torch.uint8), output["masks"]])
    (_, about), _, (_, result) = case_row({**batch, "masks": masks})
    assert (about[1], result[1]) == ("lungs", "Dice 0.667")


def test_a_target_that_the_image_does_not_show_has_no_dice():
    batch, output = loaded(1)
    batch["label"][:] = 0
    assert case_row({**batch, **output})[2][1] == ("result", "the reference is empty")


def test_of_a_volume_the_slice_with_most_of_the_reference_is_drawn():
    label = torch.zeros(1, 40, 40, 5)
    label[:, 10:14, 10:14, 1] = 1
    label[:, 10:30, 10:30, 3] = 1
    image = MetaTensor(torch.zeros(3, 40, 40, 5), torch.diag(torch.tensor([1.0, 1.0, 5.0, 1.0])))
    image[..., 3] = 0.5
    row = case_row({**item(1), "image": image, "label": label, "masks": label.to(torch.uint8)})
    assert (np.asarray(row[0][0]) == 128).all()
    assert row[2][1] == ("result", "Dice 1.000")


@pytest.mark.parametrize("count", [0, 2])
def test_another_process_than_the_first_or_a_count_of_0_writes_nothing(tmp_path, monkeypatch, count):
    monkeypatch.setattr(pictures, "rank", lambda: 1 if count else 0)
    validate(ValidationPictures(Dataset(ITEMS[:6]), tmp_path, count), 1)
    assert not (tmp_path / "pictures").exists()


def test_what_is_kept_between_validations_is_only_their_small_pictures(tmp_path):
    handler = ValidationPictures(Dataset(ITEMS[:6]), tmp_path, 2)
    validate(handler, 1)
    assert len(handler.rows) == 2
    assert all(picture.size == (SIDE, SIDE) for row in handler.rows.values() for picture, _ in row)
