"""Which cases are drawn after an evaluation, and what the pictures show."""

import json

import numpy as np
import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine
from monai.data import Dataset, MetaTensor
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.handlers.metrics import MeanDice, MetricsWriter
from monai_ext.handlers.overlays import CaseOverlays, choose_cases, rank_cases
from monai_ext.io.colours import COLOURS
from monai_ext.visualize.overlay import CONTOUR, GAP, LINE, PANELS, SHORTEST

REFERENCE, FOUND = COLOURS[:2]


def row(case, dice, target="tumour", present=True, **more):
    return {
        "set": "a",
        "case": case,
        "target": target,
        "present": present,
        "dice": dice,
        "prompt": "p",
        **more,
    }


def chosen(*rows):
    return [(word, one["case"]) for word, one in choose_cases(rows)]


def test_the_lowest_the_middle_and_the_highest_score_are_chosen():
    rows = [row("1", 0.5), row("2", 0.9), row("3", 0.1), row("4", 0.7), row("5", 0.6)]
    assert chosen(*rows) == [("worst", "3"), ("median", "5"), ("best", "2")]


def test_of_an_even_number_the_lower_middle_is_the_median():
    rows = [row("1", 0.5), row("2", 0.9), row("3", 0.1), row("4", 0.7)]
    assert chosen(*rows) == [("worst", "3"), ("median", "1"), ("best", "2")]


def test_equal_scores_still_give_three_cases():
    assert chosen(*(row(c, 1.0) for c in "cab")) == [("worst", "a"), ("median", "b"), ("best", "c")]


def test_one_case_is_the_worst_and_two_are_the_worst_and_the_best():
    assert chosen(row("1", 0.5)) == [("worst", "1")]
    assert chosen(row("1", 0.5), row("2", 0.4)) == [("worst", "2"), ("best", "1")]


def test_absent_targets_do_not_count():
    nothing = row("0", float("nan"), present=False)
    assert chosen(nothing) == []
    assert chosen(nothing, row("1", 0.5)) == [("worst", "1")]


def test_every_set_and_target_has_its_own():
    rows = [row("1", 0.5), row("1", 0.2, target="liver"), row("2", 0.1, set="b")]
    assert [(one["set"], one["target"]) for _, one in choose_cases(rows)] == [
        ("a", "liver"),
        ("a", "tumour"),
        ("b", "tumour"),
    ]


def test_all_cases_are_ranked_within_their_set_and_target():
    rows = [row("b/1", 0.5), row("2", 0.9), row("3", 0.1, set="b"), row("4", 0.1, present=False)]
    assert [(word, one["case"]) for word, one in rank_cases(rows)] == [
        ("0001-b-1", "b/1"),
        ("0002-2", "2"),
        ("0001-3", "3"),
    ]
    with pytest.raises(InputError, match="'few'; choose from some, all"):
        CaseOverlays(Dataset([]), "few")


def box(shape, *sides):
    array = torch.zeros(shape)
    array[tuple(slice(*side) for side in sides)] = 1
    return array


def case(name, label, mask, image=None, affine=None):
    """An item whose found mask goes beside it; the label's value is 1."""
    image = torch.full((3, *label.shape), 0.25) if image is None else image
    affine = torch.eye(4) if affine is None else affine
    return {
        "set": "tiny",
        "case": name,
        "group": name,
        "modality": "us",
        "table": "0+1",
        "prompt": ["a tumour"],
        "target": ["tumour"],
        "values": ["1"],
        "presence": torch.tensor([0.75]),
        "image": MetaTensor(image, affine=affine),
        "label": MetaTensor(label[None], affine=affine),
        "masks": MetaTensor(mask[None].to(torch.uint8), affine=affine),
    }


class Counting(Dataset):
    """Counts how often each case is read."""

    def __init__(self, data):
        super().__init__(data)
        self.read = []

    def __getitem__(self, index):
        self.read.append(self.data[index]["case"])
        return {key: value for key, value in self.data[index].items() if key != "masks"}


