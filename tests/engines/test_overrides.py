"""Values of a training are checked first: read as they are meant, or refused by id, with the type that is wanted."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from monai_ext.engines.overrides import _meant, check_overrides
from monai_ext.errors import InputError, actionable
from monai_ext.resources import resource_path
from tests.bundles.films import write_films

CONFIGS = {
    name: resource_path(f"{name.split('/')[0]}/configs/{name.split('/')[1]}.json", "bundles")
    for name in ("vlsm/train", "clip_sam/train_encoder", "clip_sam/train_decoder")
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_films(folder / "hosp")
    return folder


@pytest.fixture
def opened(data, tmp_path):
    def start(config="vlsm/train", **overrides):
        paths = {"dataset_dir": str(data), "output_dir": str(tmp_path / "run"), **overrides}
        flow = ConfigWorkflow(str(CONFIGS[config]), workflow_type="train", logging_file=False, **paths)
        flow.initialize()
        return flow

    return start


READ = [
    ("amp", "false", False),
    ("amp", "True", True),
    ("resume", "FALSE", False),
    ("sets", "", None),
    ("sets", "null", None),
    ("sets", "None", None),
    ("sets", "hosp", "hosp"),
    ("sets", ("hosp",), ("hosp",)),
    ("initial", "null", None),
    ("set_weights", "none", None),
    ("set_weights", {"hosp": 2}, {"hosp": 2}),
    ("exclude", "", []),
    ("exclude", ["1"], ["1"]),
    ("unions", "null", None),
    ("learning_rate", 1, 1),
    ("absent", 1, 1),
    ("num_workers", 0, 0),
    ("device", "auto", "cuda:0" if torch.cuda.is_available() else "cpu"),
    ("device", "cpu", "cpu"),
    ("train#trainer#max_epochs", 3, 3),
    ("train#preprocessing#transforms#2#mode", ["nearest", "nearest"], ["nearest", "nearest"]),
]


@pytest.mark.parametrize(("name", "value", "read"), READ)
def test_values_of_the_right_type_are_read_as_they_are_meant(opened, name, value, read):
    parser = opened(**{name: value}).parser
    assert parser[name] == read and type(parser[name]) is type(read)
    assert parser.get_parsed_content(name) == read


REFUSED = [
    ("amp", "no", "amp is 'no'; true or false is wanted, such as --amp True."),
    ("amp", 0, "amp is 0; true or false is wanted, such as --amp True."),
    ("amp", "null", "amp is 'null'; true or false is wanted, such as --amp True."),
    ("resume", "yes", "resume is 'yes'; true or false is wanted, such as --resume True."),
    ("epochs", 2.5, "epochs is 2.5; a whole number is wanted, such as --epochs 3."),
    ("epochs", "many", "epochs is 'many'; a whole number is wanted, such as --epochs 3."),
    ("epochs", "", "epochs is ''; a whole number is wanted, such as --epochs 3."),
    ("epochs", True, "epochs is True; a whole number is wanted, such as --epochs 3."),
    ("epochs", 0, "epochs is 0; the least is 1."),
    ("learning_rate", "fast", "learning_rate is 'fast'; a number is wanted, such as --learning_rate 0.5."),
    ("learning_rate", -1, "learning_rate is -1; the least is 0."),
    ("batch_size", 0, "batch_size is 0; the least is 1."),
    ("batch_size", 4000, "draws_per_epoch is 1200; the least is 4000 (batch_size)."),
    ("val_interval", 0, "val_interval is 0; the least is 1."),
    ("absent", 1.5, "absent is 1.5; the most is 1."),
    ("seed", -1, "seed is -1; the least is 0."),
    ("num_workers", "two", "num_workers is 'two'; a whole number is wanted, such as --num_workers 3."),
    ("device", "gpu", "device 'gpu': choose auto, cpu or cuda:0."),
    ("device", 3, "device is 3; text is wanted, such as --device \"'3'\"."),
    ("sets", 3, "sets is 3; a list or text or null is wanted, such as --sets \"'3'\"."),
    ("exclude", "a,b", "exclude is 'a,b'; a list is wanted, such as --exclude \"['a', 'b']\"."),
    ("unions", "lungs", "unions is 'lungs'; a mapping or null is wanted, such as --unions \"{'a': 2}\"."),
    ("dataset_dir", "", "dataset_dir is empty; give the folder of a data set."),
    ("dataset_dir", 24, "dataset_dir is 24; a list or text is wanted, such as --dataset_dir \"'24'\"."),
    ("image_sizes", 128, "image_sizes is 128; a list is wanted, such as --image_sizes \"['a', 'b']\"."),
    (
        "train#trainer#max_epochs",
        "many",
        "train#trainer#max_epochs is 'many'; a whole number is wanted, such as --train#trainer#max_epochs 3.",
    ),
    ("epoch", 3, "There is no id epoch; is epochs meant?"),
    ("zebra", 3, "There is no id zebra."),
    ("train#trainer#max_epoch", 3, "There is no id train#trainer#max_epoch; is max_epochs meant?"),
    ("train#sampler_", 3, "There is no id train#sampler_; is train#sampler meant?"),
]


@pytest.mark.parametrize(("name", "value", "reason"), REFUSED)
def test_other_values_are_refused_with_their_id_and_the_type_that_is_wanted(opened, name, value, reason):
    with pytest.raises(RuntimeError) as raised:
        opened(**{name: value})
    assert str(actionable(raised.value)) == reason


LISTS = [
    ("sets", "hosp,other", "no set other; choose from hosp"),
    ("initial", "vlms", "no weights 'vlms'"),
    ("initial", "nothere.pt", "nothere.pt: no such file"),
    ("output_dir", "/dev/null/run", "cannot be written"),
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("name", "value", "reason"), LISTS)
def test_a_list_weights_or_a_folder_that_is_not_there_is_told_before_data_are_prepared(
    opened, monkeypatch, config, name, value, reason
):
    monkeypatch.setattr("monai_ext.data.text_prompt_dataset.load_slices", None)
    with pytest.raises(RuntimeError) as raised:
        opened(config, **{name: value})
    assert reason in str(actionable(raised.value))


def test_all_that_is_wrong_is_told_together(opened):
    with pytest.raises(RuntimeError) as raised:
        opened(epoch=3, amp="no", batch_size=0)
    assert str(actionable(raised.value)) == (
        "There is no id epoch; is epochs meant? amp is 'no'; true or false is wanted, such as --amp True."
        " batch_size is 0; the least is 1."
    )


@pytest.mark.parametrize(
    ("config", "name"), [("clip_sam/train_decoder", "masked_images"), ("clip_sam/train_encoder", "objects")]
)
def test_an_id_of_another_configuration_of_the_folder_is_not_known(opened, config, name):
    with pytest.raises(RuntimeError) as raised:
        opened(config, **{name: 3})
    assert str(actionable(raised.value)).startswith(f"There is no id {name}")


def test_a_text_that_a_configuration_has_is_not_read_as_nothing(tmp_path):
    """In inference.json the series is "", which is no null."""
    files = [CONFIGS["vlsm/train"].parent / f"{name}.json" for name in ("inference", "evaluate")]
    flow = ConfigWorkflow([*map(str, files)], workflow_type="infer", logging_file=False, sets="null")
    flow.initialize()
    assert flow.parser["series"] == "" and flow.parser["sets"] is None
    flow = ConfigWorkflow([*map(str, files)], workflow_type="infer", logging_file=False, absent=-1, sets=3)
    with pytest.raises(RuntimeError) as raised:
        flow.initialize()
    assert str(actionable(raised.value)) == (
        "sets is 3; a list or text or null is wanted, such as --sets \"'3'\". absent is -1; the least is 0."
    )


def test_an_overlay_may_bring_ids_that_something_refers_to(opened, tmp_path, data):
    overlay = tmp_path / "mine.json"
    overlay.write_text(json.dumps({"rate": 0.1, "learning_rate": "@rate", "_note_": "fast"}))
    files = [str(CONFIGS["vlsm/train"]), str(overlay)]

    def start(**more):
        paths = {"dataset_dir": str(data), "output_dir": str(tmp_path / "run")}
        ConfigWorkflow(files, workflow_type="train", logging_file=False, **paths, **more).initialize()

    start()
    with pytest.raises(RuntimeError) as raised:
        start(rate="fast")
    assert str(actionable(raised.value)) == "rate is 'fast'; a number is wanted, such as --rate 0.5."


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1, "a": 2}'])
def test_another_file_of_the_folder_may_be_anything(tmp_path, data, content):
    for name in ("train.json", "train_embedded.json"):
        (tmp_path / name).write_text((CONFIGS["vlsm/train"].parent / name).read_text())
    (tmp_path / "stray.json").write_text(content)
    paths = {"dataset_dir": str(data), "output_dir": str(tmp_path / "run")}
    ConfigWorkflow(
        str(tmp_path / "train.json"), workflow_type="train", logging_file=False, **paths
    ).initialize()


def test_outside_of_a_workflow_nothing_is_checked():
    parser = ConfigParser(
        {"epochs": "many", "checked": {"_target_": "monai_ext.engines.overrides.check_overrides"}}
    )
    assert parser.get_parsed_content("checked") is None
    assert check_overrides(least={"epochs": 1}) is None


def test_a_program_of_its_own_keeps_its_tracebacks(opened):
    before = sys.excepthook
    with pytest.raises(RuntimeError) as raised:
        opened(amp="no")
    assert isinstance(actionable(raised.value), InputError)
    assert sys.excepthook is before


def test_on_the_command_line_of_monai_errors_are_one_line_from_here_on(opened, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.setattr("monai_ext.engines.overrides.is_monai_command_line", lambda: True)
    opened()
    assert sys.excepthook is not sys.__excepthook__


def test_what_monai_adds_for_a_tracking_server_is_known(opened):
    assert opened(tracking="mlflow").parser["run_name"] is None


@pytest.mark.parametrize(
    ("hint", "read"), [(str, "none"), (str | None, None), (list[str] | str, []), (dict[str, int], {})]
)
def test_a_text_for_nothing_is_itself_only_where_no_other_reading_is_wanted(hint, read):
    assert _meant("mode", "none", [hint]) == read
