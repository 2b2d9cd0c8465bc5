"""The check of a bundle from elsewhere: nothing hostile passes, nothing of ours is refused, and nothing is run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import monai_ext
from monai_ext.bundle.catalog import bundle_folders
from monai_ext.bundle.check import PROFILES, check_bundle, find_trusted_bundle
from monai_ext.bundle.export import export
from monai_ext.errors import InputError
from tests.bundle.hostile import FILES, HOSTILE


def test_hostile_bundles_are_many_and_of_every_form():
    assert len(HOSTILE) >= 400
    assert {hostile.file for hostile in HOSTILE.values()} >= {
        *FILES,
        "configs/logging.conf",
        "large_files.yml",
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_refused_where_it_is_hostile(tmp_path, name):
    hostile = HOSTILE[name]
    canary = tmp_path / "canary"
    findings = check_bundle(hostile.write(tmp_path, canary)).findings
    where = hostile.id.replace("CANARY", str(canary)).replace("FOLDER", str(tmp_path))
    found = [one for one in findings if one.file == hostile.file and (not where or one.id == where)]
    assert any(hostile.fault in one.fault for one in found), [str(one) for one in findings]
    assert not canary.exists()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["vlsm", "clip_sam", "medclip_sam"])
def test_our_bundles_are_let_in(name, profile):
    folder = bundle_folders()[name]
    checked = check_bundle(folder, profile)
    assert [str(one) for one in checked.findings] == []
    # the configurations, and large_files.yml
    assert checked.files == len(list((folder / "configs").iterdir())) + 1
    text = "".join(file.read_text(encoding="utf-8") for file in (folder / "configs").iterdir())
    assert checked.targets == text.count('"_target_":') > 0
    assert checked.expressions == text.count('"$') > 0


def test_an_exported_bundle_is_let_in(tmp_path, bundle):
    assert check_bundle(export(bundle, tmp_path / "exported")).findings == ()


def test_all_is_reported_together_each_on_one_line(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "a.json").write_text(
        json.dumps(
            {"x\n": {"_target_": "os.system"}, "run": ["$import os", "$[i for i in @x]"], "a": "%/b.json"}
        )
    )
    (tmp_path / "evil.py").write_text("")
    assert [str(one) for one in check_bundle(tmp_path).findings] == [
        "configs/a.json, a: the macro takes '%/b.json' from outside the bundle; copy the entry.",
        "configs/a.json, run#0: the expression imports os; write a _target_ or a plain value.",
        "configs/a.json, run#1: the expression holds a comprehension; write a _target_ or a plain value.",
        "configs/a.json, x\\n#_target_: the target is 'os.system'; name one that docs/targets.md lists.",
        "evil.py: is code, or runs code when it is loaded; a bundle holds data only.",
    ]


ZOO_IMPORTING = {
    "imports": ["$import glob", "$import os"],
    "bundle_root": ".",
    "datalist": "$list(sorted(glob.glob(os.path.join(@bundle_root, 'data', '*.nii.gz'))))",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in @datalist]"},
    "handlers": [{"_target_": "StatsHandler", "output_transform": "$lambda x: None"}],
    "initialize": ["$setattr(torch.backends.cudnn, 'benchmark', True)"],
}
"""In the manner of many bundles of MONAI's model zoo."""
ZOO_PLAIN = {
    "bundle_root": ".",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "network_def": {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2},
    "network": "$@network_def.to(@device)",
    "data": {
        "_target_": "monai.data.load_decathlon_datalist",
        "data_list_file_path": "$@bundle_root + '/dataset.json'",
        "data_list_key": "validation",
    },
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image", "reader": "NibabelReader"},
            {"_target_": "ScaleIntensityd", "keys": "image"},
        ],
    },
    "dataset": {"_target_": "Dataset", "data": "@data", "transform": "@preprocessing"},
    "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
    "handlers": [
        {
            "_target_": "StatsHandler",
            "output_transform": "$monai.handlers.from_engine(['loss'], first=True)",
            "_disabled_": "$len(@data) > 100",
        }
    ],
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network",
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [96, 96, 96]},
        "key_val_metric": {
            "dice": {
                "_target_": "MeanDice",
                "output_transform": "$monai.handlers.from_engine(['pred', 'label'])",
            }
        },
        "val_handlers": "%handlers",
    },
    "run": ["$@evaluator.run()"],
}
"""The same work, named and not written as code."""


