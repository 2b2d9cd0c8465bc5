"""What is wrong with a bundle's metadata.json.

The official schema is another project's file and is fetched from the net; ``meta_schema.json`` beside this file
states the same demands in our own words, with a few of ours.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = json.loads(Path(__file__).with_name("meta_schema.json").read_text())


def metadata_faults(metadata: dict[str, Any]) -> list[str]:
    """One line for each fault: the position in the file, and what is wrong there."""
    found = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(metadata)
    ]
    if metadata.get("version") not in metadata.get("changelog", {}):
        found.append("$.changelog: lacks the current version")
    return found
