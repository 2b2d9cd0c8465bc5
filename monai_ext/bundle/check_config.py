"""Check the configurations of a foreign bundle entry by entry, as MONAI's parser would read them; nothing is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_ext.bundle.expressions import expression_faults
from monai_ext.bundle.findings import Finding, quoted
from monai_ext.bundle.read_config import DEEPEST, SUFFIXES, read_config
from monai_ext.bundle.targets import is_target

SPECIAL = ("_target_", "_mode_", "_requires_", "_disabled_", "_desc_", "_meta_")
"""Keys between underscores that a configuration may hold, besides ``_…_desc_``; ``_debug_`` starts a debugger."""
MODES = ("default", "callable")
NAMES = {
    "reader": (
        *(
            "ITKReader",
            "NibabelReader",
            "NrrdReader",
            "NumpyReader",
            "PILReader",
            "PydicomReader",
            "WSIReader",
        ),
        *("cucim", "openslide", "tifffile"),
    ),
    "writer": ("ITKWriter", "NibabelWriter", "PILWriter"),
    "merger_cls": ("AvgMerger", "ZarrAvgMerger"),
}
"""Arguments of MONAI's classes that name a class, by their keys: any other name is looked up anywhere and called."""
VALUES: dict[str, tuple[Any, ...]] = {
    "allow_pickle": (False,),
    "weights_only": (True,),
    "pickle_module": (),
    "trust_remote_code": (False,),
    "auto_map": (),
    "pretrained_url": (None,),
    "compile_kwargs": (None, {}),  # options of torch.compile name the compiler that is run
}
"""Other arguments that decide whether code is run or fetched, and the values that do not."""

_SEPARATOR = re.compile("#|::")
_MACRO_FILE = re.compile(r".*\.(?:json|yaml|yml)(?=::|$)", re.IGNORECASE)  # ConfigParser.split_path_id


