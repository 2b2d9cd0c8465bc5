"""Scores of prompts gathered from an evaluator, and the files at its end."""

import csv
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from ignite.engine import Engine
from monai.data import MetaTensor

from monai_ext.errors import InputError
from monai_ext.handlers.metrics import MeanDice, MetricsWriter, score_case
from monai_ext.handlers.stages import RecordedCase, RecordedSlice, StageRecorder
from monai_ext.io.slices import SliceView
from monai_ext.masks import CompressedMasks


def scored(case="a", **more):
    """Label 1, found with one pixel of two; labels 2 and 3, found; label 4, absent; a thing, claimed."""
    label = torch.tensor([[1.0, 1.0, 2.0, 3.0]])[None]
    masks = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.uint8)[:, None]
    return {
        "set": "tiny",
        "case": case,
        "group": f"patient {case}",
        "modality": "us",
        "table": "0+1+2+3+4",
        "prompt": ["one", "two or three", "four", "a spoon"],
        "target": ["first", "pair", "fourth", ""],
        "values": ["1", "2+3", "4", ""],
        "label": label,
        "masks": masks,
        "presence": torch.tensor([0.75, 0.5, 0.25, 0.125]),
        **more,
    }


def volume(spacing=(1.0, 1.0, 3.0), label_shift=0.0):
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    moved = affine.clone()
    moved[0, 3] = label_shift
    cube = torch.zeros(1, 8, 8, 8)
    cube[:, 2:6, 2:6, 2:6] = 1
    return scored(
        prompt=["one"],
        target=["first"],
        values=["1"],
        presence=torch.ones(1),
        masks=MetaTensor(cube.roll(1, dims=3).to(torch.uint8), affine=affine),
        label=MetaTensor(cube, affine=moved),
    )


def test_a_case_gives_one_row_per_prompt():
    rows = score_case(scored())
    assert [row["target"] for row in rows] == ["first", "pair", "fourth", ""]
    assert [row["present"] for row in rows] == [True, True, False, False]
    assert [row["presence"] for row in rows] == [0.75, 0.5, 0.25, 0.125]
    assert [row["voxels"] for row in rows] == [1, 2, 0, 4]
    assert [row["reference_voxels"] for row in rows] == [2, 2, 0, 0]
    assert {row["image_voxels"] for row in rows} == {scored()["masks"][0].numel()}
    assert rows[0]["dice"] == pytest.approx(2 / 3) and rows[1]["dice"] == 1.0
    assert math.isnan(rows[2]["dice"]) and math.isnan(rows[3]["dice"])
    assert (rows[0]["set"], rows[0]["case"], rows[0]["group"], rows[0]["unit"]) == (
        "tiny",
        "a",
        "patient a",
        "px",
    )


def test_words_that_name_the_true_subtype_are_flagged(tmp_path):
    cases = [scored(case, subtype=["benign", "", "", ""]) for case in "ab"]
    assert [(row["subtype"], row["oracle"]) for row in score_case(cases[0])][:2] == [("benign", 1), ("", 0)]
    evaluate(cases, lambda metric: MetricsWriter(metric, tmp_path, samples=10))
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["wording"] == {"oracle": 2, "generic": 2}  # absent targets are not counted
    with (tmp_path / "cases.csv").open(newline="") as file:
        assert [row["oracle"] for row in csv.DictReader(file)].count("1") == 2


def absent(case="a", **more):
    """As :func:`scored`; the first target is refused by its words, the fourth is not in the image, nor is the thing."""
    return scored(
        case,
        regions="breast",
        kind=["", "", "", "nonsense"],
        asked_for=["first", "pair", "fourth", "a spoon"],
        asked_modality=["us", "us", "us", ""],
        unknown=["is not known", "", "", ""],
        **more,
    )


def test_rows_of_absent_targets_say_what_was_asked_and_the_label_tells_what_is_healthy():
    keys = ("kind", "asked_for", "asked_modality", "regions", "refused")
    assert [tuple(row[key] for key in keys) for row in score_case(absent())] == [
        ("present", "first", "us", "breast", 1),
        ("present", "pair", "us", "breast", 0),
        ("healthy", "fourth", "us", "breast", 0),
        ("nonsense", "a spoon", "", "breast", 0),
    ]


