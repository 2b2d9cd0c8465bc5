"""Configurations of a bundle: its own, and variants of it that are laid over inference.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_ext.errors import InputError

INFERENCE, EVALUATE = "inference.json", "evaluate.json"
NO_VARIANTS = (INFERENCE, EVALUATE, "metadata.json", "logging.conf")
"""Configurations that are no variants of inference.json; nor are those that train something or evaluate a part."""


def inference_configs(variants: Sequence[str] = ()) -> tuple[str, ...]:
    """Configurations of a segmentation, each laid over the one before: the bundle's own, and variants of it."""
    return (INFERENCE, *variants)


def evaluation_configs(variants: Sequence[str] = ()) -> tuple[str, ...]:
    """Configurations of an evaluation, each laid over the one before."""
    return (*inference_configs(variants), EVALUATE)


def config_files(bundle: Path, configs: Sequence[str]) -> list[Path]:
    """Paths of configurations.

    Args:
        bundle: its folder.
        configs: names of files in its configs, ".json" may be left out, or paths of other JSON files.

    Raises:
        InputError: when one is missing (the message lists the bundle's variants), or holds no JSON object.
    """
    return [_config_file(bundle, name) for name in configs]


def _config_file(bundle: Path, name: str) -> Path:
    folder = bundle / "configs"
    for file in (folder / name, folder / f"{name}.json", Path(name).expanduser()):
        if file.is_file():
            return _readable(file)
    known = ", ".join(bundle_variants(bundle)) or "none"
    raise InputError(
        f"bundle {bundle.name}: no configuration {name!r}, nor a file of that name; its variants: {known}."
    )


def _readable(file: Path) -> Path:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file.name}: no configuration that can be read ({error}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{file.name}: no configuration; it is to hold a JSON object of ids and values.")
    return file


def bundle_variants(bundle: Path) -> list[str]:
    """Names of a bundle's configurations that are laid over inference.json to make another method of it."""
    names = [
        file.stem for file in sorted((bundle / "configs").glob("*.json")) if file.name not in NO_VARIANTS
    ]
    return [name for name in names if not name.startswith(("train", "multi_gpu", "federated", "evaluate"))]


def variant_fingerprints(bundle: Path, variants: Sequence[str]) -> list[str]:
    """Variants for records: the name of each file and the start of the SHA-256 of its content."""
    files = config_files(bundle, variants)
    return [f"{file.stem} {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}" for file in files]


def read_configs(bundle: Path, configs: Sequence[str]) -> dict[str, Any]:
    """Configurations of a bundle laid over each other, as they are written: nothing is resolved or run.

    Raises:
        InputError: when one is missing.
    """
    from monai.bundle import ConfigParser

    return ConfigParser.load_config_files([str(file) for file in config_files(bundle, configs)])


def literal(text: str | Path) -> str:
    """A text as a value of a MONAI configuration, which is read back as exactly this text.

    MONAI runs texts that begin with ``$`` as code and replaces ``@``, ``%`` and ``::`` also within texts, so
    the text goes in as an expression that is nothing but a quoted string.
    """
    escaped = "".join(c if c.isalnum() or c in " _-./" else f"\\U{ord(c):08x}" for c in str(text))
    return f"$'{escaped}'"