class ConfigCheck:
    """Reads configurations one after the other and collects what it finds.

    Args:
        folder: of the bundle, resolved.
        strict: see :func:`monai_ext.bundle.expressions.expression_faults`.

    Attributes:
        findings: so far.
        read: files, in their order; files of the bundle that macros name join them.
        targets, expressions: how many.
    """

    def __init__(self, folder: Path, strict: bool = False) -> None:
        self.folder, self.strict = folder, strict
        self.findings: list[Finding] = []
        self.read: dict[Path, None] = {}
        self.targets = self.expressions = 0

    def check(self, file: Path) -> None:
        """Check a file, and those of the bundle that it takes entries from by a macro."""
        waiting = [file]
        while waiting:
            file = waiting.pop().resolve()
            if file in self.read:
                continue
            self.read[file] = None
            content, faults = read_config(file)
            shown = (
                file.relative_to(self.folder).as_posix() if file.is_relative_to(self.folder) else file.name
            )
            self.findings += [
                Finding(shown, "", fault, "write plain JSON, each key once") for fault in faults
            ]
            waiting += self._entries(shown, content)

    def _entries(self, shown: str, content: Any) -> list[Path]:
        """Look at every entry; the files that macros name."""
        files: list[Path] = []
        waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
        while waiting:
            keys, value = waiting.pop()
            faults = self._faults(keys, value)
            if isinstance(value, str) and value.startswith("%"):
                file, fault = self._macro(value)
                files += [file] if file else []
                faults += [fault] if fault else []
            self.findings += [Finding(shown, "#".join(keys), *fault) for fault in faults]
            if len(keys) > DEEPEST:
                self.findings.append(
                    Finding(shown, "#".join(keys[:3]), f"is more than {DEEPEST} levels deep", "make it flat")
                )
            elif isinstance(value, Mapping):
                for key, inner in value.items():
                    parts = _parts(str(key), top=not keys)
                    waiting.append(((*keys, *parts), inner))
                    where = "#".join((*keys, *parts))
                    self.findings += [Finding(shown, where, *fault) for fault in _key_faults(parts)]
            elif isinstance(value, (list, tuple)):
                waiting += [((*keys, str(number)), inner) for number, inner in enumerate(value)]
        return files

    def _faults(self, keys: tuple[str, ...], value: Any) -> list[tuple[str, str]]:
        """Faults of one entry by itself, each with its remedy."""
        faults: list[tuple[str, str]] = []
        last = keys[-1] if keys else ""
        argument = next((key for key in reversed(keys) if not key.isdigit()), "")
        if last == "_target_":
            self.targets += 1
            if not isinstance(value, str) or not is_target(value):
                faults.append((f"the target is {quoted(value)}", "name one that docs/targets.md lists"))
        elif last == "_mode_" and value not in MODES:
            faults.append((f"the mode is {quoted(value)}", f"use {' or '.join(MODES)}"))
        elif argument in NAMES and not _is_class_of(value, NAMES[argument]):
            faults.append(
                (
                    f"the {argument} is {quoted(value)}",
                    f"use {', '.join(NAMES[argument])}, or write a _target_",
                )
            )
        elif argument in VALUES and not any(value is one or value == one == {} for one in VALUES[argument]):
            faults.append((f"{argument} is {quoted(value)}, which can run or fetch code", "leave it out"))
        elif argument == "pretrained" and (value is True or str(value).startswith(("$", "@", "%"))):
            faults.append(("pretrained weights are to be downloaded", "fetch them by monai-ext weights"))
        if isinstance(value, str) and value.startswith("$"):
            self.expressions += 1
            found = expression_faults(value, self.strict)
            faults += [(f"the expression {fault}", "write a _target_ or a plain value") for fault in found]
        return faults

    def _macro(self, value: str) -> tuple[Path | None, tuple[str, str] | None]:
        """The file that a macro takes an entry from, None if it is of the same configuration; or its fault.

        MONAI looks for the file where the process stands, not in the bundle: both are to be the bundle's own.
        """
        named = _MACRO_FILE.search(_SEPARATOR.sub("::", value[1:]))
        if named is None:
            return None, None
        fault = (f"the macro takes {quoted(value)} from outside the bundle", "copy the entry")
        try:
            own = (self.folder / named.group()).resolve()
            seen_from_here = (Path.cwd() / named.group()).resolve()
            outside = not own.is_relative_to(self.folder) or not own.is_file()
            elsewhere = seen_from_here.exists() and not seen_from_here.is_relative_to(self.folder)
        except (OSError, ValueError, RuntimeError):  # no name that a file can have, or a loop of links
            return None, fault
        return (None, fault) if outside or elsewhere else (own, None)


def _parts(key: str, top: bool) -> tuple[str, ...]:
    """A key as MONAI lays it over others: at the top of a file ``+a#b`` means entry ``b`` of ``a``."""
    return tuple(_SEPARATOR.split(key.removeprefix("+"))) if top else (key,)


def _key_faults(parts: tuple[str, ...]) -> list[tuple[str, str]]:
    """Faults of a key, which has several parts where it reaches into entries of another file."""
    faults = []
    for key in parts:
        if re.fullmatch("_.+_", key) and key not in SPECIAL and not key.endswith("_desc_"):
            faults.append((f"the key {quoted(key)} is none of MONAI's", f"use {', '.join(SPECIAL)}"))
        if key.startswith(("$", "@", "%")) or _SEPARATOR.search(key):
            faults.append((f"the key {quoted(key)} holds a mark of MONAI's ($, @, %, # or ::)", "rename it"))
        if key.lower().endswith(SUFFIXES):  # a relative macro is made of keys, and would read such a file
            faults.append((f"the key {quoted(key)} looks like a file", "rename it"))
    inside = [key for key in parts[:-1] if key in ("_target_", "_mode_") or key in VALUES]
    return faults + [(f"an entry is put into {key}", "leave it out") for key in inside]


def _is_class_of(value: Any, names: tuple[str, ...]) -> bool:
    """Whether a value is none, one of the names, a component, or a list of these."""
    if isinstance(value, (list, tuple)):
        return all(_is_class_of(one, names) for one in value)
    return value is None or value in names if not isinstance(value, Mapping) else "_target_" in value
