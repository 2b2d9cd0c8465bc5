"""monai-ext segment --statistics: a table of all masks, also of cases that an earlier run finished."""

from __future__ import annotations

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from monai_ext.cli.main import main
from tests.bundles.small import contents, picture
from tests.cli.commands import segment


def rows(folder, name="statistics"):
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    listed = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert [(one["case"], one["prompt"]) for one in table] == [(one["case"], one["prompt"]) for one in listed]
    return listed


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    picture(folder / "a.png")
    picture(folder / "b.png", seed=1)
    return folder


def test_each_case_and_prompt_is_a_row_with_the_figures_of_its_mask(tmp_path, bundle, capsys):
    values = np.random.default_rng(0).normal(100, 30, (20, 18, 3)).astype(np.float32)
    nib.save(nib.Nifti1Image(values, np.diag([1.0, 2, 5, 1])), tmp_path / "v.nii.gz")
    out = tmp_path / "out"
    assert segment(tmp_path / "v.nii.gz", out, bundle, "--statistics", prompts=("lungs", "no lungs")) == 0
    assert f"statistics → {out}/statistics.csv" in capsys.readouterr().out.splitlines()
    found, absent = rows(out)
    mask = np.asarray(nib.load(out / found["mask"]).dataobj) > 0
    assert found["voxels"] == np.count_nonzero(mask) > 0
    assert found["volume_ml"] == pytest.approx(found["voxels"] / 100)
    assert found["mean"] == pytest.approx(values[mask].mean(), rel=1e-5)
    assert found["p95"] == pytest.approx(np.percentile(values[mask].astype(float), 95))
    assert found["centroid"] == pytest.approx(np.argwhere(mask).mean(0) * [1, 2, 5])
    assert (found["coordinates"], found["intensity_unit"], found["reason"]) == ("RAS", "stored value", "")
    assert (absent["voxels"], absent["components"], absent["mean"]) == (0, 0, None)
    assert absent["reason"] == json.loads((out / "report.json").read_text())["results"][1]["warnings"][-1]


def test_cases_that_are_done_keep_their_rows_and_without_the_option_nothing_is_written(
    scans, tmp_path, bundle
):
    out = tmp_path / "out"
    assert segment(scans, out, bundle, "--quiet") == 0
    assert not (out / "statistics.csv").exists()
    assert segment(scans, out, bundle, "--quiet", "--statistics") == 0
    assert json.loads((out / "report.json").read_text())["skipped"] == 0  # they had no figures
    before = contents(out)
    assert segment(scans, out, bundle, "--quiet", "--statistics") == 0
    assert json.loads((out / "report.json").read_text())["skipped"] == 2
    after = contents(out)
    assert [one["case"] for one in rows(out)] == ["a", "b"]
    assert {name: after[name] for name in after if name != "report.json"} == {
        name: before[name] for name in before if name != "report.json"
    }


def test_jobs_of_an_array_write_a_table_each(scans, tmp_path, bundle):
    for part in ("1", "2"):
        assert segment(scans, tmp_path / "out", bundle, "--statistics", "--part", part, "--parts", "2") == 0
    assert [rows(tmp_path / "out", f"statistics-{n}-of-2")[0]["case"] for n in (1, 2)] == ["a", "b"]


def test_monais_runner_writes_the_same_table(scans, tmp_path, bundle):
    from tests.bundles.runs import opened

    assert segment(scans, tmp_path / "cli", bundle, "--statistics") == 0
    flow = opened(
        bundle,
        ["inference"],
        scans,
        tmp_path / "monai",
        case_names="file",
        statistics=True,
        **{"displayable_configs#text_prompt": "lungs"},
    )
    flow.run()
    assert rows(tmp_path / "monai") == rows(tmp_path / "cli")


def test_a_bundle_without_the_id_is_refused_in_one_line(scans, tmp_path, bundle, capsys):
    import shutil

    old = tmp_path / "old"
    shutil.copytree(bundle, old)
    config = old / "configs" / "inference.json"
    content = json.loads(config.read_text())
    del content["statistics"]
    config.write_text(json.dumps(content))
    assert (
        main(
            [
                "segment",
                str(scans),
                "-p",
                "lungs",
                "-o",
                str(tmp_path / "o"),
                "--bundle",
                str(old),
                "--statistics",
            ]
        )
        == 2
    )
    assert capsys.readouterr().err.startswith(
        "error: --statistics: the configuration of bundle old knows none"
    )
