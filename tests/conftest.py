"""Shared by all tests: offline, seeded, one thread, and where the shared data lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FIXTURES = Path(__file__).resolve().parent / "fixtures"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _slices_kept_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from monai_ext.synthesis import kept

    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "home", lambda: folder)
        yield


@pytest.fixture(autouse=True)
def _seeded() -> None:
    import random

    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images beside the repository; tests that need it are skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the shared data folder ../shared/data beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the small bundle of all tests that run one; they leave it as it is."""
    from tests.bundles.small import small_vlsm

    return small_vlsm(tmp_path_factory.mktemp("bundles"))
