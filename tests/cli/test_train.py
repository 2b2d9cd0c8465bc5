"""``monai-ext train`` from a data set to a bundle that every tool takes, and one line for what cannot be trained."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import monai_ext
from monai_ext.cli.main import main
from monai_ext.cli.train import parse_settings
from monai_ext.errors import InputError
from monai_ext.files import file_sha256
from monai_ext.handlers.checkpoint import written_states
from monai_ext.networks.language.taught import Taught
from monai_ext.studies import retrained, train
from monai_ext.studies.training_images import TrainingImages
from monai_ext.synthesis.phantom_set import write_phantom_sets
from monai_ext.weights.formats import read_state_dict
from tests.bundles.films import write_films
from tests.bundles.small import picture, small_clip_sam
from tests.studies.trainable import SHORT, trainable


def run(bundle: Path, data: Path, out: Path, *more: str) -> int:
    return main(["train", str(bundle), "--data", str(data), "-o", str(out), "--device", "cpu", *SHORT, *more])


@pytest.fixture(scope="module", autouse=True)
def _few_phantoms():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrained, "write_phantom_sets", partial(write_phantom_sets, count=1, size=48))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_films(tmp_path_factory.mktemp("data") / "films")


@pytest.fixture(scope="module")
def parent(bundle, tmp_path_factory):
    return trainable(bundle, tmp_path_factory.mktemp("parent"))


@pytest.fixture(scope="module")
def done(parent, data, tmp_path_factory):
    """The folder of a training that ended."""
    out = tmp_path_factory.mktemp("run") / "out"
    assert run(parent, data, out, "--epochs", "2", "--set", "learning_rate=0.01") == 0
    return out


def metadata(bundle: Path) -> dict:
    return json.loads((bundle / "configs" / "metadata.json").read_text())


def test_it_writes_a_bundle_its_figures_and_what_it_goes_on_from(done):
    wanted = {
        "bundle",
        "before_after.json",
        "checkpoints",
        "model.pt",
        "report.html",
        "training.csv",
        "tensorboard",
        "pictures",
    }
    assert wanted <= {path.name for path in done.iterdir()}
    kept, trained = read_state_dict(done / "bundle/models/model.pt"), read_state_dict(done / "model.pt")
    assert all(torch.equal(value, trained[key]) for key, value in kept.items())


def test_the_new_weights_began_with_the_parents(done, parent):
    before, after = (read_state_dict(folder / "models/model.pt") for folder in (parent, done / "bundle"))
    key = (
        "encoder.medical.0.weight"
        if "encoder.medical.0.weight" in before
        else next(key for key, value in before.items() if value.is_floating_point() and value.ndim > 1)
    )
    assert 0 < float((before[key] - after[key]).abs().max()) < 0.1 < float(before[key].abs().max()) + 0.1


def test_metadata_name_parent_data_and_figures(done, parent):
    child, own = metadata(done / "bundle"), metadata(parent)
    assert (own["version"], child["version"]) == ("0.1.0", "0.1.1")
    assert child["changelog"]["0.1.1"] == "retrained on 4 cases of films, 2 epochs"
    assert child["changelog"]["0.1.0"] == own["changelog"]["0.1.0"]
    assert (child["parent"]["name"], child["parent"]["version"]) == ("vlsm", "0.1.0")
    assert child["training"]["cases"] == {"films": 4}
    assert child["training"]["settings"]["learning_rate"] == 0.01
    assert "images" not in child["training"]
    rows = child["training"]["figures"]
    assert rows == json.loads((done / "before_after.json").read_text())
    assert {(row["where"], row["target"]) for row in rows} >= {
        ("films", "lungs"),
        ("films", "lungs, in other words"),
    }
    assert all(0 <= row[key] <= 1 for row in rows for key in ("before", "after"))


def test_the_images_of_the_training_list_are_recorded_by_their_hashes(done, data):
    recorded = TrainingImages(done / "bundle").sha256
    assert recorded == {file_sha256(data / f"{number}.png") for number in range(4)}


def test_the_model_card_says_what_it_is_and_keeps_the_parents(done, parent):
    card = (done / "bundle/docs/README.md").read_text()
    assert card.startswith("# VLSM, retrained\n\nVersion 0.1.1, retrained from `vlsm` 0.1.0")
    assert "| films | 4 |" in card and "| films | lungs |" in card
    assert (done / "bundle/docs/parent.md").read_text() == (parent / "docs/README.md").read_text()


def test_the_bundle_segments_passes_its_check_and_says_where_its_weights_come_from(done, tmp_path, capsys):
    source = picture(tmp_path / "a.png")
    assert (
        main(
            [
                "segment",
                str(source),
                "-p",
                "lungs",
                "-o",
                str(tmp_path / "out"),
                "--bundle",
                str(done / "bundle"),
            ]
        )
        == 0
    )
    assert "retrained from" in capsys.readouterr().out
    assert main(["bundles", "check", str(done / "bundle")]) == 0


def test_started_again_it_goes_on_and_takes_more_epochs(done, parent, data, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    assert run(parent, data, out, "--epochs", "3", "--set", "learning_rate=0.01") == 0
    assert "going on with the training that was stopped." in capsys.readouterr().out
    rows = (out / "training.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3"]
    assert metadata(out / "bundle")["training"]["epochs"] == 3


def test_a_share_of_the_old_weights_is_kept_without_training_again(done, parent, data, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    share = ("--parent-share", "0.25")
    assert run(parent, data, out, "--epochs", "2", "--set", "learning_rate=0.01", *share) == 0
    before, trained, mean = (
        read_state_dict(file)
        for file in (parent / "models/model.pt", done / "model.pt", out / "bundle/models/model.pt")
    )
    key = next(key for key, value in trained.items() if value.is_floating_point() and value.ndim > 1)
    torch.testing.assert_close(mean[key], 0.25 * before[key] + 0.75 * trained[key])
    assert (out / "training.csv").read_text() == (done / "training.csv").read_text()
    assert metadata(out / "bundle")["training"]["parent_share"] == 0.25
    assert "those before have a share of 0.25" in (out / "bundle/docs/README.md").read_text()


def test_minutes_become_as_many_epochs_as_fit(parent, data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(retrained, "run_training", stop)
    assert run(parent, data, tmp_path / "out", "--minutes", "1") == 2
    plan = json.loads((tmp_path / "out/plan.json").read_text())
    assert plan["steps"] == 2
    assert plan["epochs"] == int(60 / (2 * plan["step_seconds"])) > 1


def test_the_plan_says_the_memory_that_the_training_takes(parent, data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(retrained, "run_training", stop)
    monkeypatch.setattr(train, "peak_bytes", lambda: 2_000_000_000)
    assert run(parent, data, tmp_path / "out", "--epochs", "1") == 2
    plan = json.loads((tmp_path / "out/plan.json").read_text())
    assert (plan["memory_bytes"], plan["gpu_bytes"]) == (2_000_000_000, 0)  # the trial held all four images
    assert "2.0 GB of memory, checkpoints take" in capsys.readouterr().out


def test_memory_counts_the_images_of_all_cases(monkeypatch):
    monkeypatch.setattr(train, "peak_bytes", lambda: 1000)
    one = {"set": "s", "case": "a", "image": torch.zeros(3, 2, 2, dtype=torch.uint8)}
    slices = [{**one, "masks": torch.zeros(2, 2, 2, dtype=torch.uint8), "case": case} for case in "aab"]
    pairs = [{"slice": part} for part in (*slices, slices[0])]
    assert train._memory(SimpleNamespace(data=pairs), 2) == 1000
    assert train._memory(SimpleNamespace(data=pairs), 10) == 1000 + 3 * 20 * 8 // 2


def test_several_data_sets_are_trained_on_and_all_are_scored(parent, data, tmp_path):
    other = write_films(tmp_path / "more_films", width=40)
    out = tmp_path / "out"
    assert run(parent, data, out, "--data", str(other), "--epochs", "1") == 0
    assert metadata(out / "bundle")["training"]["cases"] == {"films": 4, "more_films": 4}
    rows = json.loads((out / "before_after.json").read_text())
    assert {"films", "more_films"} <= {row["where"] for row in rows}


def stop(*_words):
    raise InputError("stopped here.")


def test_a_module_of_a_network_is_trained_and_the_others_stay(data, tmp_path):
    parent = trainable(small_clip_sam(tmp_path / "small"), tmp_path / "parents")
    out = tmp_path / "out"
    more = ("--training", "train_decoder", "--epochs", "1", "--set", "smallest=1")
    assert run(parent, data, out, *more) == 0
    before, after = (read_state_dict(folder / "models/model.pt") for folder in (parent, out / "bundle"))
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"decoder"}
    assert metadata(out / "bundle")["training"]["module"] == "decoder"


def teach_lungs(bundle: Path) -> None:
    """Let the weights of a bundle know lungs and nothing else."""
    taught, file = Taught(), bundle / "models" / "model.pt"
    taught.learn(["lungs in a chest X-ray"], {"xray": {"lungs": []}})
    state = read_state_dict(file)
    (key,) = [key for key in state if key.endswith("_extra_state")]
    torch.save({**state, key: taught.get_extra_state()}, file)


@pytest.mark.parametrize("training", ["train", "train_encoder"])
def test_a_target_that_the_library_does_not_know_is_understood_afterwards(parent, tmp_path, training):
    if training == "train_encoder":
        parent = small_clip_sam(tmp_path / "small")
    parent = trainable(parent, tmp_path / "parents")
    teach_lungs(parent)
    data = write_films(tmp_path / "films")
    table = json.loads((data / "dataset.json").read_text())
    table["labels"]["1"] = "shunt"
    table["prompts"] = {"1": ["shunt in an X-ray"]}
    (data / "dataset.json").write_text(json.dumps(table))
    source, out = picture(tmp_path / "a.png"), tmp_path / "out"
    (before,) = monai_ext.load(parent).segment(source, ["shunt"])
    assert run(parent, data, out, "--epochs", "1", "--training", training) == 0
    (after,) = monai_ext.load(out / "bundle").segment(source, ["shunt"])
    assert "names nothing that these weights know" in before.reason
    assert "these weights" not in (after.reason or "")


def test_on_two_processes_it_trains_the_same_bundle(parent, data, tmp_path):
    out = tmp_path / "out"
    assert run(parent, data, out, "--epochs", "1", "--processes", "2", "--set", "amp=false") == 0
    (newest,) = written_states(out)
    state = torch.load(newest, weights_only=True)
    assert (state["iteration"], state["settings"]["processes"]) == (1, "2")
    assert [path.name for path in (out / "pictures").iterdir()] == ["epoch-0001.png"]
    assert len(list((out / "tensorboard").iterdir())) == 1  # of the first process
    assert metadata(out / "bundle")["training"]["epochs"] == 1


class TestRefusals:
    """One line and exit code 2 or 3, and nothing is trained."""

    def refused(self, capsys, code, *words):
        assert main(["train", *map(str, words), "--device", "cpu"]) == code
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")

    def test_a_bundle_that_does_not_train_names_those_that_do(self, capsys, data, tmp_path):
        line = self.refused(capsys, 2, "medclip_sam", "--data", data, "-o", tmp_path / "out")
        assert line == "bundle medclip_sam does not train; these do: clip_sam, vlsm."

    def test_a_bundle_with_several_trainings_asks_for_one(self, capsys, data, tmp_path):
        line = self.refused(capsys, 2, "clip_sam", "--data", data, "-o", tmp_path / "out")
        assert line.endswith("trains in several ways; choose --training train_decoder or train_encoder.")

    def test_an_id_that_is_misspelt_brings_the_nearest(self, capsys, data, parent, tmp_path):
        words = (parent, "--data", data, "-o", tmp_path / "out", "--set", "learning_rte=0.1")
        assert "learning_rte; is learning_rate meant?" in self.refused(capsys, 2, *words)

    def test_a_value_of_another_type_or_out_of_its_bounds(self, capsys, data, parent, tmp_path):
        settings = ("--set", "absent=2", "--set", "batch_size=many")
        line = self.refused(capsys, 2, parent, "--data", data, "-o", tmp_path / "out", *settings)
        assert "absent is 2" in line and "batch_size" in line

    def test_weights_of_another_network(self, capsys, data, parent, tmp_path):
        words = (parent, "--data", data, "-o", tmp_path / "out", "--from", "compact-sam", *SHORT)
        assert "compact-sam do not fit" in self.refused(capsys, 3, *words)

    def test_keep_without_weights_to_keep(self, capsys, data, parent, tmp_path):
        line = self.refused(
            capsys, 2, parent, "--data", data, "-o", tmp_path / "out", "--keep", "--set", "initial=null"
        )
        assert line == "a training that begins with random weights has none to keep; leave --keep out."

    def test_epochs_and_minutes_together(self, capsys, data, parent, tmp_path):
        words = (parent, "--data", data, "-o", tmp_path / "out", "--epochs", 1, "--minutes", 1)
        assert self.refused(capsys, 2, *words).startswith("--epochs and --minutes both say how long")

    def test_minutes_that_are_less_than_an_epoch(self, capsys, data, parent, tmp_path):
        words = (parent, "--data", data, "-o", tmp_path / "out", "--minutes", "0.0001", *SHORT)
        assert "minutes are less than an epoch of 2 steps" in self.refused(capsys, 2, *words)

    def test_other_settings_than_those_of_the_training_that_was_stopped(
        self, capsys, done, data, parent, tmp_path
    ):
        shutil.copytree(done, tmp_path / "out")
        words = (parent, "--data", data, "-o", tmp_path / "out", *SHORT, "--set", "learning_rate=0.5")
        line = self.refused(capsys, 2, *words)
        assert "out holds another training: learning_rate 0.01 (now 0.5)" in line

    def test_a_folder_in_the_place_of_the_bundle_that_no_training_made(self, capsys, data, parent, tmp_path):
        (tmp_path / "out" / "bundle").mkdir(parents=True)
        (tmp_path / "out" / "bundle" / "thesis.txt").touch()
        line = self.refused(capsys, 2, parent, "--data", data, "-o", tmp_path / "out", *SHORT)
        assert line == "out/bundle: there, and not made by a training; choose another output."
        assert (tmp_path / "out" / "bundle" / "thesis.txt").is_file()

    def test_two_data_sets_of_one_name(self, capsys, data, parent, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        other = write_films(tmp_path / "elsewhere" / "films")
        line = self.refused(
            capsys, 2, parent, "--data", data, "--data", other, "-o", tmp_path / "out", *SHORT
        )
        assert line.startswith(f"{other}: a set named films is also in {data.parent}")

    def test_patience_and_pictures_out_of_their_bounds(self, capsys, data, parent, tmp_path):
        settings = ("--set", "patience=0", "--set", "pictures=-1")
        line = self.refused(capsys, 2, parent, "--data", data, "-o", tmp_path / "out", *settings)
        assert "patience is 0; the least is 1." in line and "pictures is -1; the least is 0." in line

    def test_one_case(self, capsys, parent, tmp_path):
        folder = write_films(tmp_path / "films")
        table = json.loads((folder / "dataset.json").read_text())
        table["training"] = table["training"][:1]
        (folder / "dataset.json").write_text(json.dumps(table))
        line = self.refused(capsys, 2, parent, "--data", folder, "-o", tmp_path / "out")
        assert line == "films: one case to train on; two are the least."

    def test_a_set_without_a_list_to_validate_on(self, capsys, parent, tmp_path):
        folder = write_films(tmp_path / "films")
        table = json.loads((folder / "dataset.json").read_text())
        del table["validation"]
        (folder / "dataset.json").write_text(json.dumps(table))
        line = self.refused(capsys, 2, parent, "--data", folder, "-o", tmp_path / "out", *SHORT)
        assert "no list 'validation' in dataset.json; choose from training" in line

    def test_a_target_that_no_image_shows(self, capsys, parent, tmp_path):
        folder = write_films(tmp_path / "films")
        table = json.loads((folder / "dataset.json").read_text())
        table["labels"]["2"], table["prompts"]["2"] = "heart", ["heart in a chest X-ray"]
        (folder / "dataset.json").write_text(json.dumps(table))
        line = self.refused(capsys, 2, parent, "--data", folder, "-o", tmp_path / "out")
        assert line.startswith("no image of any list shows films: heart; mend the labels")

    def test_a_patient_in_two_lists(self, capsys, parent, tmp_path):
        folder = write_films(tmp_path / "films")
        table = json.loads((folder / "dataset.json").read_text())
        table["validation"][0]["group"] = table["training"][0]["group"]
        (folder / "dataset.json").write_text(json.dumps(table))
        line = self.refused(capsys, 2, parent, "--data", folder, "-o", tmp_path / "out")
        assert line == "films: group 0 is in training and validation"

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (np.full((48, 48), 255, np.uint8), "label values 255 are not in the label table"),
            (np.ones((20, 48), np.uint8), "draw it on this image"),
        ],
        ids=["0/255", "other size"],
    )
    def test_labels_that_are_none_of_their_images(self, capsys, parent, tmp_path, mask, message):
        folder = write_films(tmp_path / "films")
        Image.fromarray(mask).save(folder / "0_mask.png")
        line = self.refused(capsys, 2, parent, "--data", folder, "-o", tmp_path / "out")
        assert message in line
        assert not (tmp_path / "out").exists()

    def test_a_disk_without_space_for_checkpoints(self, capsys, data, parent, tmp_path, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 1000))
        line = self.refused(capsys, 2, parent, "--data", data, "-o", tmp_path / "out", *SHORT)
        assert line.startswith("out: checkpoints need") and "0 MB are free" in line


def test_settings_are_json_or_texts():
    assert parse_settings(["a=1", "b=[1, 2]", "c=null", "d=true"]) == {
        "a": 1,
        "b": [1, 2],
        "c": None,
        "d": True,
    }
    assert parse_settings(["a=some text", 'b="3"', "c=x=y"]) == {"a": "some text", "b": "3", "c": "x=y"}
    for text in ("c=$import os", 'c=["@network"]', 'c={"a": "%x"}'):
        with pytest.raises(InputError, match="which configurations reserve"):
            parse_settings([text])
    with pytest.raises(InputError, match="write ID=VALUE"):
        parse_settings(["learning_rate"])
