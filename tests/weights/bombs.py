"""Pickles that would do something visible if anything ran them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Bomb:
    """Pickled, it makes a folder when it is read."""

    def __init__(self, path: Path, call: Callable[..., Any] = os.mkdir) -> None:
        self.path, self.call = str(path), call

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return self.call, (self.path,)


class Stateful:
    """Pickled, its __setstate__ makes a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __getstate__(self) -> str:
        return self.path

    def __setstate__(self, path: str) -> None:
        os.mkdir(path)


class Listed(list):  # type: ignore[type-arg]
    """A list of another class: a pickle appends to it."""


class Mapped(dict):  # type: ignore[type-arg]
    """A dict of another class: a pickle sets its items."""

    def __setitem__(self, key: str, value: object) -> None:
        if os.path.isabs(str(key)):
            os.mkdir(key)
        super().__setitem__(key, value)
