"""monai-ext evaluate: what is written, and what is printed of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from monai_ext.cli.main import main
from tests.bundles.small import contents, picture

ROOT = Path(__file__).resolve().parents[2]


def test_an_evaluation_writes_and_prints_its_figures(tmp_path, bundle, capsys):
    data = tmp_path / "set"
    data.mkdir()
    pictures = [picture(data / f"{n}.png", seed=n) for n in range(2)]
    label = np.zeros((24, 40), np.uint8)
    label[4:12, 4:20] = 1
    items = []
    for path in pictures:
        Image.fromarray(label).save(data / f"{path.stem}_mask.png")
        items.append({"image": path.name, "label": f"{path.stem}_mask.png", "id": path.stem})
    (data / "dataset.json").write_text(
        json.dumps(
            {
                "name": "set",
                "modality": {"0": "ultrasound"},
                "labels": {"0": "background", "1": "breast tumour"},
                "prompts": {"1": ["breast tumour"]},
                "validation": items,
            }
        )
    )
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
