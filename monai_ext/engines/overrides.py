"""Values that a training is given, on the command line or in a file: checked before any work begins.

MONAI's command line takes what it does not know for text (``--amp false``), and adds an id that is misspelt as a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS
from yaml import YAMLError

from monai_ext.callers import caller
from monai_ext.engines.devices import checked_device
from monai_ext.engines.distributed import default_device
from monai_ext.engines.parameters import fits, parameters, wanted
from monai_ext.errors import InputError, is_monai_command_line, print_in_one_line
from monai_ext.files import check_writable

WORDS: Mapping[str, bool] = {"true": True, "false": False}
NOTHING = ("", "null", "none")
"""Texts for no value, an empty list or an empty mapping, whichever an id may have."""


def check_overrides(
    least: Mapping[str, float | str] | None = None,
    most: Mapping[str, float | str] | None = None,
    output_dir: str | Path | None = None,
) -> None:
    """Check all values of the configuration that is running, and read texts such as "false" and "null" as they are meant.

    Which type a value is of, say the annotations of the classes and functions that it is handed to. As the first of
    ``initialize`` it comes before any data are read. Outside of MONAI's ConfigWorkflow it does nothing.

    Args:
        least, most: bounds of numbers, by id; a bound is a number or another id.
        output_dir: a folder that is to be writable, if it is given.

    Raises:
        InputError: with every id that no configuration of the folder knows, and every value of another type or out of
            its bounds. Where MONAI's command line runs, this error and later ones are one line and exit code 2 or 3.
    """
    workflow = caller(ConfigWorkflow)
    if workflow is None:
        return
    if is_monai_command_line():
        print_in_one_line()
    parser = workflow.parser
    written = _written(workflow)
    faults, meant = [*_unknown_ids(workflow, written)], {}
    for name, (value, hints) in _handed_over(parser, written).items():
        try:
            meant[name] = _meant(name, value, hints)
        except InputError as error:
            faults.append(str(error))
    for word, sign, bounds in (("least", 1, least or {}), ("most", -1, most or {})):
        faults += _out_of_bounds(meant, bounds, word, sign)
    if faults:
        raise InputError(" ".join(faults))
    parser.update(meant)
    parser.parse(reset=True)  # what follows this in `initialize` has not been resolved yet
    if output_dir is not None:
        check_writable(Path(str(output_dir)) / "model.pt")


def _written(workflow: ConfigWorkflow) -> list[ConfigParser]:
    """The configurations that may be running: MONAI keeps only their folder, and what became of them together."""
    files = sorted(workflow.config_root_path.glob("*"))
    suffixes = [f".{suffix}" for suffix in ConfigParser.suffixes]
    contents = [_read(file) for file in files if file.suffix.lower() in suffixes]
    return [ConfigParser(one) for one in contents if all(key in workflow.parser for key in one)]


def _read(file: Path) -> dict[str, Any]:
    try:
        content = ConfigParser.load_config_file(file)
    except (OSError, ValueError, YAMLError):  # of a file that does not run: MONAI has read those that do
        return {}
    return content if isinstance(content, dict) else {}


def _unknown_ids(workflow: ConfigWorkflow, written: list[ConfigParser]) -> Iterator[str]:
    """A sentence for each id that no configuration has, and that nothing refers to."""
    parser = workflow.parser
    known = {"bundle_root", workflow.init_id, workflow.run_id, workflow.final_id}
    known |= {*dict(DEFAULT_MLFLOW_SETTINGS["configs"])}  # type: ignore[call-overload]  # which --tracking adds
    known |= {name for one in written for name in _ids(one.get())}
    content: dict[str, Any] = parser.get()
    known |= {
        reference for text in _texts(content) for reference in parser.ref_resolver.match_refs_pattern(text)
    }
    for name in _ids(content):
        if name not in known and not _is_open(parser[name]):
            yield _no_such(name, name, known)
    for path, one in _components(content):
        accepted = parameters(one, parser)
        for key in () if accepted is None else one:
            if accepted is not None and key not in accepted and not key.startswith("_"):
                yield _no_such(f"{path}::{key}", key, accepted)


def _no_such(name: str, word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"There is no id {_shown(name)}" + (f"; is {_shown(near[0])} meant?" if near else ".")


def _shown(name: str) -> str:
    return name.replace("::", "#")


def _ids(content: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Ids of a configuration and of its groups, which hold components and are none; without comments."""
    for key, value in content.items():
        if key.startswith("_"):
            continue
        yield f"{path}{key}".replace("#", "::")
        if isinstance(value, dict) and "_target_" not in value and any(map(_is_open, value.values())):
            yield from _ids(value, f"{path}{key}::")


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, (dict, list)):
        for value in content.values() if isinstance(content, dict) else content:
            yield from _texts(value)