def zoo_bundle(folder: Path, inference: dict) -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(inference))
    (folder / "configs" / "metadata.json").write_text(json.dumps({"version": "0.1.0"}))
    (folder / "configs" / "logging.conf").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=consoleHandler\n[formatters]\nkeys=fullFormatter\n[logger_root]\n"
        "level=INFO\nhandlers=consoleHandler\n[handler_consoleHandler]\nclass=StreamHandler\nlevel=INFO\n"
        "formatter=fullFormatter\nargs=(sys.stdout,)\n[formatter_fullFormatter]\nformat=%(message)s\n"
    )
    (folder / "large_files.yml").write_text(
        "large_files:\n- path: models/model.pt\n  url: https://example.org/model.pt\n"
        f"  hash_type: md5\n  hash_val: {'0a' * 16}\n"
    )
    return folder


def test_a_bundle_that_names_what_it_uses_is_let_in_and_the_strict_profile_wants_more(tmp_path):
    bundle = zoo_bundle(tmp_path / "plain", ZOO_PLAIN)
    assert check_bundle(bundle) == (3, 11, 7, ())
    assert [(one.file, one.id, one.fault) for one in check_bundle(bundle, "strict").findings] == [
        ("configs/inference.json", "device", "the expression calls torch.cuda.is_available"),
        ("configs/inference.json", "device", "the expression calls torch.device"),
        *(
            ("configs/inference.json", name, "the expression calls monai.handlers.from_engine")
            for name in ("evaluator#key_val_metric#dice#output_transform", "handlers#0#output_transform")
        ),
        ("large_files.yml", "large_files#0", "its hash is missing or no hash"),
    ]


def test_a_bundle_that_imports_is_refused_with_each_of_its_expressions(tmp_path):
    bundle = zoo_bundle(tmp_path / "importing", ZOO_IMPORTING)
    assert [(one.id, one.fault.removeprefix("the expression ")) for one in check_bundle(bundle).findings] == [
        ("datalist", "calls glob.glob"),
        ("datalist", "calls os.path.join"),
        ("dataset#data", "holds a comprehension"),
        ("handlers#0#output_transform", "holds a lambda"),
        ("imports#0", "imports glob"),
        ("imports#1", "imports os"),
        ("initialize#0", "calls setattr"),
        ("initialize#0", "names torch.backends.cudnn"),
    ]


def test_a_macro_may_take_entries_of_the_bundles_own_files_which_are_then_checked_too(tmp_path, monkeypatch):
    bundle = zoo_bundle(tmp_path / "bundle", {"x": "%docs/blocks.json#unet", "y": "%y2", "y2": 1})
    (bundle / "docs").mkdir()
    (bundle / "docs" / "blocks.json").write_text(json.dumps({"unet": {"_target_": "UNet"}}))
    (bundle / "docs" / "figures.json").write_text(json.dumps({"x": "$import os"}))  # read by nobody
    assert check_bundle(bundle) == (4, 1, 0, ())
    (bundle / "docs" / "blocks.json").write_text(json.dumps({"unet": {"_target_": "os.system"}}))
    assert [one.file for one in check_bundle(bundle).findings] == ["docs/blocks.json"]
    # MONAI takes the file from where the process stands
    (bundle / "docs" / "blocks.json").write_text("{}")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "blocks.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert [one.id for one in check_bundle(bundle).findings] == ["x"]
    monkeypatch.chdir(bundle)
    assert check_bundle(bundle).findings == ()


