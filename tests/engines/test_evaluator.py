"""An evaluation of many cases: one in memory, bad and finished ones passed over, stopped with whole files."""

from __future__ import annotations

import os
import signal
import weakref

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, MetaTensor

from monai_ext.data.fault_tolerant import FAILED, FINISHED, FaultTolerantDataset
from monai_ext.data.records import CaseRecords
from monai_ext.engines import FaultTolerantEvaluator
from monai_ext.engines.prepare_batch import PrepareTextPrompts
from monai_ext.errors import InputError
from monai_ext.inferers import PromptInferer
from monai_ext.io.case_names import input_hash
from tests.fakes import FeedForward


def evaluator(dataset, **kwargs):
    return FaultTolerantEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(dataset, batch_size=1),
        network=FeedForward(),
        inferer=PromptInferer("lungs"),
        prepare_batch=PrepareTextPrompts(),
        **kwargs,
    )


class Images:
    """Makes an image when asked to, and remembers whether earlier ones are still in memory."""

    def __init__(self):
        self.made, self.alive = [], []

    def __call__(self, item):
        self.alive.append(sum(ref() is not None for ref in self.made))
        if item["case"] == "bad":
            raise InputError("bad.png: damaged.")
        image = torch.rand(3, 8, 8)
        self.made.append(weakref.ref(image))
        return {"image": MetaTensor(image), "case": item["case"]}


def dataset(*cases, images=None, **more):
    """Items of these ids, which are all made from this file."""
    return FaultTolerantDataset(
        [{"case": case, "image": __file__} for case in cases], images or Images(), names="file", **more
    )


def collected(engine):
    outputs = []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: outputs.append(e.state.output[0]))
    return outputs


def test_a_case_is_let_go_before_the_next_is_loaded():
    images = Images()
    evaluator(dataset("0", "1", "2", "3", images=images)).run()
    assert images.alive == [0, 0, 0, 0]


def test_a_bad_case_is_passed_on_with_its_reason_and_the_others_are_done():
    engine = evaluator(dataset("a", "bad", "c"))
    outputs = collected(engine)
    engine.run()
    assert outputs[1] == {"case": "bad", FAILED: "bad.png: damaged."}
    assert [one["pred"].shape for one in (outputs[0], outputs[2])] == [(1, 8, 8)] * 2


@pytest.fixture
def finished(tmp_path):
    """A picture, its mask and the record of a run that made it."""
    source = tmp_path / "a.png"
    source.write_bytes(b"input")
    (tmp_path / "out/a").mkdir(parents=True)
    (tmp_path / "out/a/lungs.png").write_bytes(b"mask")
    rows = [{"case": "a", "prompt": "lungs", "mask": "a/lungs.png", "warnings": ["odd spacing"]}]
    CaseRecords(tmp_path / "out", {"prompt": "lungs", "mask_threshold": 0.5}).write(
        "a", input_hash(source), rows
    )
    return {"case": "a", "image": str(source), "input_sha256": input_hash(source)}, rows


def settings(**change):
    return {"prompt": "lungs", "mask_threshold": 0.5, **change}


def test_a_finished_case_is_passed_on_with_its_rows_and_not_loaded(tmp_path, finished):
    item, rows = finished
    records = CaseRecords(tmp_path / "out", settings())
    images = Images()
    other = {"case": "b", "image": item["image"]}
    engine = evaluator(FaultTolerantDataset([item, other], images, records, names="file"))
    outputs = collected(engine)
    engine.run()
    assert records.finished(item) == rows
    assert outputs[0]["case"] == "a" and '"warnings": ["odd spacing"]' in outputs[0][FINISHED]
    assert len(images.made) == 1 and "pred" in outputs[1]


@pytest.mark.parametrize("change", [{"prompt": "heart"}, {"mask_threshold": 0.4}, {"weights": "ab"}])
def test_other_settings_are_not_finished(tmp_path, finished, change):
    assert CaseRecords(tmp_path / "out", settings(**change)).finished(finished[0]) is None


def test_another_input_a_lost_mask_or_a_broken_record_is_not_finished(tmp_path, finished):
    item, _ = finished
    records = CaseRecords(tmp_path / "out", settings())
    assert records.finished({**item, "input_sha256": "0" * 64}) is None
    assert records.finished(item)
    record = tmp_path / "out/a/record.json"
    whole = record.read_text()
    for broken in ("", whole[:40], "[]", "{}"):
        record.write_text(broken)
        assert records.finished(item) is None
    record.write_text(whole)
    (tmp_path / "out/a/lungs.png").unlink()
    assert records.finished(item) is None


def test_an_evaluator_needs_device_data_and_network_alone():
    network = FeedForward()
    engine = FaultTolerantEvaluator("cpu", DataLoader(dataset("a"), batch_size=1), network)
    assert isinstance(engine.prepare_batch, PrepareTextPrompts)
    assert (engine.network, engine.state.device, engine.amp) == (network, torch.device("cpu"), False)


@pytest.mark.parametrize(
    ("amp", "has", "dtype"),
    [
        (None, True, torch.float32),
        (True, True, torch.bfloat16),
        (True, False, torch.float32),
        (False, True, torch.float32),
    ],
)
def test_a_cpu_evaluates_in_bfloat16_where_wanted_and_native(monkeypatch, amp, has, dtype):
    monkeypatch.setattr("monai_ext.engines.devices.has_bfloat16", lambda device: has)
    engine, seen = evaluator(dataset("a"), amp=amp), []
    engine.network.mask.register_forward_hook(lambda *args: seen.append((args[2].dtype, args[0].training)))
    engine.network.train()
    engine.run()
    assert seen == [(dtype, False)]


def test_a_request_to_end_stops_the_run_as_an_interrupt_does():
    engine = evaluator(dataset("0", "1", "2"))
    outputs = collected(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        engine.run()
    assert len(outputs) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_bar_counts_cases_and_is_gone_afterwards(capsys):
    evaluator(dataset("0", "1", "2"), progress=True).run()
    evaluator(dataset("a"), progress=None).run()  # no terminal, no bar
    out, err = capsys.readouterr()
    assert out == "" and err.strip() == ""
