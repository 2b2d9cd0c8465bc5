"""monai-ext evaluate: what is written, and what is printed of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from monai_ext.cli.main import main
from monai_ext.data.absent_prompts import DRAWN, NEGATED, NEGATIONS, NONSENSE
from tests.bundles.small import contents, picture

ROOT = Path(__file__).resolve().parents[2]


def write_set(
    folder: Path, name: str = "breast tumour", modality: str = "ultrasound", empty: int = 0
) -> Path:
    """Two pictures with a rectangle, and `empty` ones whose mask is empty."""
    folder.mkdir()
    items = []
    for number in range(2 + empty):
        path = picture(folder / f"{number}.png", seed=number)
        label = np.zeros((24, 40), np.uint8)
        label[4:12, 4:20] = number < 2
        Image.fromarray(label).save(folder / f"{path.stem}_mask.png")
        items.append({"image": path.name, "label": f"{path.stem}_mask.png", "id": path.stem})
    table = {
        "name": folder.name,
        "modality": {"0": modality},
        "labels": {"0": "background", "1": name},
        "prompts": {"1": [name]},
        "validation": items,
    }
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def test_an_evaluation_writes_and_prints_its_figures(tmp_path, bundle, capsys):
    data = write_set(tmp_path / "set")
    words = ["--data", str(data), "--split", "validation", "-o", str(tmp_path / "out")]
    assert main(["evaluate", str(bundle), *words]) == 0
    out = capsys.readouterr().out
    figures = json.loads((tmp_path / "out/metrics.json").read_text())
    assert f"{figures['targets']['breast tumour']['dice']['mean']:.3f}" in out
    pictures = {f"overlays/set-breast-tumour-{which}.png" for which in ("worst", "best")}
    panels = {f"panels/set-breast-tumour-{which}.jpg" for which in ("worst", "best")}
    figures = {"metrics.json", "cases.csv", "setting.json", "report.html"}
    assert set(contents(tmp_path / "out")) == {*figures, *pictures, *panels}
    assert f"{tmp_path}/out/overlays" in out and f"report → {tmp_path}/out/report.html" in out
    words[3] = "nosuch"
    assert main(["evaluate", str(bundle), *words]) == 2
    assert "nosuch" in capsys.readouterr().err


def run_absent(bundle: str | Path, data: Path, out: Path, *more: str) -> int:
    return main(
        ["evaluate", str(bundle), "--data", str(data), "--split", "validation", "-o", str(out), *more]
    )


def test_absent_targets_are_asked_of_the_embedded_weights(tmp_path, capsys):
    write_set(tmp_path / "breast", empty=1)
    out = tmp_path / "out"
    assert run_absent("vlsm", tmp_path / "breast", out, "--absent") == 0
    printed = capsys.readouterr().out
    figures = json.loads((out / "metrics.json").read_text())["absent"]
    assert json.loads((out / "setting.json").read_text())["facts"]["wording"] == "absent"
    with (out / "absent.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert next(one for one in lines if one["kind"] == "present")["asked"] == "2"
    assert sum(int(one["asked"]) for one in lines) == figures["pooled"]["asked"] + figures["t_acc"]["n"]
    kinds = {kind: figures["kinds"][kind]["asked"] for kind in ("healthy", NEGATED, NONSENSE)}
    assert kinds == {"healthy": 1, NEGATED: 3 * len(NEGATIONS), NONSENSE: 3 * DRAWN}
    for kind in (NEGATED, NONSENSE):  # by rule: their words are refused
        assert (figures["kinds"][kind]["answered"], figures["kinds"][kind]["refused"]) == (0, kinds[kind])
    assert figures["kinds"]["other modality, other region"]["refused"] > 0
    assert "kind of absence" in printed and f"{figures['pooled']['asked']}" in printed
    assert f"T-acc {figures['t_acc']['mean']:.3f} over 2 present prompts, 0 of them refused" in printed
    assert f"N-acc {figures['n_acc']['mean']:.3f} over {figures['n_acc']['n']} absent ones" in printed
    assert str(out / "absent.csv") in printed
    assert "Absent targets" in (out / "report.html").read_text()


def test_the_worst_pairs_are_printed(tmp_path, bundle, capsys):
    for name, target in (("one", "breast tumour"), ("two", "thyroid nodule")):
        write_set(tmp_path / name, target)
    places = ("--data", str(tmp_path / "two"), "--limit", "3", "--wording", "absent")
    assert run_absent(bundle, tmp_path / "one", tmp_path / "out", *places) == 0
    printed = capsys.readouterr().out.replace("\n", " ")
    worst = json.loads((tmp_path / "out/metrics.json").read_text())["absent"]["worst"]
    assert len(worst) == printed.count("worst: ") == 5
    assert {pair["set"] for pair in worst} <= {"one", "two"}
    first = worst[0]
    named = f"{first['target']} ({first['target_modality']}) on {first['set']}"
    assert f"worst: {named}, {first['answered']} of {first['asked']} answered" in printed


def test_other_words_than_canonical_ones_are_refused_for_absent_targets(tmp_path, bundle, capsys):
    data = write_set(tmp_path / "set")
    assert run_absent(bundle, data, tmp_path / "out", "--absent", "--wording", "heldout") == 2
    assert "--absent and --wording heldout" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
