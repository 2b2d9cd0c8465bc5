from __future__ import annotations

import json
import sys

import pytest

from monai_ext.apps.label import start
from monai_ext.apps.label.start import make_app, server_command
from monai_ext.cli import label as command
from monai_ext.cli.main import main
from monai_ext.errors import InputError
from tests.bundles.small import contents
from tests.served import small_bundle


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return small_bundle("vlsm", tmp_path_factory.mktemp("exported"))


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: name)


def test_an_application_is_made_once_and_taken_again_as_it_is(exported, tmp_path):
    app = tmp_path / "app"
    assert make_app(str(exported), app) == app / "model" / "vlsm"
    assert (app / "main.py").read_text() == "from monai_ext.apps.label import LabelApp\n"
    (app / "main.py").write_text("# mine\n")
    before = contents(app)
    assert make_app(str(exported), app) == app / "model" / "vlsm"
    assert contents(app) == before


def test_another_bundle_of_the_name_is_refused(exported, tmp_path):
    make_app(str(exported), tmp_path / "app")
    other = small_bundle("vlsm", tmp_path / "other")
    metadata = other / "configs" / "metadata.json"
    content = json.loads(metadata.read_text())
    metadata.write_text(json.dumps({**content, "version": "0.2.0"}))
    with pytest.raises(
        InputError, match="^app/model/vlsm is another bundle, or another version of it; choose another"
    ):
        make_app(str(other), tmp_path / "app")
    metadata.write_text(json.dumps(content))
    model = other / "models" / "model.pt"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(InputError, match="is another bundle"):
        make_app(str(other), tmp_path / "app")


def test_the_command_has_what_was_asked_for(installed, tmp_path):
    conf = {"labels": "breast tumour", "modality": "ultrasound", "group": None}
    words = server_command(tmp_path / "app", str(tmp_path), "127.0.0.1", 8123, conf)
    assert words[:4] == [sys.executable, "-m", "monailabel.main", "start_server"]
    assert words[4:12] == [
        "--app",
        str(tmp_path / "app"),
        "--studies",
        str(tmp_path),
        "--host",
        "127.0.0.1",
        "--port",
        "8123",
    ]
    assert words[12:] == ["--conf", "labels", "breast tumour", "--conf", "modality", "ultrasound"]


@pytest.mark.parametrize(
    ("studies", "conf", "message"),
    [
        ("missing", {}, "^missing: no such folder of studies"),
        ("http://127.0.0.1:9", {"labels": "$open('x')"}, "begins with"),
        ("http://127.0.0.1:9", {"modality": "drawing"}, "drawing"),
    ],
)
def test_what_cannot_be_used_is_refused(installed, tmp_path, studies, conf, message):
    studies = studies if studies.startswith("http") else str(tmp_path / studies)
    with pytest.raises(InputError, match=message):
        server_command(tmp_path, studies, "127.0.0.1", 8000, conf)


def test_without_monai_label_one_line_says_how_to_install_it(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    assert main(["label", "vlsm", "--studies", str(tmp_path), "-o", str(tmp_path / "app")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: MONAI Label is not installed here; make label installs it")
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(("host", "notes"), [("127.0.0.1", 0), ("0.0.0.0", 1)])
def test_the_command_line_makes_the_application_and_becomes_the_server(
    host, notes, installed, exported, tmp_path, monkeypatch, capsys
):
    started = []
    monkeypatch.setattr(command.os, "execv", lambda program, words: started.append((program, words)))
    words = ["label", str(exported), "--studies", str(tmp_path), "-o", str(tmp_path / "app"), "--host", host]
    assert main([*words, "--labels", "lungs"]) == 0
    ((program, words),) = started
    assert program == words[0] == sys.executable
    assert words[-3:] == ["--conf", "labels", "lungs"] and str(tmp_path / "app") in words
    assert (tmp_path / "app" / "model" / "vlsm" / "models" / "model.pt").is_file()
    first, *more = capsys.readouterr().out.splitlines()
    assert first.startswith("vlsm in ") and f"http://{host}:8000" in first
    assert len(more) == notes
