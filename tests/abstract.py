"""Subclasses of an abstract class that leave out one of its methods."""

from __future__ import annotations

from typing import Any


def incomplete(base: Any, missing: str) -> type:
    """A subclass of `base` with all of its abstract methods but `missing`."""
    assert missing in base.__abstractmethods__, f"{base.__name__}.{missing} is not abstract"
    others = base.__abstractmethods__ - {missing}
    return type("Incomplete", (base,), {name: lambda self, *_, **__: None for name in others})


def concrete_subclasses(base: type, package: str = "monai_ext.") -> set[type]:
    """All subclasses of `base`, at any depth, that can be built and belong to a package whose modules are imported."""
    below = {one for child in base.__subclasses__() for one in (child, *concrete_subclasses(child, ""))}
    return {
        one
        for one in below
        if one.__module__.startswith(package) and not getattr(one, "__abstractmethods__", None)
    }
