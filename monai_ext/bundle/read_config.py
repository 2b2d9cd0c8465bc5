"""Read a configuration of a foreign bundle: JSON or YAML of bounded size, nothing constructed but plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SUFFIXES = (".json", ".yaml", ".yml")
"""Of the names that MONAI reads as configurations, in any case."""
LARGEST = 1 << 20
"""Bytes of a file."""
DEEPEST = 50
"""Levels of lists and mappings in each other."""


def is_config(name: str) -> bool:
    """Whether MONAI reads a file of this name as a configuration."""
    return name.lower().endswith(SUFFIXES)


def read_config(file: Path) -> tuple[Any, list[str]]:
    """The content of a file, and its faults as a file, each a sentence without its end.

    What cannot be read is None. Where a key stands twice, the last counts, as it does for MONAI.
    """
    try:
        if file.stat().st_size > LARGEST:
            return None, [f"is larger than {LARGEST >> 20} MiB"]
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        return None, [f"cannot be read ({error.strerror})"]
    except UnicodeDecodeError:
        return None, ["is not text in UTF-8"]
    return _json(text) if file.name.lower().endswith(SUFFIXES[0]) else _yaml(text)


def _json(text: str) -> tuple[Any, list[str]]:
    faults: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            faults.extend(_twice([key for key, _ in pairs]))
        return content

    try:
        return json.loads(text, object_pairs_hook=mapping), faults
    except (ValueError, RecursionError) as error:
        return None, [f"is no JSON ({error})"]


def _yaml(text: str) -> tuple[Any, list[str]]:
    """YAML by PyYAML's safe loader, after a look at its events: aliases make a small file endlessly large."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            faults.extend(_twice([self.construct_object(key, deep=True) for key, _ in node.value]))
            return super().construct_mapping(node, deep)

    faults: list[str] = []
    depth = 0
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                return None, [f"holds more than {DEEPEST} levels in each other"]
            if isinstance(event, yaml.AliasEvent):
                return None, ["holds an alias (*)"]
            if getattr(event, "tag", None) is not None:
                return None, [f"holds the tag {event.tag}"]
        return yaml.load(text, Loader), faults  # a safe loader, see above
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        problem = getattr(error, "problem", None) or error
        return None, [f"is no YAML ({problem})"]


def _twice(keys: list[Any]) -> list[str]:
    return [f"holds the key {key!r} twice" for key in dict.fromkeys(keys) if keys.count(key) > 1]
