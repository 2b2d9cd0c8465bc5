"""What the configurations of all bundles hold in common: no code, the same ids with the same values, overlays that
change what their name says."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from monai_ext.bundle.catalog import bundle_folders
from monai_ext.bundle.configs import bundle_variants, read_configs

BUNDLES = bundle_folders()
FILES = [file for folder in BUNDLES.values() for file in sorted(folder.glob("configs/*.json"))]
CODE = {
    "import": (ast.Import, ast.ImportFrom),
    "comprehension": (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    "lambda": (ast.Lambda,),
}
MOST = {"path": 14, "run": 7, "other": 14}
"""Expressions that all files together may hold: MONAI's own idioms for a path and a run, and others, of trainings."""


def texts(content: Any) -> Iterator[str]:
    """All texts in a configuration."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, (dict, list)):
        for value in content.values() if isinstance(content, dict) else content:
            yield from texts(value)


def kind(expression: str) -> str:
    """What a ``$`` expression is: code of a kind that is not allowed, a path, a run, or another one."""
    tree = ast.parse(re.sub(r"@[\w#]*", "reference", expression[1:]))
    for name, nodes in CODE.items():
        if any(isinstance(node, nodes) for node in ast.walk(tree)):
            return name
    if re.fullmatch(r"\$@bundle_root \+ '/\w+'", expression):
        return "path"
    return "run" if re.fullmatch(r"\$@[\w#]+\.run\(\)", expression) else "other"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$import torch", "import"),
        ("$from monai.utils import set_determinism", "import"),
        ("$[i for i in @datalist if i]", "comprehension"),
        ("$sum(len(i) for i in @datalist)", "comprehension"),
        ("$lambda x: x['loss'].item()", "lambda"),
        ("$@bundle_root + '/data'", "path"),
        ("$@train#trainer.run()", "run"),
        ("$@network.parameters()", "other"),
    ],
)
def test_kinds_of_expressions_are_distinguished(expression: str, expected: str) -> None:
    assert kind(expression) == expected


def test_no_configuration_holds_an_import_a_comprehension_or_a_lambda_and_few_hold_other_expressions() -> (
    None
):
    found = Counter(
        kind(text) for file in FILES for text in texts(json.loads(file.read_text())) if text.startswith("$")
    )
    assert not set(found) & set(CODE)
    assert {name: number for name, number in found.items() if number > MOST[name]} == {}


OWN = {
    "inference.json": {
        *(
            "_desc_",
            "bundle",
            "weights",
            "_weights_desc_",
            "batch_size",
            "_speed_desc_",
            "settings",
            "network_def",
        ),
        *("inferer", "handlers"),  # medclip_sam draws its stages
        *("contrast", "_cam_desc_", "_presence_desc_"),
    },
    "evaluate.json": {"_desc_", "key_metric"},
}
"""Ids of several bundles that have a value of its own in each."""


@pytest.mark.parametrize("name", OWN)
def test_ids_of_several_bundles_have_the_same_value_in_each(name: str) -> None:
    contents = [json.loads((folder / "configs" / name).read_text()) for folder in BUNDLES.values()]
    shared = {key for key, count in Counter(key for one in contents for key in one).items() if count > 1}
    different = {key for key in shared if len({json.dumps(one[key]) for one in contents if key in one}) > 1}
    assert different == OWN[name]


def test_ids_stand_in_the_same_order_in_every_inference() -> None:
    orders = [
        list(json.loads((folder / "configs" / "inference.json").read_text())) for folder in BUNDLES.values()
    ]
    for one in orders:
        for other in orders:
            assert [key for key in one if key in other] == [key for key in other if key in one]


OVERLAYS = [
    (bundle, name)
    for bundle, folder in BUNDLES.items()
    for name in bundle_variants(folder)
    if name.startswith(("decoder_", "encoder_"))
]


@pytest.mark.parametrize(("bundle", "name"), OVERLAYS)
def test_an_overlay_of_a_module_changes_that_module_and_its_weights(bundle: str, name: str) -> None:
    module = name.partition("_")[0]
    full, laid = (read_configs(BUNDLES[bundle], ["inference", "full", *more]) for more in ([], [name]))
    weights = {key for key, value in full["weights"].items() if laid["weights"][key] != value}
    assert weights == {module}
    changed = {key for key in laid if not key.startswith("_") and laid[key] != full.get(key)}
    assert {"weights", module} <= changed <= {"weights", module, "generator", "text_files"}


@pytest.mark.parametrize("bundle", ["clip_sam", "medclip_sam"])
def test_weights_at_full_size_are_those_of_the_registry_and_not_of_the_bundles_own_model(bundle: str) -> None:
    loaded = read_configs(BUNDLES[bundle], ["inference", "full"])["loaded"]
    assert (loaded["weights"], loaded["bundle_root"]) == ("@weights", None)


def test_there_is_an_overlay_for_each_module_at_full_size() -> None:
    assert [name for bundle, name in OVERLAYS if bundle == "medclip_sam"] == [
        "decoder_medsam",
        "decoder_sam_med2d",
        "decoder_sam_vit_h",
        "decoder_sam_vit_l",
    ]
    assert [name for bundle, name in OVERLAYS if bundle == "clip_sam"] == [
        "decoder_medsam",
        "decoder_sam2_1",
        "encoder_biomedclip",
    ]
