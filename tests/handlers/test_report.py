"""The record of a run: its keys, the hash of its input, and nothing half-written."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor

from monai_ext import __version__
from monai_ext.data.fault_tolerant import FINISHED, FaultTolerantDataset
from monai_ext.data.records import FILES, CaseRecords
from monai_ext.errors import InputError, WeightsError
from monai_ext.handlers.report import ReportWriter
from monai_ext.io.case_names import input_hash

LOADED = {"name": "vlsm", "sha256": "ab", "source": "embedded/vlsm.safetensors", "note": "n"}


def run(writer: ReportWriter, outputs: list[list[dict]], image: MetaTensor) -> None:
    def step(engine, batch):
        engine.state.batch = [{"image": image, "input_sha256": input_hash(image.meta["filename_or_obj"])}]
        return batch

    engine = Engine(step)
    writer.attach(engine)
    engine.run(outputs)


@pytest.fixture
def image(tmp_path):
    (tmp_path / "a.png").write_bytes(b"input")
    return MetaTensor(torch.zeros(1), meta={"filename_or_obj": str(tmp_path / "a.png")})


def test_results_and_failures_are_written_to_both_files(tmp_path, image):
    records = CaseRecords(tmp_path / "out", {"prompt": "lungs"}, ("vlsm", "0.1.0"), LOADED)
    writer = ReportWriter(records, torch.device("cpu"), tmp_path / "r.json", seed=3)
    row = {"case": "a", "prompt": "lungs", "mask": "a/lungs.png", "presence": 0.5}
    run(writer, [[{"record": [row]}], [{"case": "b", "failed": "b.png: damaged."}]], image)
    report = json.loads((tmp_path / "out/report.json").read_text())
    seconds = report.pop("seconds")
    assert 0 <= seconds < 60
    assert set(report.pop("versions")) == {"torch", "monai", "monai_ext"}
    assert report == {
        "version": "0.1.0",
        "bundle": "vlsm",
        "weights": LOADED,
        "device": "cpu",
        "seed": 3,
        "settings": {"bundle": "vlsm", "version": "0.1.0", "weights": "ab", "prompt": "lungs"},
        "results": [{**row, "input_sha256": hashlib.sha256(b"input").hexdigest()}],
        "failed": [{"case": "b", "reason": "b.png: damaged."}],
        "skipped": 0,
        "copies": 0,
    }
    assert writer.report["versions"]["monai_ext"] == __version__
    assert (tmp_path / "r.json").read_bytes() == (tmp_path / "out/report.json").read_bytes()


def test_a_case_is_recorded_with_its_files_so_that_a_later_run_passes_over_it(tmp_path, image):
    records = CaseRecords(tmp_path / "out", {})
    (tmp_path / "out/a").mkdir(parents=True)
    for name in ("lungs", "labels"):
        (tmp_path / f"out/a/{name}.png").write_bytes(name.encode())
    row = {"case": "a", "mask": "a/lungs.png"}
    run(ReportWriter(records, "cpu"), [[{"record": [row], FILES: ["a/labels.png"]}], [{"record": []}]], image)
    digest = hashlib.sha256(b"input").hexdigest()
    assert records.finished({"case": "a", "input_sha256": digest}) == [{**row, "input_sha256": digest}]
    record = json.loads((tmp_path / "out/a/record.json").read_text())
    assert sorted(record["files"]) == ["a/labels.png", "a/lungs.png"]


def test_finished_cases_are_skipped_and_those_of_the_same_content_are_copies(tmp_path, image):
    writer = ReportWriter(CaseRecords(tmp_path, {}), "cpu")
    finished = [json.dumps([{"case": case, "prompt": prompt} for prompt in "xy"]) for case in "aba"]
    for _ in range(2):  # a second run counts anew
        run(writer, [[{FINISHED: rows}] for rows in finished], image)
        assert [row["case"] for row in writer.report["results"]] == ["a", "a", "b", "b"]
        assert (writer.report["skipped"], writer.report["copies"]) == (2, 1)


def test_no_report_is_written_when_every_case_failed(tmp_path, image):
    failed = [[{"case": str(n), "failed": f"{n}.png: damaged."}] for n in range(5)]
    with pytest.raises(InputError, match=r"^0.png: damaged. 1.png: damaged. 2.png: damaged. \(2 more\)$"):
        run(ReportWriter(CaseRecords(tmp_path / "out", {}), "cpu"), failed, image)
    assert not (tmp_path / "out").exists()


def test_only_bad_input_is_isolated():
    def load(item):
        raise item["error"]

    errors = {"a": InputError("a: damaged."), "b": WeightsError("w"), "c": ZeroDivisionError()}
    items = [{"case": case, "image": __file__, "error": error} for case, error in errors.items()]
    data = FaultTolerantDataset(items, load, names="file")
    assert len(data) == 3
    assert data[0] == {"case": "a", "failed": "a: damaged."}
    for index, cause in ((1, WeightsError), (2, ZeroDivisionError)):
        with pytest.raises(RuntimeError) as caught:
            data[index]
        assert isinstance(caught.value.__cause__, cause)
