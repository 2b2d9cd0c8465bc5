"""The settings that a search tries: values by id, checked against a bundle's configuration; all of them or a draw."""

from __future__ import annotations

import difflib
import inspect
import json
import math
import pydoc
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monai_ext.bundle.configs import (
    EVALUATE,
    config_files,
    evaluation_configs,
    inference_configs,
    literal,
    read_configs,
)
from monai_ext.bundle.runner import read_workflow, unwrapped
from monai_ext.errors import InputError, WeightsError

Setting = dict[str, Any]
"""Values by id that differ from the bundle's own; the bundle's own setting is {}."""

SCALARS = (bool, int, float, str, type(None))
NOT_TUNABLE = ("bundle_root", "dataset_dir", "output_dir", "device", "batch_size")
"""Ids that other options set, or that change no result."""
NEED_DATA = ("dataset", "dataloader", "records", "handlers", "evaluator", "key_metric", "overlays")
"""Blocks that need the data and therefore cannot check a value before an evaluation runs."""
OUTSIDE_QUOTES = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')


def parse_axes(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Values to try by id, from the arguments of ``--set``.

    Args:
        texts: ``KEY=V1,V2,...`` each; a value is a number, true, false, null or a text, in double quotes where it
            holds a comma or would be read as one of the others.

    Raises:
        InputError: when a text has another form, or an id or a value occurs twice.
    """
    axes: dict[str, list[Any]] = {}
    for text in texts:
        key, equals, listed = (piece.strip() for piece in text.partition("="))
        key = key.replace("::", "#")  # MONAI's other way to write an id
        if not (key and equals and listed):
            raise InputError(f"--set {text!r}: write KEY=V1,V2,... such as mask_threshold=0.3,0.5,0.7.")
        if key in axes:
            raise InputError(f"--set {key} stands twice; give all its values once, separated by commas.")
        axes[key] = [_scalar(key, piece.strip()) for piece in OUTSIDE_QUOTES.split(listed)]
        written = [json.dumps(value) for value in axes[key]]
        if doubles := [value for value in written if written.count(value) > 1]:
            raise InputError(f"--set {key}: {doubles[0]} stands twice.")
    if not axes:
        raise InputError("nothing to try: give --set KEY=V1,V2,... such as --set mask_threshold=0.3,0.5,0.7.")
    return axes


def _scalar(key: str, piece: str) -> Any:
    try:
        value = json.loads(piece)
    except ValueError:
        value = piece
    if piece and isinstance(value, SCALARS) and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    raise InputError(f"--set {key}: {piece!r} is no value; write numbers, true, false, null or texts.")


def read_values(bundle: Path, variants: Sequence[str] = ()) -> dict[str, Any]:
    """The values of a bundle that can be tuned, by id: those of inference.json with variants, as they are written.

    Arguments that its components leave at their defaults belong to them. Entries that evaluate.json replaces say how a
    bundle is scored, and are left out.

    Raises:
        InputError: when a configuration is missing.
    """
    content = read_configs(bundle, inference_configs(variants))
    over = json.loads(config_files(bundle, [EVALUATE])[0].read_text(encoding="utf-8"))
    replaced = {key.lstrip("+") for key in over} | {"imports", "initialize", "run", "finalize"}
    kept = {key: value for key, value in content.items() if key not in replaced}
    return {key: value for key, value in _leaves(kept) if key not in NOT_TUNABLE and key not in replaced}


def _leaves(content: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Scalars of a configuration by id, without entries such as descriptions, whose names begin with "_"."""
    if isinstance(content, dict):
        for key, value in {**_defaults(content.get("_target_")), **content}.items():
            if not key.startswith("_"):
                yield from _leaves(value, f"{prefix}#{key}" if prefix else key)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _leaves(value, f"{prefix}#{index}")
    else:
        yield prefix, content


def _defaults(target: Any) -> dict[str, Any]:
    """The scalar defaults of the arguments of a target of this package; of other targets {}."""
    found = pydoc.locate(target) if isinstance(target, str) and target.startswith("monai_ext.") else None
    arguments = inspect.signature(found).parameters if callable(found) else {}
    return {name: one.default for name, one in arguments.items() if isinstance(one.default, SCALARS)}


def check_axes(
    bundle: Path, axes: Mapping[str, Sequence[Any]], values: Mapping[str, Any], variants: Sequence[str] = ()
) -> None:
    """Refuse unknown ids, and values that the configuration refuses, before an evaluation runs.

    Args:
        bundle: its folder.
        axes: see :func:`parse_axes`.
        values: of :func:`read_values`.
        variants: configurations laid over inference.json.

    Raises:
        InputError: with id and value.
    """
    for key in axes:
        if key not in values:
            raise InputError(f"--set {key}: {_unknown(key, values)}")
    for key, tried in axes.items():
        for value in tried:
            _check_kind(key, value, values)
            _check_built(bundle, variants, key, value)


def _unknown(key: str, values: Mapping[str, Any]) -> str:
    if key in NOT_TUNABLE:
        return "this is no setting to be tuned; it is the same for all of them."
    blocks = [name for name in values if name.startswith(f"{key}#")]
    if blocks:
        return f"this holds several values; name one, such as {', '.join(blocks[:3])}."
    last = key.rpartition("#")[2]
    near = [name for name in values if name.rpartition("#")[2] == last]
    endings = {name.rpartition("#")[2]: name for name in values}
    near += difflib.get_close_matches(key, values, 3)
    near += [endings[name] for name in difflib.get_close_matches(last, endings, 3)]
    near = list(dict.fromkeys(near))[:4] or sorted(name for name in values if "#" not in name)
    return f"no such id in the bundle's inference.json; near are {', '.join(near)}."


def _check_kind(key: str, value: Any, values: Mapping[str, Any]) -> None:
    """Refuse a text for a number and the like; null, expressions and references may be of any kind."""
    own = values[key]
    while isinstance(own, str) and own.startswith("@"):
        own = values.get(own[1:])
    if value is None or own is None or (isinstance(own, str) and own.startswith(("$", "%", "@"))):
        return
    if _kind(value) != _kind(own):
        raise InputError(
            f"--set {key}: {json.dumps(value)} is {_kind(value)}, {_kind(own)} is needed,"
            f" such as the bundle's own {json.dumps(own)}."
        )


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a text" if isinstance(value, str) else "a number"


def _check_built(bundle: Path, variants: Sequence[str], key: str, value: Any) -> None:
    """Build the components that take the value, so that they can refuse it."""
    parser = read_workflow(bundle, evaluation_configs(variants), overrides({key: value})).parser
    parents = [key[:end] for end in range(len(key)) if key[end] == "#"]
    components = [name for name in parents if "_target_" in parser[name]]
    for component in [*components[-1:], *_users(parser.config, key)]:
        if component.partition("#")[0] not in NEED_DATA:
            with name_setting_in_errors({key: value}):
                parser.get_parsed_content(component)


def _users(content: Any, key: str, name: str = "") -> Iterator[str]:
    """Ids of the components that refer to an id in one of their arguments."""
    if isinstance(content, dict):
        reference = re.compile(rf"@{re.escape(key)}(?![\w#])")
        if "_target_" in content and any(
            isinstance(value, str) and reference.search(value) for value in content.values()
        ):
            yield name
        for child, value in content.items():
            yield from _users(value, key, f"{name}#{child}" if name else child)
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _users(value, key, f"{name}#{index}")


@contextmanager
def name_setting_in_errors(setting: Setting) -> Iterator[None]:
    """Raise any error within as one line that names the setting; errors of the bundle's own setting stay as they are.

    Raises:
        InputError, WeightsError: with the setting before the reason.
    """
    try:
        with unwrapped():
            yield
    except Exception as error:
        if not setting:
            raise
        if isinstance(error, (InputError, WeightsError)):
            raise type(error)(f"{describe_setting(setting)}: {error}") from error
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        raise InputError(
            f"{describe_setting(setting)}: the bundle does not run with it ({type(first).__name__}: {first})."
        ) from error


def describe_setting(setting: Mapping[str, Any]) -> str:
    """A setting as on the command line: ``mask_threshold=0.3 presence_threshold=0.5``."""
    return " ".join(f"{key}={format_value(value)}" for key, value in setting.items()) or "the bundle's own"


def format_value(value: Any) -> str:
    """A value as on the command line."""
    return value if isinstance(value, str) and value else json.dumps(value)


def plural(number: int, noun: str) -> str:
    """A number with a noun: "1 case", "2 cases"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def overrides(setting: Setting) -> dict[str, Any]:
    """A setting as overrides of a configuration, in which texts are never references or code."""
    return {key: literal(value) if isinstance(value, str) else value for key, value in setting.items()}


def choose_settings(
    axes: Mapping[str, Sequence[Any]], values: Mapping[str, Any], samples: int | None, seed: int
) -> list[Setting]:
    """Every combination of the values, or a draw without repetition.

    Args:
        axes: see :func:`parse_axes`.
        values: of :func:`read_values`.
        samples: how many to draw; all if None or at least as many. A longer draw with the same seed begins with these.
        seed: of the draw.

    Returns:
        settings without doubles, and without the values that are the bundle's own.
    """
    total = math.prod(len(tried) for tried in axes.values())
    numbers: Any = range(total)
    if samples is not None and samples < total:
        generator, drawn = random.Random(seed), dict[int, None]()
        while len(drawn) < samples:
            drawn[generator.randrange(total)] = None
        numbers = drawn
    settings = []
    for number in numbers:
        setting = {}
        for key in reversed(list(axes)):
            number, index = divmod(number, len(axes[key]))
            setting[key] = axes[key][index]
        settings.append({key: setting[key] for key in axes if setting[key] != values[key]})
    return settings
