"""Reference outputs beside the repository."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import SHARED_DATA


@pytest.fixture(scope="session")
def reference() -> Callable[[str], dict[str, Tensor]]:
    """The arrays of a file of ../shared/fixtures; tests that need it are skipped without it."""

    def load(name: str) -> dict[str, Tensor]:
        path = SHARED_DATA.parent / "fixtures" / name
        if not path.is_file():
            pytest.skip(f"needs ../shared/fixtures/{name} beside the repository")
        with np.load(path) as arrays:
            return {key: torch.from_numpy(arrays[key]) for key in arrays}

    return load
