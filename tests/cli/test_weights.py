"""monai-ext weights: what is said, what is written, and exit code 3 with one line when it cannot be had."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from monai_ext.cli.main import main
from monai_ext.weights import fetch as fetching
from monai_ext.weights import load_weights, registry
from tests.weights.bombs import Bomb
from tests.weights.server import CONTENT, FILE, Behaviour, registry_of, serving


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    return tmp_path / "home" / "weights" / "small"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with the file of the one entry, "small"."""
    behaviour = Behaviour()
    with serving(behaviour) as address:
        monkeypatch.setattr(registry, "REGISTRY", registry_of(tmp_path, f"{address}/{FILE}"))
        yield behaviour


def test_fetching_prints_file_size_and_licence_then_that_it_is_ready(server, home, capsys):
    sha256 = registry.registered("small").sha256
    assert main(["weights", "fetch", "small"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"small: {FILE}, 10.2 kB, licence for tests",
        f"small: ready, SHA-256 {sha256}",
    ]
    assert main(["weights", "verify", "small"]) == 0
    assert capsys.readouterr().out == f"small: {FILE} is as it should be, SHA-256 {sha256}\n"
    assert main(["weights", "path", "small"]) == 0
    assert capsys.readouterr().out == f"{home / FILE}\n"


def test_quiet_says_nothing(server, capsys):
    assert main(["weights", "fetch", "small", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_list_shows_what_is_here(server, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    main(["weights", "list"])
    assert "not fetched" in capsys.readouterr().out
    main(["weights", "fetch", "small", "--quiet"])
    main(["weights", "list", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert listed["small"]["where"] == "fetched"
    assert listed["small"]["licence"] == "for tests"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statuses": [404]}, "answers 404 Not Found"),
        ({"statuses": [500] * 9}, "the server answers 500"),
        ({"content": CONTENT[1:]}, "was refused and removed"),
        ({"drops": [9] * 9, "ranges": False}, "the connection was lost"),
        ({"content_type": "text/html"}, "sent a web page"),
    ],
)
def test_a_failed_fetch_is_one_line_and_exit_code_3(server, capsys, change, message):
    for key, value in change.items():
        setattr(server, key, value)
    assert main(["weights", "fetch", "small", "--quiet"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: weights 'small': ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("command", ["verify", "path"])
def test_what_was_not_fetched_is_exit_code_3_and_says_the_command(server, capsys, command):
    assert main(["weights", command, "small"]) == 3
    assert capsys.readouterr().err == (
        "error: weights 'small' are not on this machine; run: monai-ext weights fetch small\n"
    )
    assert main(["weights", command, "large"]) == 3
    assert "no weights 'large'; known are small" in capsys.readouterr().err
    assert server.sent == []


def test_a_flipped_bit_is_found(server, home, capsys):
    main(["weights", "fetch", "small", "--quiet"])
    (home / FILE).write_bytes(CONTENT[:-1] + b"\0")
    assert main(["weights", "verify", "small"]) == 3
    assert "small.safetensors is damaged or another file: it has hash" in capsys.readouterr().err


def test_a_checkpoint_from_a_folder_is_converted_and_its_code_not_run(tmp_path, monkeypatch, home, capsys):
    (tmp_path / "disk").mkdir()
    checkpoint = {"model": {"a": torch.tensor([0.5])}, "optimizer": Bomb(tmp_path / "ran")}
    torch.save(checkpoint, tmp_path / "disk" / "model.pth")
    path = registry_of(
        tmp_path, "page:https://example.org/view", sha256=None, file="model.pth", loader="checkpoint"
    )
    monkeypatch.setattr(registry, "REGISTRY", path)
    assert main(["weights", "fetch", "small"]) == 3
    assert "has to be downloaded in a browser from https://example.org/view" in capsys.readouterr().err
    assert main(["weights", "fetch", "small", "--from", str(tmp_path / "disk")]) == 0
    assert "the tensors are taken out of model.pth; nothing in it is run" in capsys.readouterr().out
    assert main(["weights", "path", "small"]) == 0
    assert capsys.readouterr().out == f"{home / 'small.safetensors'}\n"
    assert load_weights("small")["a"].tolist() == [0.5]
    assert not (tmp_path / "ran").exists()


def test_embedded_weights_are_there_without_a_fetch(capsys):
    assert main(["weights", "fetch", "vlsm", "--quiet"]) == 0
    assert main(["weights", "verify", "vlsm"]) == 0
    assert main(["weights", "path", "vlsm"]) == 0
    assert capsys.readouterr().out.endswith("embedded/vlsm.safetensors\n")


@pytest.mark.parametrize(
    "command", [["weights", "--help"], ["weights", "list"], ["weights", "verify", "vlsm"]]
)
def test_help_list_and_verify_import_nothing_heavy(command):
    code = (
        "import sys; from monai_ext.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, [m for m in ('torch', 'monai', 'numpy', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