def evaluate(cases, output, drawn="some"):
    """Run the handlers over cases as an evaluator does; the pictures' list, and which cases were read again."""

    def step(engine, number):
        engine.state.batch = [{key: value for key, value in cases[number].items() if key != "masks"}]
        return [{"masks": cases[number]["masks"]}]

    engine, metric, dataset = Engine(step), MeanDice(surface=False), Counting(cases)
    metric.attach(engine, "dice")
    MetricsWriter(metric, output, overlays=CaseOverlays(dataset, drawn)).attach(engine)
    engine.run(range(len(cases)))
    return json.loads((output / "metrics.json").read_text())["overlays"], dataset.read


def marked(picture, colour):
    return (picture == np.array(colour)).all(axis=-1)


def test_both_contours_are_drawn_where_they_belong(tmp_path):
    label = box((64, 64), (16, 32), (8, 40))
    cases = [
        case("half", label, box((64, 64), (16, 24), (8, 40))),
        case("exact", label, label),
        case("none", label, torch.zeros(64, 64)),
    ]
    pictures, read = evaluate(cases, tmp_path)
    assert [(p["which"], p["case"], p["dice"]) for p in pictures] == [
        ("worst", "none", 0.0),
        ("median", "half", pytest.approx(2 / 3)),
        ("best", "exact", 1.0),
    ]
    assert [p["file"] for p in pictures] == [f"overlays/tiny-tumour-{p['which']}.png" for p in pictures]
    assert sorted(p.name for p in (tmp_path / "overlays").iterdir()) == sorted(
        p["file"].split("/")[1] for p in pictures
    )
    assert sorted(read) == ["exact", "half", "none"]
    scale = SHORTEST // 64
    none, half, exact = (np.asarray(Image.open(tmp_path / p["file"])) for p in pictures)
    assert exact.shape == (SHORTEST + 2 * LINE + LINE // 2, SHORTEST, 3)
    for picture, rows in ((half, (16, 24)), (exact, (16, 32))):
        drawn = picture[:SHORTEST]
        outside, inside = marked(drawn, REFERENCE), marked(drawn, FOUND)
        ys, xs = np.nonzero(outside)
        assert (ys.min(), ys.max() + 1) == (16 * scale - CONTOUR, 32 * scale + CONTOUR)
        assert (xs.min(), xs.max() + 1) == (8 * scale - CONTOUR, 40 * scale + CONTOUR)
        ys, xs = np.nonzero(inside)
        assert (ys.min(), ys.max() + 1) == (rows[0] * scale, rows[1] * scale)
        assert (xs.min(), xs.max() + 1) == (8 * scale, 40 * scale)
        assert (drawn[20 * scale, 20 * scale] == 64).all()  # the image is seen, within the contours too
    assert not marked(none[:SHORTEST], FOUND).any()
    assert marked(none[:SHORTEST], REFERENCE).any()


def test_image_reference_and_result_stand_side_by_side_in_small_panels(tmp_path):
    label, found = box((64, 64), (16, 32), (8, 40)), box((64, 64), (40, 56), (8, 40))
    (picture,), _ = evaluate([case("a", label, found)], tmp_path)
    assert (picture["panels"], picture["presence"]) == ("panels/tiny-tumour-worst.jpg", 0.75)
    shown = Image.open(tmp_path / picture["panels"])
    width = 3 * SHORTEST + 2 * GAP
    assert shown.format == "JPEG" and shown.size == (PANELS, round(SHORTEST * PANELS / width))
    scale = PANELS / width * SHORTEST / 64
    pixels = np.asarray(shown).astype(int)
    for panel, inside in enumerate(((), (24,), (48,))):
        left = panel * (SHORTEST + GAP) * PANELS / width
        for row in (24, 48):
            pixel = pixels[round(row * scale), round(left + 24 * scale)]
            grey = np.ptp(pixel) < 20
            assert grey == (row not in inside), (panel, row, pixel)


def test_for_a_report_only_panels_are_drawn_of_the_same_cases(tmp_path):
    label = box((16, 16), (4, 8), (4, 8))
    cases = [case(name, label, label) for name in "abcd"]
    pictures, _ = evaluate(cases, tmp_path, "panels")
    assert [(p["which"], p["case"]) for p in pictures] == [("worst", "a"), ("median", "b"), ("best", "d")]
    assert not any("file" in p for p in pictures)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases.csv", "metrics.json", "panels"]
    assert {path.name for path in (tmp_path / "panels").iterdir()} == {p["panels"][7:] for p in pictures}


def test_of_a_volume_the_slice_with_most_of_the_reference_is_drawn(tmp_path):
    shape, affine = (32, 32, 5), torch.diag(torch.tensor([-1.0, -1.0, 3.0, 1.0]))  # shown as it lies, turned
    label = box(shape, (8, 16), (8, 16), (1, 3)) + box(shape, (16, 20), (8, 16), (2, 3))
    found = box(shape, (0, 32), (0, 32), (4, 5)) + box(shape, (8, 12), (8, 16), (2, 3))
    image = torch.arange(5.0).div(5).expand(3, *shape)
    pictures, _ = evaluate([case("v", label, found, image, affine)], tmp_path)
    (picture,) = (np.asarray(Image.open(tmp_path / p["file"])) for p in pictures)
    scale = SHORTEST // 32
    assert (picture[0, 0] == round(255 * 2 / 5)).all()  # slice 2, not 4 where most was found
    ys, xs = np.nonzero(marked(picture[:SHORTEST], FOUND))
    assert (xs.min(), xs.max() + 1, ys.min(), ys.max() + 1) == tuple(scale * n for n in (8, 12, 8, 16))
    _, xs = np.nonzero(marked(picture[:SHORTEST], REFERENCE))
    assert (xs.min(), xs.max() + 1) == (8 * scale - CONTOUR, 20 * scale + CONTOUR)


def test_a_case_is_read_again_once_however_many_pictures_show_it(tmp_path):
    label = box((32, 32), (8, 16), (8, 16)) + 2 * box((32, 32), (20, 24), (20, 24))
    item = case("a", label, label == 1)
    item |= {"prompt": ["one", "two"], "target": ["x", "y"], "values": ["1", "2"], "table": "0+1+2"}
    item |= {"masks": torch.stack([label == 1, label == 2]).to(torch.uint8), "presence": torch.ones(2)}
    pictures, read = evaluate([item], tmp_path)
    assert [p["file"] for p in pictures] == ["overlays/tiny-x-worst.png", "overlays/tiny-y-worst.png"]
    assert read == ["a"]


def test_without_any_target_nothing_is_drawn(tmp_path):
    item = case("a", torch.zeros(8, 8), torch.zeros(8, 8))
    pictures, read = evaluate([item], tmp_path)
    assert pictures == read == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cases.csv", "metrics.json"]


def test_a_run_begins_without_the_contours_of_the_one_before():
    cases = [case(name, torch.ones(4, 4), torch.ones(4, 4)) for name in "abc"]
    engine, overlays = Engine(lambda engine, _: [{}]), CaseOverlays(Dataset([]))
    overlays.attach(engine)
    for some in (cases[:2], cases[2:]):
        engine.run([[one] for one in some])
        assert [key[1] for key in overlays.kept] == [one["case"] for one in some]


def test_contours_of_all_processes_are_gathered(monkeypatch):
    overlays, others = CaseOverlays(Dataset([])), CaseOverlays(Dataset([]))
    overlays.keep(case("a", torch.ones(4, 4), torch.ones(4, 4)))
    others.keep(case("b", torch.ones(4, 4), torch.ones(4, 4)))
    assert overlays.gathered() == overlays.kept
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(
        dist, "all_gather_object", lambda found, own: found.__setitem__(slice(2), [own, others.kept])
    )
    assert overlays.gathered() == {**overlays.kept, **others.kept}


@pytest.mark.parametrize("key", ["masks", "target", "values"])
def test_masks_targets_and_values_are_as_many_as_prompts(key):
    item = case("a", torch.ones(4, 4), torch.ones(4, 4))
    with pytest.raises(ValueError, match="is shorter|is longer"):
        CaseOverlays(Dataset([])).keep({**item, key: item[key][:0]})


def test_contours_take_little_memory():
    overlays = CaseOverlays(Dataset([]))
    label = box((512, 512), (100, 300), (50, 400))
    overlays.keep(case("a", label, label))
    (kept,) = overlays.kept.values()
    assert len(kept.masks.compressed) < 2000
    assert np.array_equal(kept.masks.masks(), np.stack([label, label]) > 0)
