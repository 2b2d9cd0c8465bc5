from __future__ import annotations

import json

import pytest

from monai_ext.apps.label.runs import Published, Runs
from monai_ext.errors import WeightsError


@pytest.fixture
def runs(tmp_path):
    write_version(tmp_path / "vlsm", "0.1.0")
    return Runs(tmp_path / "vlsm")


def write_version(bundle, version):
    (bundle / "configs").mkdir(parents=True)
    (bundle / "configs" / "metadata.json").write_text(json.dumps({"version": version}))


def end(runs, run, version):
    folder = runs.begin(run)
    write_version(folder / "bundle", version)
    runs.publish(Published(run, version, ["lungs"], 4, 0.5))
    return folder


def test_the_bundle_itself_is_served_until_a_run_is_published(runs):
    assert (runs.served(), runs.published(), runs.next_version()) == (runs.bundle, None, "0.1.1")
    folder = runs.begin("a")
    write_version(folder / "bundle", "0.1.1")
    assert runs.served() == runs.bundle
    runs.publish(Published("a", "0.1.1", ["lungs"], 4, 0.5))
    assert (runs.served(), runs.next_version()) == (folder / "bundle", "0.1.2")
    assert runs.published() == Published("a", "0.1.1", ["lungs"], 4, 0.5)


def test_a_new_run_removes_those_that_were_stopped_and_keeps_those_that_ended(runs):
    ended, stopped = end(runs, "a", "0.1.1"), runs.begin("b")
    assert runs.begin("b") == stopped and stopped.is_dir()
    runs.begin("c")
    assert ended.is_dir() and not stopped.exists()


def test_one_goes_back_by_files(runs):
    first, second = end(runs, "a", "0.1.1"), end(runs, "b", "0.1.2")
    assert runs.served() == second / "bundle"
    (runs.folder / "served.json").write_bytes((first / "served.json").read_bytes())
    assert runs.served() == first / "bundle"
    (runs.folder / "served.json").unlink()
    assert runs.served() == runs.bundle


def test_a_run_that_is_gone_is_named(runs):
    folder = end(runs, "a", "0.1.1")
    (folder / "bundle" / "configs" / "metadata.json").unlink()
    with pytest.raises(
        WeightsError, match="vlsm.retrained/served.json names the run a, which is not there; remove"
    ):
        runs.served()


def test_progress_is_that_of_the_run_that_has_not_ended(runs):
    assert runs.progress() == {}
    folder = runs.begin("a")
    assert runs.progress() == {}
    (folder / "plan.json").write_text(json.dumps({"epochs": 9}))
    assert runs.progress() == {"epoch": 0, "total_epochs": 9}
    (folder / "training.csv").write_text("epoch,seconds,loss\n1,3,0.9000\n2,5,0.2500\n")
    assert runs.progress() == {"epoch": 2, "total_epochs": 9, "loss": 0.25}
    write_version(folder / "bundle", "0.1.1")
    runs.publish(Published("a", "0.1.1", ["lungs"], 4, 0.5))
    assert runs.progress() == {}