def test_figures_and_cross_table_of_absent_targets_are_written(tmp_path):
    evaluate([absent("a"), absent("b")], lambda metric: MetricsWriter(metric, tmp_path, samples=10))
    figures = json.loads((tmp_path / "metrics.json").read_text())["absent"]
    assert list(figures["kinds"]) == ["healthy", "nonsense"]
    assert [figures["kinds"][kind]["share"] for kind in figures["kinds"]] == [0.0, 1.0]
    assert (figures["t_acc"]["mean"], figures["n_acc"]["mean"]) == (1.0, 0.5)
    assert figures["giou"]["mean"] == (0.5 + 1 + 1 + 0) / 4
    with (tmp_path / "absent.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(one["target"], one["kind"], one["asked"], one["answered"], one["refused"]) for one in lines] == [
        ("a spoon", "nonsense", "2", "2", "0"),
        ("first", "present", "2", "2", "2"),
        ("fourth", "healthy", "2", "0", "0"),
        ("pair", "present", "2", "2", "0"),
    ]


def test_other_evaluations_have_no_figures_of_absent_targets(tmp_path):
    evaluate([scored("a")], lambda metric: MetricsWriter(metric, tmp_path, samples=10))
    assert "absent" not in json.loads((tmp_path / "metrics.json").read_text())
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "cases.csv"}


def test_volumes_are_measured_in_millimetres():
    (row,) = score_case(volume())
    assert row["unit"] == "mm"
    assert row["hd95"] == pytest.approx(3.0)


def test_a_picture_without_label_can_only_be_absent():
    found = {"masks": torch.ones(1, 1, 4, dtype=torch.uint8), "presence": torch.ones(1)}
    (row,) = score_case(scored(label=None, prompt=["a spoon"], target=[""], values=[""], **found))
    assert (row["present"], row["voxels"]) == (False, 4)
    with pytest.raises(InputError, match="tiny/a: no label to score 'first' by"):
        score_case(scored(label=None))


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"tiny/a: label of shape \(1, 2, 2\) for an image of \(1, 4\)"):
        score_case(scored(label=torch.zeros(1, 2, 2)))
    with pytest.raises(InputError, match="tiny/a: the label holds 255, which the label table does not name"):
        score_case(scored(label=255 * torch.ones(1, 1, 4)))
    with pytest.raises(InputError, match="label and image lie differently in space"):
        score_case(volume(label_shift=2.0))


@pytest.mark.parametrize(("shift", "fits"), [(0.0, True), (9e-4, True), (1.1e-3, False)])
def test_image_and_label_may_lie_a_thousandth_of_a_millimetre_apart(shift, fits):
    if fits:
        assert score_case(volume(label_shift=shift))[0]["reference_voxels"] == 64
    else:
        with pytest.raises(
            InputError, match="tiny/a: label and image lie differently in space; give them one"
        ):
            score_case(volume(label_shift=shift))


def test_only_volumes_with_two_affines_are_compared_in_space():
    one = volume(label_shift=2.0)
    assert score_case({**one, "label": one["label"].as_tensor()})[0]["reference_voxels"] == 64
    picture = scored()
    for key, place in (("masks", 0.0), ("label", 9.0)):
        affine = torch.eye(4, dtype=torch.float64)
        affine[0, 3] = place
        picture[key] = MetaTensor(picture[key], affine=affine)
    assert [row["reference_voxels"] for row in score_case(picture)] == [2, 2, 0, 0]


def test_masks_presences_and_prompts_are_as_many():
    with pytest.raises(ValueError, match="tiny/a: 4 masks and 3 presences of 4 prompts"):
        score_case(scored(presence=torch.ones(3)))
    with pytest.raises(ValueError, match="tiny/a: 3 masks and 4 presences of 4 prompts"):
        score_case(scored(masks=torch.zeros(3, 1, 4, dtype=torch.uint8)))
    with pytest.raises(ValueError, match="tiny/a: 4 masks and 4 presences of 3 prompts"):
        score_case(scored(prompt=["one", "two", "three"]))
    for key in ("target", "values", "subtype"):
        with pytest.raises(ValueError, match="shorter than"):
            score_case(scored(**{key: ["1"]}))


def evaluate(cases, *handlers):
    """An engine that goes through scored cases as an evaluator does after post-processing."""

    def step(engine, case):
        engine.state.batch = [{key: case[key] for key in case if key != "masks"}]
        return [{"masks": case["masks"]}]

    engine = Engine(step)
    metric = MeanDice()
    metric.attach(engine, "dice")
    for handler in handlers:
        handler(metric).attach(engine)
    engine.run(cases)
    return engine.state.metrics["dice"], metric


