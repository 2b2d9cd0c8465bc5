"""monai-ext doctor: a line for each finding, JSON, exit codes."""

from __future__ import annotations

import json

import pytest

from monai_ext.cli.main import main
from monai_ext.doctor import examine
from monai_ext.doctor.finding import Finding

GOOD = Finding("packages", "torch", "ok", "2.10 (>=2.10)", values={"version": "2.10"})
BAD = Finding("disk", "working folder", "mend", "0.1 GB free", "free some")
WORST = Finding("weights", "vlsm", "damaged", "another file", "install monai_ext again")


@pytest.fixture
def findings(monkeypatch):
    given: list[Finding] = [GOOD]
    monkeypatch.setattr(examine, "examine", lambda: iter(given))
    return given


def test_good_findings_are_lines_under_their_area(findings, capsys):
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines() == ["packages", "  ✓ torch: 2.10 (>=2.10)", "all is well"]


def test_what_is_to_be_mended_says_how(findings, capsys):
    findings.append(BAD)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().out.splitlines()[2:] == [
        "disk",
        "  ✗ working folder: 0.1 GB free → free some",
        "1 of 2 to mend",
    ]


def test_advice_that_stands_in_the_text_is_not_said_twice(findings, capsys):
    findings[:] = [
        Finding("weights", "vlsm", "damaged", "another file; install it again.", "install it again")
    ]
    assert main(["doctor"]) == 3
    assert capsys.readouterr().out.splitlines()[1] == "  ✗ vlsm: another file; install it again."


def test_damaged_weights_are_exit_code_3(findings, capsys):
    findings += [BAD, WORST]
    assert main(["doctor"]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 3 to mend"


def test_json_holds_all_figures_and_nothing_else_is_printed(findings, capsys):
    findings.append(BAD)
    assert main(["doctor", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    assert told["findings"][0] == {
        "area": "packages",
        "name": "torch",
        "status": "ok",
        "text": "2.10 (>=2.10)",
        "advice": "",
        "values": {"version": "2.10"},
    }


def test_this_installation_is_examined_in_every_area(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path))
    main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)["findings"]
    areas = list(dict.fromkeys(one["area"] for one in told))
    assert areas == ["python", "packages", "extras", "memory", "disk", "weights", "device", "self test"]
    assert len({(one["area"], one["name"]) for one in told}) == len(told)