def test_only_the_bundle_is_read_and_only_plain_files_of_it(tmp_path):
    bundle = zoo_bundle(tmp_path / "bundle", {"x": 1})
    (tmp_path / "out.json").write_text(json.dumps({"x": "$import os"}))
    (bundle / "configs" / "a.json").symlink_to(tmp_path / "out.json")
    (bundle / "docs").symlink_to(tmp_path)
    (bundle / "configs" / "loop.json").symlink_to("loop.json")
    os.mkfifo(bundle / "configs" / "pipe.json")
    (bundle / "configs" / "b.json").symlink_to("inference.json")
    checked = check_bundle(bundle)
    assert [(one.file, one.fault) for one in checked.findings] == [
        ("configs/a.json", "is a link to outside the bundle"),
        ("configs/loop.json", "is a link to outside the bundle"),
        ("configs/pipe.json", "is neither a file nor a folder"),
        ("docs", "is a link to outside the bundle"),
    ]
    assert checked.files == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "no", "no: no such folder."),
        (lambda folder: folder, "no configuration in its configs/, so it is no bundle."),
    ],
)
def test_what_is_no_bundle_is_one_line(tmp_path, make, message):
    with pytest.raises(InputError, match=message):
        check_bundle(make(tmp_path))
    with pytest.raises(InputError, match="profile is 'lax'; choose from default, strict"):
        check_bundle(tmp_path, "lax")  # type: ignore[arg-type]


# what may be run

HOSTILE_ENTRY = {"x": {"_target_": "os.system", "command": "true"}}


def test_the_packages_own_bundles_are_run_unchecked_by_name_or_folder(monkeypatch):
    monkeypatch.setattr("monai_ext.bundle.check.check_bundle", lambda folder: 1 / 0)
    assert find_trusted_bundle("vlsm") == find_trusted_bundle(bundle_folders()["vlsm"])


def test_a_bundle_from_elsewhere_is_run_after_the_check_or_when_trusted(tmp_path, bundle):
    assert find_trusted_bundle(bundle) == bundle
    hostile = Path(shutil.copytree(bundle, tmp_path / "hostile"))
    (hostile / "configs" / "more.json").write_text(json.dumps(HOSTILE_ENTRY))
    message = (
        r"^bundle hostile is not run, 1 finding, the first: configs/more\.json, x#_target_: the target is"
        r" 'os\.system'; name one that docs/targets\.md lists\. Run monai-ext bundles check DIR, or add --trust to"
        r" run it as it is\.$"
    )
    for use in (find_trusted_bundle, monai_ext.load, lambda name: export(name, tmp_path / "out")):
        with pytest.raises(InputError, match=message):
            use(hostile)
    assert not (tmp_path / "out").exists()
    assert find_trusted_bundle(hostile, trust=True) == hostile
    assert monai_ext.load(hostile, device="cpu", trust=True).threshold == 0.5
    assert export(hostile, tmp_path / "out", trust=True).is_dir()


def test_a_variant_from_elsewhere_is_checked_whatever_it_is_laid_over(tmp_path, bundle):
    (tmp_path / "good.json").write_text(json.dumps({"mask_threshold": 0.4}))
    (tmp_path / "evil.json").write_text(json.dumps(HOSTILE_ENTRY))
    for name in ("vlsm", bundle):
        assert find_trusted_bundle(name, ["inference", str(tmp_path / "good.json")])
        with pytest.raises(
            InputError, match=r"^the variant is not run, 1 finding, the first: evil\.json, x#_targ"
        ):
            find_trusted_bundle(name, [str(tmp_path / "evil.json")])
        assert find_trusted_bundle(name, [str(tmp_path / "evil.json")], trust=True)


def test_a_variant_that_lies_in_the_bundle_but_not_in_its_configs_is_checked(tmp_path, bundle):
    other = Path(shutil.copytree(bundle, tmp_path / "other"))
    (other / "docs" / "evil.json").write_text(json.dumps(HOSTILE_ENTRY))
    assert find_trusted_bundle(other, ["inference"]) == other
    for name in ("../docs/evil", "../docs/evil.json", str(other / "docs" / "evil.json")):
        with pytest.raises(
            InputError, match=r"^the variant is not run, 1 finding, the first: docs/evil\.json, x#_t"
        ):
            find_trusted_bundle(other, [name])
