"""Which bundle, in which version and configuration: what every result says of its origin."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from monai_ext import __version__
from monai_ext.callers import caller

NO_RESULT_DEPENDS_ON = (
    *("_meta_", "settings", "displayable_configs"),  # recorded in words
    *("weights", "loaded"),  # recorded by the hash of their file
    *("bundle_root", "dataset_dir", "output_dir", "report"),
    *("device", "batch_size", "masked_images_per_call", "max_voxels", "max_side"),
    *("resume", "part", "parts", "progress"),
)
"""Ids at the top of a configuration that change no result."""


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


def configuration_hash() -> str:
    """SHA-256 of the whole configuration in which this is a target, files and overrides laid over each other.

    A result may depend on anything in a configuration, so what does not matter is named, not what does: descriptions, and
    the ids of :data:`NO_RESULT_DEPENDS_ON`. References stay as they are written: an entry that takes its value from one of
    these ids does not change with it.

    Returns:
        64 hexadecimal digits, the same in every process and wherever the bundle lies.

    Raises:
        ValueError: when it is not called by MONAI's ConfigParser.
    """
    from monai.bundle import ConfigParser

    parser = caller(ConfigParser)
    if parser is None:
        raise ValueError("configuration_hash is a target of configurations, and called by none.")
    content = {key: value for key, value in parser.get("").items() if key not in NO_RESULT_DEPENDS_ON}
    text = json.dumps(_plain(content), sort_keys=True, default=lambda value: type(value).__qualname__)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A part of a configuration without descriptions; expressions that are only a number or a text, as such."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items() if not str(key).endswith("_desc_")}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, str) and value.startswith("$"):
        try:
            literal = ast.literal_eval(value[1:])
        except (ValueError, SyntaxError):
            return value
        return literal if isinstance(literal, (str, int, float)) else value
    return value
