"""Which bundle, in which version: what every result says of its origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from monai_ext import __version__


class BundleIdentity(NamedTuple):
    """A bundle's name and version."""

    name: str
    version: str


def bundle_identity(name: str, metadata: Mapping[str, Any]) -> BundleIdentity:
    """The identity that a configuration states, ``{"name": "vlsm", "metadata": "@_meta_"}``.

    Args:
        name: of the bundle, whatever its folder is called.
        metadata: of MONAI's parser, the content of metadata.json; its ``version`` is taken. MONAI Label parses
            inference.json alone, and the metadata are then empty: the version is that of this package.
    """
    return BundleIdentity(name, str(metadata.get("version") or __version__))
