"""The objects among the callers: MONAI hands a component neither the parser that builds it nor the workflow that runs."""

from __future__ import annotations

import inspect
from typing import TypeVar

Kind = TypeVar("Kind")


def caller(kind: type[Kind]) -> Kind | None:
    """The nearest object of a class one of whose methods called this, at any distance; None if there is none."""
    frame = inspect.currentframe()
    while frame is not None:
        found = frame.f_locals.get("self")
        if isinstance(found, kind):
            return found
        frame = frame.f_back
    return None