def test_the_metric_is_the_mean_over_pairs_of_image_and_target():
    dice, metric = evaluate([scored("a"), scored("b")])
    assert dice == pytest.approx((2 / 3 + 1) / 2)
    assert [row["case"] for row in metric.rows] == ["a"] * 4 + ["b"] * 4


def test_every_pair_counts_as_much_however_many_its_image_has():
    missed = torch.zeros(1, 1, 4, dtype=torch.uint8)
    one = {"prompt": ["one"], "target": ["first"], "values": ["1"], "presence": torch.ones(1)}
    dice, metric = evaluate([scored("a"), scored("b", masks=missed, **one)])
    assert dice == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert [row["voxels"] for row in metric.rows] == [4, 1, 0, 2, 0]


def test_without_any_target_the_metric_is_undefined():
    dice, _ = evaluate([scored(values=[""] * 4, target=[""] * 4)])
    assert math.isnan(dice)


def test_figures_and_cases_are_written_at_the_end(tmp_path):
    evaluate([scored("a"), scored("b")], lambda metric: MetricsWriter(metric, tmp_path / "new" / "out"))
    written = tmp_path / "new" / "out"
    assert sorted(path.name for path in written.iterdir()) == ["cases.csv", "metrics.json"]
    figures = json.loads((written / "metrics.json").read_text())
    assert list(figures["targets"]) == ["first", "pair"]
    assert figures["presence"]["false_positive_rate"] == 0.5
    with (written / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["target"], row["dice"], row["present"]) for row in rows[:4]] == [
        ("a", "", "", "False"),
        ("a", "first", "0.666667", "True"),
        ("a", "fourth", "", "False"),
        ("a", "pair", "1", "True"),
    ]


def recorded(*pixels):
    """The same coarse mask of all four prompts."""
    coarse = {"coarse": CompressedMasks.of(np.array([[pixels]], dtype=bool))}
    slices = [RecordedSlice(None, dict.fromkeys(range(4), coarse))]
    return RecordedCase(SliceView(2, 0, 1), (True,) * 4, slices)


def test_stages_are_taken_case_by_case_and_forgotten_at_a_new_start():
    recorder = StageRecorder()
    metric = MeanDice(recorder=recorder)
    recorder.cases += [recorded(1, 0, 0, 0), recorded(1, 1, 0, 0), recorded(0, 0, 1, 1)]
    state = SimpleNamespace(batch=[scored("a"), scored("b")], output=[{}, {}])
    metric.iteration_completed(SimpleNamespace(state=state))
    assert [row["coarse_dice"] for row in metric.rows[::4]] == [pytest.approx(2 / 3), 1]
    assert len(recorder.cases) == 1
    metric.reset()
    assert metric.rows == recorder.cases == []


def test_a_case_of_which_nothing_was_asked_has_empty_stages(tmp_path):
    unasked = RecordedCase(SliceView(2, 0, 1), (False,) * 4)
    pair = [scored("a", recorded=unasked), scored("b", recorded=recorded(1, 0, 0, 0))]
    _, metric = evaluate(pair, lambda metric: MetricsWriter(metric, tmp_path))
    by_target = {(row["case"], row["target"]): row["coarse_dice"] for row in metric.rows}
    assert (by_target["a", "first"], by_target["b", "first"]) == (0, pytest.approx(2 / 3))
    assert math.isnan(by_target["a", "fourth"]) and math.isnan(by_target["b", "fourth"])
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["targets"]["first"]["coarse_dice"]["mean"] == pytest.approx(1 / 3)
    header, *lines = (tmp_path / "cases.csv").read_text().splitlines()
    assert header.endswith("coarse_dice") and len(lines) == 8


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        evaluate([scored()], lambda metric: MetricsWriter(metric, tmp_path / "file" / "out"))


def _score_in_process(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    names = [["a", "c"], ["b", "a"]][rank]  # a sampler repeats a case to give every process as many
    dice, metric = evaluate([scored(n) for n in names], lambda m: MetricsWriter(m, folder / "out"))
    (folder / f"{rank}.json").write_text(json.dumps([dice, [row["case"] for row in metric.rows]]))
    dist.destroy_process_group()


def test_processes_share_their_rows_once(tmp_path):
    mp.spawn(_score_in_process, (tmp_path,), nprocs=2)
    results = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert results[0] == results[1] == [pytest.approx((2 / 3 + 1) / 2), ["a"] * 4 + ["b"] * 4 + ["c"] * 4]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["pooled"]["dice"]["n"] == 6
