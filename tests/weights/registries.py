"""A registry of one name, "small", for tests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from torch import nn


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def write_registry(folder: Path, content: bytes | None, sha256: str | None = None) -> Path:
    """A registry of one name, "small", whose file holds `content` (None: there is no file)."""
    entry = {
        "source": "embedded",
        "file": "small.safetensors",
        "licence": "for tests",
        "size": len(content or b""),
        "sha256": sha256 or hashlib.sha256(content or b"").hexdigest(),
        "loader": "safetensors",
        "note": "embedded, demonstration accuracy",
    }
    (folder / "embedded").mkdir(parents=True)
    if content is not None:
        (folder / "embedded" / "small.safetensors").write_bytes(content)
    path = folder / "registry.json"
    path.write_text(json.dumps({"small": entry}))
    return path
