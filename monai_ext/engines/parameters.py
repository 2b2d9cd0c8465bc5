"""What a component of a configuration takes, and whether a plain value is of the type that it wants."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import repeat
from pydoc import locate
from types import SimpleNamespace
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from monai.bundle import ConfigComponent, ConfigParser

LISTS = (list, tuple, Sequence, Iterable, Collection)
MAPPINGS = (dict, Mapping)
WANTED: Mapping[Any, tuple[str, str]] = {
    bool: ("true or false", "True"),
    int: ("a whole number", "3"),
    float: ("a number", "0.5"),
    Sequence: ("a list", "\"['a', 'b']\""),
    Mapping: ("a mapping", "\"{'a': 2}\""),
    str: ("text", "TEXT"),
    type(None): ("null", "null"),
}
"""Types by the words and the examples in which a user is told of them, the clearest example first."""


def parameters(component: Mapping[str, Any], parser: ConfigParser) -> dict[str, Any] | None:
    """Annotations of all that a component may be given, by name; None where it takes anything."""
    name = ConfigComponent(dict(component), locator=parser.locator).resolve_module_name()
    target = locate(name) if isinstance(name, str) else name
    return _parameters(target) if callable(target) else None  # MONAI tells of a target that there is not


@cache
def _parameters(target: Callable) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for function in _constructors(target) if isinstance(target, type) else [target]:
        hints, kinds = _hints(function), set()
        for one in list(inspect.signature(function).parameters.values())[isinstance(target, type) :]:
            kinds.add(one.kind)
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
                found.setdefault(one.name, hints.get(one.name, Any))
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return found
    return None


def _constructors(kind: type) -> list[Callable]:
    """What a class and its bases are built by, the outermost first: each hands on the keywords that it does not name."""
    return [vars(base)["__init__"] for base in kind.__mro__[:-1] if "__init__" in vars(base)]


def _hints(function: Callable) -> dict[str, Any]:
    """Annotations by name, without those that only type checkers can read."""
    found: dict[str, Any] = {}
    for name, annotation in inspect.get_annotations(function).items():
        one = SimpleNamespace(__annotations__={name: annotation})
        with suppress(NameError, TypeError):
            found |= get_type_hints(one, getattr(function, "__globals__", {}))
    return found


def fits(value: Any, hint: Any, is_open: Callable[[Any], bool]) -> bool:
    """Whether a value of JSON is of an annotated type; what is not plain, as `is_open` says, always is.

    A whole number is a number, and a list a tuple; a text is no list.
    """
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if hint is Any or isinstance(hint, TypeVar) or is_open(value):
        return True
    if kind in (Union, types.UnionType):
        return any(fits(value, one, is_open) for one in arguments)
    if kind is Literal:
        return value in arguments
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint in (int, bool, str, type(None)):
        return type(value) is hint
    if kind in LISTS:
        return isinstance(value, (list, tuple)) and _all_fit(value, kind, arguments, is_open)
    if kind in MAPPINGS:
        return isinstance(value, dict) and _all_fit([*value.values()], kind, arguments[1:], is_open)
    return not isinstance(kind, type) or isinstance(value, kind)


def _all_fit(values: Sequence[Any], kind: Any, hints: Sequence[Any], is_open: Callable[[Any], bool]) -> bool:
    if kind is tuple and hints and ... not in hints:
        return len(values) == len(hints) and all(map(fits, values, hints, repeat(is_open)))
    return not hints or all(fits(value, hints[0], is_open) for value in values)


def wanted(hint: Any, value: Any) -> tuple[str, str]:
    """An annotated type in words, and how a value of it is written on MONAI's command line.

    Args:
        hint: the annotation.
        value: what was given instead, of which the example is made where it can be.
    """
    kinds = _kinds(hint)
    words = [words for kind, (words, _) in WANTED.items() if kind in kinds]
    example = next((example for kind, (_, example) in WANTED.items() if kind in kinds), "")
    if str in kinds and value != "":
        example = f"\"'{value}'\""  # quotes inside of those of the shell keep a number a text
    elif Sequence in kinds and isinstance(value, str) and value:
        example = f'"{value.split(",")}"'
    return " or ".join(words) or str(hint), example


def _kinds(hint: Any) -> set[Any]:
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, types.UnionType):
        return {found for one in arguments for found in _kinds(one)}
    if kind is Literal:
        return {type(one) for one in arguments}
    return {Sequence if kind in LISTS else Mapping if kind in MAPPINGS else kind}
