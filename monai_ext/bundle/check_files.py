"""Check what else a foreign bundle holds: code, links, weights, ``logging.conf`` and ``large_files.yml``; nothing is run."""

from __future__ import annotations

import ast
import configparser
import os
import pickletools
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from monai_ext.bundle.findings import Finding, quoted
from monai_ext.bundle.read_config import LARGEST, is_config, read_config
from monai_ext.errors import InputError

CODE = (
    *(".py", ".pyc", ".pyo", ".pyw", ".pyd", ".so", ".dll", ".dylib", ".pth", ".whl", ".egg", ".ipynb"),
    *(
        ".exe",
        ".bat",
        ".cmd",
        ".ps1",
        ".sh",
        ".jar",
        ".js",
        ".pkl",
        ".pickle",
        ".joblib",
        ".dill",
        ".ts",
        ".pt2",
    ),
)
"""Ends of names of files that are code, or run code when they are loaded; MONAI's runner puts the bundle on sys.path."""
WEIGHTS = (".pt", ".ckpt")
LOGGING = (".conf", ".ini", ".cfg")
HANDLERS = (
    *("StreamHandler", "FileHandler", "NullHandler", "handlers.RotatingFileHandler"),
    *("handlers.TimedRotatingFileHandler", "handlers.WatchedFileHandler", "Formatter"),
)
"""Classes of ``logging`` that a logging.conf may name; others open connections."""
HASHES = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
MOST_FILES = 10_000
LARGEST_PICKLE = 1 << 26

_NAMED_IN_WEIGHTS = re.compile(
    r"collections (OrderedDict|defaultdict|Counter)|(builtins|__builtin__) (set|dict|list|int|float|complex|bool|str)"
    r"|torch (\w+Storage|Size|device|float\w+|u?int\w+|bool|bfloat16|double|half|long|short)"
    r"|torch\.\w+ \w+Storage|torch\._utils _rebuild_\w+|torch\.nn\.parameter (Parameter|Buffer)"
    r"|torch\._tensor _rebuild_from_type_v2|torch\.serialization _get_layout"
)


def bundle_files(folder: Path) -> tuple[list[Path], list[Finding]]:
    """The plain files below a folder, sorted, and what else is there; links are not followed.

    Raises:
        InputError: when a folder cannot be read, or there are more than :data:`MOST_FILES` files.
    """
    files: list[Path] = []
    findings: list[Finding] = []
    for where, folders, names in os.walk(folder, onerror=_unreadable):
        for name in (*folders, *names):
            path = Path(where, name)
            shown = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) and not _inside(path, folder):
                findings.append(Finding(shown, "", "is a link to outside the bundle", "copy the file"))
            elif path.is_file():
                files.append(path)
            elif not stat.S_ISDIR(mode) and not stat.S_ISLNK(mode):
                findings.append(Finding(shown, "", "is neither a file nor a folder", "remove it"))
        if len(files) > MOST_FILES:
            raise InputError(f"{folder.name}: more than {MOST_FILES} files, no bundle; give its own folder.")
    return sorted(files), findings


def file_findings(file: Path, folder: Path, strict: bool = False) -> list[Finding]:
    """Findings of one file that is no configuration, and of large_files.yml."""
    name, shown = file.name.lower(), file.relative_to(folder).as_posix()
    if name.endswith(CODE):
        return [Finding(shown, "", "is code, or runs code when it is loaded", "a bundle holds data only")]
    if name.endswith(WEIGHTS):
        return [
            Finding(shown, "", fault, "save a state dict by torch.save") for fault in weights_faults(file)
        ]
    if name.endswith(LOGGING):
        return list(_logging_findings(file, shown))
    if name.startswith("large_files") and is_config(name) and file.parent == folder:
        return list(_large_file_findings(file, shown, strict))
    return []


def _unreadable(error: OSError) -> None:
    raise InputError(f"{Path(error.filename).name}: cannot be read ({error.strerror}).") from error


