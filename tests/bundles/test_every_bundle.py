"""No bundle is without its contract test."""

from __future__ import annotations

import importlib

import pytest

from monai_ext.resources import resource_path
from tests.bundles.contract import BundleContract
from tests.bundles.small import SMALL_BUNDLES

FOLDERS = sorted(path.name for path in resource_path("", "bundles").iterdir() if path.is_dir())


def test_every_bundle_has_a_small_copy() -> None:
    assert sorted(SMALL_BUNDLES) == FOLDERS


@pytest.mark.parametrize("name", FOLDERS)
def test_every_bundle_has_a_contract_test(name: str) -> None:
    tests = vars(importlib.import_module(f"tests.bundles.test_{name}")).values()
    contracts = [one for one in tests if isinstance(one, type) and issubclass(one, BundleContract)]
    assert [one.name for one in contracts if one.__name__.startswith("Test")] == [name]
