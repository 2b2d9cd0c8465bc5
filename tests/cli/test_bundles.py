"""monai-ext bundles: the list, the check of a bundle from elsewhere, and that no command runs one that it refuses."""

from __future__ import annotations

from pathlib import Path

from monai_ext.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_of_bundles_shows_task_weights_and_licence(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["bundles"]) == 0
    out = capsys.readouterr().out
    for words in ("vlsm", "text prompts", "demonstration accuracy", "research use, non-commercial"):
        assert words in out
