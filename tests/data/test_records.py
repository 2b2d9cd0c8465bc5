"""Records state what a result depends on, modules of a method by class and attributes, and other ones are done again."""

import hashlib
import json
import logging
import shutil

import pytest

from monai_ext.data.records import CaseRecords
from monai_ext.errors import InputError
from monai_ext.masks import OtsuMask, VisualPrompts


def test_modules_of_a_method_are_recorded_by_class_and_attributes(tmp_path):
    records = CaseRecords(tmp_path, {"coarse": OtsuMask(0.25), "visual": VisualPrompts("points", count=5)})
    assert records.settings == {
        "coarse": {"method": "OtsuMask", "confidence": 0.25},
        "visual": {"method": "VisualPrompts", "kind": "points", "boxes": "components", "count": 5, "seed": 0},
    }


def test_a_case_done_with_another_module_is_not_finished(tmp_path):
    item = {"case": "a", "input_sha256": "0"}
    (tmp_path / "a.png").touch()
    CaseRecords(tmp_path, {"coarse": OtsuMask(0.25)}).write("a", "0", [{"mask": "a.png"}])
    assert CaseRecords(tmp_path, {"coarse": OtsuMask(0.25)}).finished(item) == [{"mask": "a.png"}]
    assert CaseRecords(tmp_path, {"coarse": OtsuMask(0.5)}).finished(item) is None


def records(folder, **more):
    known = {
        "bundle": ("vlsm", "0.1.0"),
        "weights": {"name": "vlsm", "sha256": "ab"},
        "prompt": "lungs; heart",
    }
    return CaseRecords(folder, {"mask_threshold": 0.5}, **{**known, **more})


def test_bundle_weights_prompts_and_the_hash_of_the_configuration_are_settings(tmp_path):
    assert records(tmp_path, configuration="ef").settings == {
        "bundle": "vlsm",
        "version": "0.1.0",
        "weights": "ab",
        "configuration": "ef",
        "prompt": [["lungs"], ["heart"]],
        "mask_threshold": 0.5,
    }


@pytest.mark.parametrize(
    ("more", "finished"),
    [
        ({}, True),
        ({"prompt": ["lungs", "heart"]}, True),
        ({"weights": {"name": "renamed", "sha256": "ab"}}, True),
        ({"prompt": "lungs"}, False),
        ({"weights": {"name": "vlsm", "sha256": "cd"}}, False),
        ({"bundle": ("vlsm", "0.2.0")}, False),
        ({"bundle": ("clip_sam", "0.1.0")}, False),
        ({"resume": False}, False),
        ({"configuration": "ef"}, False),
    ],
)
def test_a_case_is_finished_by_the_same_bundle_weights_and_prompts(tmp_path, more, finished):
    (tmp_path / "a.png").touch()
    records(tmp_path).write("a", "0", [{"mask": "a.png"}])
    found = records(tmp_path, **more).finished({"case": "a", "input_sha256": "0"})
    assert (found == [{"mask": "a.png"}]) is finished


ITEM = {"case": "a", "input_sha256": "0"}
ROWS = [{"case": "a", "prompt": "lungs", "mask": "a/lungs.png", "presence": 0.75}]


@pytest.fixture
def done(tmp_path):
    """The output folder of a run that finished one case of four files."""
    (tmp_path / "a").mkdir()
    for name in ("lungs", "labels", "overlay", "explanation"):
        (tmp_path / "a" / f"{name}.png").write_bytes(name.encode() * 9)
    records(tmp_path).write(
        "a", "0", ROWS, [f"a/{name}.png" for name in ("labels", "overlay", "explanation")]
    )
    return tmp_path


def test_a_record_names_the_hash_of_every_file_and_its_own(done):
    record = json.loads((done / "a/record.json").read_text())
    assert list(record) == ["settings", "input_sha256", "files", "results", "sha256"]
    assert record["files"] == {
        f"a/{name}.png": hashlib.sha256(name.encode() * 9).hexdigest()
        for name in ("explanation", "labels", "lungs", "overlay")
    }
    assert records(done).finished(ITEM) == ROWS


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthened(path):
    path.write_bytes(path.read_bytes() + b"\0")


