"""Values as they are typed, ids as a bundle has them, and draws that repeat."""

from __future__ import annotations

import json
import shutil

import pytest

from monai_ext.bundle.configs import literal
from monai_ext.errors import InputError
from monai_ext.resources import resource_path
from monai_ext.studies.tune_settings import (
    check_axes,
    choose_settings,
    describe_setting,
    overrides,
    parse_axes,
    read_values,
)


@pytest.fixture(scope="module")
def vlsm():
    return resource_path("vlsm", "bundles")


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("mask_threshold=0.3,0.5", "mask_threshold", [0.3, 0.5]),
        ("generator#min_region = 0, 100", "generator#min_region", [0, 100]),
        ("a::b=1", "a#b", [1]),
        ("fill=black,crop", "fill", ["black", "crop"]),
        ('fill="a,b","1",true,null,-1e-2,""', "fill", ["a,b", "1", True, None, -0.01, ""]),
        ("k=a=b", "k", ["a=b"]),
    ],
)
def test_values_are_json_scalars_and_other_words_texts(text, key, values):
    parsed = parse_axes([text])
    assert parsed == {key: values}
    assert [type(value) for value in parsed[key]] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "nothing to try"),
        (["mask_threshold"], "write KEY=V1,V2"),
        (["=1"], "write KEY=V1,V2"),
        (["k="], "write KEY=V1,V2"),
        (["k=1,,2"], "'' is no value"),
        (["k=[1]"], "'\\[1\\]' is no value"),
        (["k=NaN"], "'NaN' is no value"),
        (["k=1,2,1"], "1 stands twice"),
        (["k=1", "k=2"], "k stands twice"),
    ],
)
def test_what_is_no_list_of_values_is_refused(texts, message):
    with pytest.raises(InputError, match=message):
        parse_axes(texts)


def test_ids_are_the_values_of_inference_that_evaluate_does_not_replace(vlsm):
    values = read_values(vlsm)
    assert values["mask_threshold"] == 0.5
    assert values["inferer#mask_threshold"] == "@mask_threshold"
    assert values["preprocessing#transforms#0#max_side"] == "@max_side"
    assert values["inferer#gate"] is True  # a default that the configuration does not write
    assert values["network_def#image_size"] > 0
    for key in ("dataset_dir", "output_dir", "device", "batch_size", "datalist", "split", "absent", "run#0"):
        assert key not in values
    assert not any(part.startswith("_") for key in values for part in key.split("#"))


def test_what_components_within_components_leave_out_can_be_tuned(vlsm, tmp_path):
    bundle = shutil.copytree(vlsm, tmp_path / "b")
    content = json.loads((bundle / "configs/inference.json").read_text())
    generator = {"_target_": "monai_ext.masks.generator.MaskGenerator", "points_per_side": 16}
    inner = {**generator, "stability_threshold": "@stable"}
    content |= {"stable": 0.9, "generator": generator, "outer": {"generator": inner}}
    (bundle / "configs/inference.json").write_text(json.dumps(content))
    values = read_values(bundle)
    for place in ("generator", "outer#generator"):
        assert values[f"{place}#points_per_side"] == 16
        assert values[f"{place}#iou_threshold"] == 0.88
    check_axes(bundle, {"generator#min_region": [0, 100]}, values)
    with pytest.raises(InputError, match=r"^outer#generator#nms_threshold=2: nms_threshold is 2; it lies in"):
        check_axes(bundle, {"outer#generator#nms_threshold": [0.5, 2]}, values)
    with pytest.raises(InputError, match=r"^stable=1.5: stability_threshold is 1.5; it lies in"):
        check_axes(bundle, {"stable": [1.5]}, values)
    check_axes(bundle, {"evaluator#amp": [True]}, values)  # cannot be built without the data
    with pytest.raises(
        InputError, match=r"^--set iou_threshold: no such id .*near are generator#iou_threshold, "
    ):
        check_axes(bundle, {"iou_threshold": [1]}, values)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mask_treshold", 0.3, "near are mask_threshold, "),
        ("max_sides", 0.3, "near are .*max_side"),
        ("inferer", 0.3, "this holds several values; name one, such as inferer#prompt"),
        ("output_dir", "x", "no setting to be tuned"),
        ("split", "test", "no such id"),
        ("mask_threshold", "half", '"half" is a text, a number is needed, such as the bundle\'s own 0.5'),
        ("inferer#mask_threshold", True, "true is true or false, a number is needed"),
        ("preview", "True", '"True" is a text, true or false is needed'),
        ("series", 3, "3 is a number, a text is needed"),
    ],
)
def test_unknown_ids_and_values_of_another_kind_are_refused(vlsm, key, value, message):
    with pytest.raises(InputError, match=message):
        check_axes(vlsm, {key: [value]}, read_values(vlsm))


AXES = {"a": [1, 2, 3], "b": [True, False], "c": ["x", "y", "z", None]}
OWN = {"a": 2, "b": True, "c": "w"}


def test_all_combinations_each_once_without_what_is_the_bundles_own():
    settings = choose_settings(AXES, OWN, None, seed=0)
    assert len(settings) == len({describe_setting(one) for one in settings}) == 24
    assert settings[:2] == [{"a": 1, "c": "x"}, {"a": 1, "c": "y"}]
    assert choose_settings({"a": [1, 2]}, OWN, None, seed=0) == [{"a": 1}, {}]


def test_a_draw_repeats_nothing_follows_its_seed_and_begins_a_longer_one():
    drawn = choose_settings(AXES, OWN, 10, seed=3)
    assert len({describe_setting(one) for one in drawn}) == 10
    assert choose_settings(AXES, OWN, 10, seed=3) == drawn
    assert choose_settings(AXES, OWN, 20, seed=3)[:10] == drawn
    assert choose_settings(AXES, OWN, 10, seed=4) != drawn
    everything = choose_settings(AXES, OWN, None, seed=0)
    assert choose_settings(AXES, OWN, 24, seed=3) == everything
    assert all(one in everything for one in drawn)


def test_a_draw_from_a_huge_grid_is_quick():
    axes = {f"k{number}": list(range(100)) for number in range(12)}
    drawn = choose_settings(axes, dict.fromkeys(axes, -1), 50, seed=0)
    assert len({describe_setting(one) for one in drawn}) == 50


def test_texts_are_set_as_nothing_but_themselves():
    assert overrides({"a": "$1 + 1", "b": 2}) == {"a": literal("$1 + 1"), "b": 2}
