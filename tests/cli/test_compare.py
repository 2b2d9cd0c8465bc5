"""monai-ext compare: what is printed, and what is refused in one line."""

from __future__ import annotations

import pytest

from monai_ext.cli.main import main
from tests.studies.compared import breast_set, grey_bundle


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return grey_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def data(tmp_path):
    return breast_set(tmp_path / "breast")


def words(data, out) -> list[str]:
    return ["--data", str(data), "--split", "validation", "-o", str(out), "--device", "cpu", "--trust"]


def test_table_groups_and_sentence_are_printed(grey, data, tmp_path, capsys):
    more = ["--by", "site", "--no-paraphrases"]
    assert main(["compare", str(grey), f"{grey}:exact", *words(data, tmp_path / "out"), *more]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "4 methods, 4 evaluations of 4 cases\n1/4  grey: Dice 0.6667" in out
    assert "│ grey:exact │ 1.000 (1.00 to 1.00) │" in out
    assert "memory" not in out and "other words" not in out  # columns that nothing was measured for
    assert "│ north │ 1.000                │ 0.667" in out
    assert "take grey:exact: Dice 1.000, 0.333 more than grey, which 3 patients cannot tell from noise" in out
    assert f"figures → {tmp_path}/out/compare.json" in out
    assert f"report → {tmp_path}/out/report.html" in out
    again = ["compare", str(grey), f"{grey}:exact", *words(data, tmp_path / "out"), *more, "--quiet"]
    assert main(again) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("methods", "more", "message"),
    [
        (["nosuch"], [], "no bundle 'nosuch'; known are clip_sam, medclip_sam, vlsm"),
        (
            ["{grey}:nosuch"],
            [],
            "bundle grey: no configuration 'nosuch', nor a file of that name; its variants:",
        ),
        (["{grey}", "{grey}"], [], "grey stands twice; a comparison is of different methods."),
        (["{grey}", "m=nowhere"], [], "nowhere: no such folder of masks."),
        (["{grey}", "=nowhere"], [], "'=nowhere': write NAME=DIR, a name and the folder of its masks."),
        (["{grey}", "Otsu={data}"], [], "Otsu: a floor has this name; choose another, or add --no-floors."),
        (
            ["{grey}"],
            ["--split", "nosuch"],
            "{data}: no list 'nosuch' in dataset.json; choose from validation",
        ),
        (
            ["{grey}"],
            ["--by", "scanner"],
            "--by scanner: no item of the list states it; choose from set, mod",
        ),
        (["{grey}"], ["--no-floors"], "one method; give two or more to compare, or leave the floors in."),
        (["{grey}"], ["--data", "nowhere"], "nowhere: no such file or folder."),
        (["{grey}"], ["--device", "tpu"], "device 'tpu': choose auto, cpu or cuda:0."),
        (["{grey}"], ["-o", "{data}/p1.png"], "p1.png: the output is a folder, but this is a file"),
        ([], [], "Missing argument"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_nothing_runs(
    grey, data, tmp_path, capsys, methods, more, message
):
    shown = {"grey": str(grey), "data": str(data)}
    asked = [word.format(**shown) for word in (*methods, *words(data, tmp_path / "out"), *more)]
    assert main(["compare", *asked]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: " + message.format(**shown)) and err.count("\n") == 1
    assert out == "" and not (tmp_path / "out").exists()