def one_bit_turned(path):
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def replaced_by_another(path):
    shutil.copyfile(path.with_name("labels.png" if path.name == "lungs.png" else "lungs.png"), path)


def replaced_by_a_folder(path):
    path.unlink()
    path.mkdir()


def replaced_by_a_broken_link(path):
    path.unlink()
    path.symlink_to("nowhere")


CHANGES = (
    *(emptied, cut, lengthened, one_bit_turned, replaced_by_another),
    *(replaced_by_a_folder, replaced_by_a_broken_link, lambda path: path.unlink()),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", ["lungs", "labels", "overlay", "explanation"])
def test_a_case_with_a_file_that_is_not_as_it_was_written_is_done_again(done, caplog, change, name):
    change(done / "a" / f"{name}.png")
    with caplog.at_level(logging.WARNING):
        assert records(done).finished(ITEM) is None
    assert caplog.messages == [
        f"a/{name}.png: missing, or changed since it was written; the case is done again."
    ]


def test_a_file_that_was_not_there_when_the_record_was_written_is_never_as_it_was_written(tmp_path):
    records(tmp_path).write("a", "0", ROWS)
    assert records(tmp_path).finished(ITEM) is None


def changed(**entries):
    return lambda record: json.dumps({**record, **entries})


@pytest.mark.parametrize(
    "damage",
    [
        *(
            lambda _: "",
            lambda _: "[]",
            lambda _: "{}",
            lambda _: "7",
            lambda _: "null",
            lambda _: "[" * 10**5,
        ),
        lambda record: json.dumps(record)[:-9],
        lambda record: json.dumps({key: value for key, value in record.items() if key != "sha256"}),
        lambda record: json.dumps({key: value for key, value in record.items() if key != "results"}),
        *(changed(sha256=None), changed(results=[{}]), changed(results={}), changed(results=[7])),
        *(
            changed(results=[{**ROWS[0], "presence": "0.75"}]),
            changed(files=["a/lungs.png"]),
            changed(files={}),
        ),
        *(changed(settings=None), changed(input_sha256=0), changed(more=1)),
        lambda record: json.dumps(record).replace("0.75", "NaN"),
        lambda record: json.dumps(record).replace("lungs", "\\ud800"),
    ],
)
def test_a_damaged_record_means_that_the_case_is_done_again(done, caplog, damage):
    path = done / "a/record.json"
    path.write_text(damage(json.loads(path.read_text())))
    with caplog.at_level(logging.WARNING):
        assert records(done).finished(ITEM) is None
    assert caplog.messages == ["a/record.json: damaged, or of another version; the case is done again."]


def test_a_record_that_is_no_text_or_of_an_earlier_version_means_that_the_case_is_done_again(done):
    path = done / "a/record.json"
    record = json.loads(path.read_text())
    earlier = {key: record[key] for key in ("settings", "input_sha256", "results")}
    for content in (b"\xff\xfe", json.dumps(earlier).encode()):
        path.write_bytes(content)
        assert records(done).finished(ITEM) is None


def test_a_record_may_be_written_in_another_layout(done):
    path = done / "a/record.json"
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert records(done).finished(ITEM) == ROWS


def test_a_record_is_utf_8_whatever_the_encoding_of_the_machine(done, monkeypatch):
    monkeypatch.setattr("io.text_encoding", lambda encoding, *_: encoding or "ascii")
    rows = [{**ROWS[0], "prompt": "Schädel"}]
    records(done).write("a", "0", rows)
    assert "Schädel".encode() in (done / "a/record.json").read_bytes()
    assert records(done).finished(ITEM) == rows


def test_another_input_of_the_same_name_is_not_finished_and_says_nothing(done, caplog):
    assert records(done).finished({**ITEM, "input_sha256": "1"}) is None
    assert records(done, prompt="heart").finished(ITEM) is None
    assert caplog.messages == []


def test_a_record_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match=r"^a: the record cannot be written \("):
        records(tmp_path).write("a", "0", [])