def _components(content: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """All that will be built or called, with their ids, the innermost first."""
    if isinstance(content, (dict, list)):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from _components(value, f"{path}::{key}" if path else str(key))
        if isinstance(content, dict) and "_target_" in content:
            yield path, content


def _handed_over(parser: ConfigParser, written: list[ConfigParser]) -> dict[str, tuple[Any, list[Any]]]:
    """Plain values by id, each with the annotations of what it is handed to; a value of a configuration needs none.

    An annotation that the value of a configuration does not fit is too narrow, and passed over: RandGridDistortiond,
    for one, takes a list of modes and is annotated with one mode.
    """
    found: dict[str, tuple[Any, list[Any]]] = {}
    for path, one in _components(parser.get()):
        for key, hint in (parameters(one, parser) or {}).items():
            if key not in one:
                continue
            name, value = f"{path}::{key}", one[key]
            while isinstance(value, str) and value.startswith("@") and value[1:] in parser:
                name = value[1:].replace("#", "::")
                value = parser[name]
            if _is_open(value):
                continue
            hints = found.setdefault(name, (value, []))[1]
            usual = [one[name] for one in written if name in one]
            is_usual = any(type(one) is type(value) and one == value for one in usual)
            if not is_usual and all(fits(one, hint, _is_open) for one in usual):
                hints.append(hint)
    return found


def _is_open(value: Any) -> bool:
    """Whether a value is a reference, an expression, a macro, or something that will be built."""
    if isinstance(value, str):
        return value.startswith(("@", "$", "%"))
    return isinstance(value, dict) and "_target_" in value


def _meant(name: str, value: Any, hints: list[Any]) -> Any:
    """The value as its annotations want it.

    Raises:
        InputError: when none of its readings does.
    """
    readings = [value]
    if isinstance(value, str) and hints:
        text = value.strip().lower()
        readings = [None, [], {}] if text in NOTHING else [value, *(w for t, w in WORDS.items() if t == text)]
        if value and text in NOTHING:
            readings.append(value)
        if torch.device in [one for hint in hints for one in getattr(hint, "__args__", ())]:
            return str(default_device()) if text == "auto" else str(checked_device(value))
    for reading in readings:
        if all(fits(reading, hint, _is_open) for hint in hints):
            return reading
    unfit = [one for one in hints if not all(fits(reading, one, _is_open) for reading in readings)]
    hint = min(unfit, key=lambda one: fits(None, one, _is_open))  # the first that wants more than null
    kind, example = wanted(hint, value)
    raise InputError(f"{_shown(name)} is {value!r}; {kind} is wanted, such as --{_shown(name)} {example}.")


def _out_of_bounds(
    values: Mapping[str, Any], bounds: Mapping[str, float | str], word: str, sign: int
) -> Iterator[str]:
    for name, bound in bounds.items():
        value, limit = values.get(name), values.get(bound) if isinstance(bound, str) else bound
        if (
            isinstance(value, (int, float))
            and isinstance(limit, (int, float))
            and sign * value < sign * limit
        ):
            yield f"{name} is {value}; the {word} is {limit}{f' ({bound})' if bound is not limit else ''}."
