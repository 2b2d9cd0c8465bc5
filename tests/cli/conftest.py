"""One small bundle for all tests of the applications."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundles.small import small_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the small bundle; tests leave it as it is."""
    return small_bundle(tmp_path_factory.mktemp("bundles"))
