"""The published list is what the code has and what our configurations name; a listed name is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest

from monai_ext.bundle import targets_page
from monai_ext.bundle.catalog import bundle_folders
from monai_ext.bundle.targets import FUNCTIONS, LIBRARY_FUNCTIONS, is_target, published

ROOT = Path(__file__).resolve().parents[2]
LISTED = [
    (module, name)
    for line in (ROOT / "monai_ext/bundle/library_targets.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith(("#", "only with their module"))
    for module, names in [line.split(": ")]
    for name in names.split()
]


def named(content: Any) -> list[str]:
    """Every target in a configuration."""
    if isinstance(content, dict):
        own = [content["_target_"]] if "_target_" in content else []
        return own + named(list(content.values()))
    return [name for value in content for name in named(value)] if isinstance(content, list) else []


def test_the_published_list_is_up_to_date():
    assert (ROOT / "docs/targets.md").read_text(encoding="utf-8") == targets_page.text(), (
        "run python -m monai_ext.bundle.targets_page > docs/targets.md"
    )


@pytest.mark.parametrize("name", ["vlsm", "clip_sam", "medclip_sam"])
def test_every_target_of_our_configurations_is_published_or_of_a_library(name):
    files = sorted((bundle_folders()[name] / "configs").glob("*.json"))
    found = {target for file in files for target in named(json.loads(file.read_text(encoding="utf-8")))}
    ours = {one for target in published() for one in target.names}
    assert len(found) > 20
    assert [one for one in sorted(found) if one.startswith("monai_ext.") and one not in ours] == []
    assert [one for one in sorted(found) if not is_target(one)] == []


def test_a_published_name_is_a_class_of_ours_or_a_listed_function_and_has_a_summary():
    found = published()
    assert len({name for target in found for name in target.names}) == sum(len(t.names) for t in found) > 80
    for target in found:
        objects = [locate(name) for name in target.names]
        assert all(one is objects[0] for one in objects)
        assert callable(objects[0]) and isinstance(objects[0], type) != (target.names[0] in FUNCTIONS)
        assert objects[0].__module__.startswith("monai_ext.")
        assert target.summary.endswith((".", ":")), target


def test_a_class_is_called_by_its_folder_too_where_that_passes_it_on():
    names = {target.names for target in published()}
    assert ("monai_ext.masks.OtsuMask", "monai_ext.masks.coarse.OtsuMask") in names
    assert ("monai_ext.networks.vlsm.VLSM",) in names
    assert is_target("monai_ext.masks.OtsuMask") and is_target("monai_ext.masks.coarse.OtsuMask")
    assert not is_target("monai_ext.networks.VLSM")


@pytest.mark.parametrize(
    "name",
    [
        "monai_ext.masks.CoarseMask",  # abstract
        "monai_ext.masks.Candidates",  # values
        "monai_ext.networks.segmenter.Segmentation",
        "monai_ext.masks.count_components",  # a function that is not listed
        "monai_ext.data.recipes.preparation.prepare",
        "monai_ext.networks.encoders.clip_config.json",
    ],
)
def test_contracts_values_and_other_functions_are_no_targets(name):
    assert not is_target(name)


def test_every_listed_name_of_a_library_is_a_class_of_that_module_or_not_in_this_version():
    assert len(LISTED) > 1200
    wrong = []
    for module, name in LISTED:
        found = locate(f"{module}.{name}")
        defined = module if module.startswith(("monai.", "ignite.metrics")) else module.split(".")[0]
        if found is not None and not (isinstance(found, type) and found.__module__.startswith(defined)):
            wrong.append(f"{module}.{name}")
    assert wrong == []


def test_a_package_name_before_a_listed_name_means_the_same_class_or_nothing():
    wrong = []
    for module, name in LISTED:
        outer = module.rpartition(".")[0]
        while "." in outer:
            assert is_target(f"{outer}.{name}")
            if locate(f"{outer}.{name}") not in (None, *(locate(f"{m}.{n}") for m, n in LISTED if n == name)):
                wrong.append(f"{outer}.{name}")
            outer = outer.rpartition(".")[0]
    assert wrong == []


def test_functions_of_libraries_that_are_listed_are_functions():
    assert [name for name in LIBRARY_FUNCTIONS if not callable(locate(name))] == []


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("DiceLoss", True),
        ("monai.losses.DiceLoss", True),
        ("monai.losses.dice.DiceLoss", True),
        ("monai.networks.nets.UNet", True),
        ("monai.transforms.ScaleIntensityD", True),
        ("torch.nn.CrossEntropyLoss", True),
        ("torch.optim.AdamW", True),
        ("torch.utils.data.DataLoader", True),
        ("torch.device", True),
        ("ignite.metrics.Accuracy", True),
        ("ignite.handlers.EMAHandler", True),
        ("Linear", False),  # MONAI looks bare names up among its own
        ("Accuracy", False),
        ("Encoder", False),  # several of MONAI, and of ours
        ("monai.networks.nets.vqvae.Encoder", True),
        ("monai.DiceLoss", False),
        ("torch.Linear", False),
        ("torch.nn.modules.linear.Linear", False),
        ("monai.networks.losses.DiceLoss", False),
        ("monai.losses.dice", False),
        ("nn.Linear", False),
        ("ignite.handlers.WandBLogger", False),
    ],
)
def test_targets_of_libraries(name, listed):
    assert is_target(name) is listed
