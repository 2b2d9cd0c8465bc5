"""Reference outputs beside the repository, and encoders of every architecture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from tests.conftest import SHARED_DATA
from tests.networks.encoders.small_clip import small


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


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], VisionLanguageEncoder]:
    """Encoders with random weights by the name of their image tower, each made once; tests leave them as they are."""
    made: dict[str, VisionLanguageEncoder] = {}

    def get(name: str) -> VisionLanguageEncoder:
        if name not in made:
            torch.manual_seed(0)
            made[name] = (
                VisionLanguageEncoder("compact-clip-lite").eval()
                if name == "compact"
                else small(name, tmp_path_factory.mktemp("files"))
            )
        return made[name]

    return get