def _inside(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # a loop of links
        return False


def weights_faults(file: Path) -> list[str]:
    """What makes a file of weights more than tensors; the pickle in it is read opcode by opcode, not loaded.

    A damaged file has none: that is for the loader to report, which loads tensors only.
    """
    try:
        if not zipfile.is_zipfile(file):
            with file.open("rb") as stream:
                return ["is a pickle of the format before torch 1.6"] if stream.read(1) == b"\x80" else []
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if any(
                "code" in PurePosixPath(name).parts or name.endswith((".py", "constants.pkl"))
                for name in names
            ):
                return ["is TorchScript, a program"]
            pickles = [archive.getinfo(name) for name in names if name.endswith(".pkl")]
            if any(one.file_size > LARGEST_PICKLE for one in pickles):
                return [f"holds a pickle larger than {LARGEST_PICKLE >> 20} MiB"]
            found = [name for one in pickles for name in _names_in_pickle(archive.read(one))]
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        OverflowError,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:
        return [f"cannot be read ({error})"]
    return [f"names {name} in its pickle" for name in dict.fromkeys(found)]


def _names_in_pickle(content: bytes) -> Iterator[str]:
    """What a pickle would import that tensors do not need."""
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in ("GLOBAL", "INST"):
            if not _NAMED_IN_WEIGHTS.fullmatch(str(argument)):
                yield str(argument).replace(" ", ".")
        elif operation.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            yield f"something by {operation.name}"


def _logging_findings(file: Path, shown: str) -> Iterator[Finding]:
    """``class``, ``args`` and ``kwargs`` are evaluated by logging.config.fileConfig, after %(name)s is filled in."""
    parser = configparser.ConfigParser()
    try:
        if file.stat().st_size > LARGEST:
            raise ValueError("too large")
        parser.read_string(file.read_text(encoding="utf-8"))
        options = [
            (section, key, parser.get(section, key).strip())
            for section in parser.sections()
            for key in ("class", "args", "kwargs")
            if parser.has_option(section, key)
        ]
    except (configparser.Error, ValueError, OSError) as error:
        yield Finding(shown, "", f"is no configuration of logging ({error})", "correct or remove it")
        return
    for section, key, value in options:
        where = f"[{section}] {key}"
        if key == "class" and value and value.removeprefix("logging.") not in HANDLERS:
            yield Finding(shown, where, f"the class is {quoted(value)}", f"use {', '.join(HANDLERS)}")
        if key != "class" and value and not _is_plain(value):
            yield Finding(shown, where, f"{quoted(value)} is more than values", "write values only")
        elif key != "class" and re.search(r"['\"]\s*(/|\\|~|[A-Za-z]:)|\.\.", value):
            yield Finding(shown, where, f"{quoted(value)} leads outside the bundle", "name a file of its own")


def _is_plain(text: str) -> bool:
    """Whether a text is literals and ``sys.stdout`` or ``sys.stderr`` only."""
    try:
        ast.literal_eval(re.sub(r"(?<![\w.])sys\.std(out|err)(?![\w.(\[])", "None", text))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return False
    return True


def _large_file_findings(file: Path, shown: str, strict: bool) -> Iterator[Finding]:
    content: Any = read_config(file)[0]
    entries = content.get("large_files") if isinstance(content, dict) else None
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        where = f"large_files#{number}"
        if not isinstance(entry, dict):
            yield Finding(shown, where, "is no entry", "give path, url, hash_val and hash_type")
            continue
        path, kind, value = str(entry.get("path") or ""), str(entry.get("hash_type")), entry.get("hash_val")
        if not path or PurePosixPath(path).is_absolute() or ".." in re.split(r"[/\\]", path) or ":" in path:
            yield Finding(shown, where, f"the path is {quoted(path)}", "name a file in the bundle")
        elif path.lower().endswith(CODE):
            yield Finding(shown, where, f"{quoted(path)} is code, or runs code when loaded", "leave it out")
        if not str(entry.get("url")).startswith("https://"):
            yield Finding(shown, where, f"the url is {quoted(entry.get('url'))}", "give one by https")
        kinds = ("sha256", "sha512") if strict else tuple(HASHES)
        if kind not in kinds or not re.fullmatch(rf"[0-9a-fA-F]{{{HASHES[kind]}}}", str(value)):
            yield Finding(
                shown,
                where,
                "its hash is missing or no hash",
                f"give hash_val and hash_type: {', '.join(kinds)}",
            )
