"""Which one-line faults do the tests miss? ``make mutants FILES="monai_ext/io/slices.py"``

A mutant is a file with one line turned round: ``>`` for ``>=``, a constant off by one, a statement left out. The tests
that mirror the file (``tests/io/test_slices.py``) run against it; a mutant that they pass lives, and either a test is
missing or the mutant does the same as the original, which a reader has to decide. Mutants are put into a copy of the
working tree, never into the tree itself.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_BEHIND = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__")

LIBRARIES = (
    "ignite.metrics",
    "monai.bundle",
    "nibabel",
    "pydicom",
    "segment_anything",
    "skimage.measure",
    "SimpleITK",
)
"""Loaded once for all runs."""

_OPERATORS = (
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),
    (ast.And, ast.Or),
    (ast.Add, ast.Sub),
    (ast.Mult, ast.Div),
    (ast.BitAnd, ast.BitOr),
)
_NAMES = ("min max", "any all", "floor ceil", "argmin argmax", "amin amax", "zeros ones", "mean sum")
OPERATORS: dict[type, type] = {
    **{one: other for pair in _OPERATORS for one, other in (pair, pair[::-1])},
    **dict.fromkeys((ast.FloorDiv, ast.Mod, ast.Pow), ast.Mult),
}
NAMES = {one: other for pair in _NAMES for one, other in (pair.split(), pair.split()[::-1])}
UNTOUCHED = {"annotation", "returns", "decorator_list", "exc"}
"""Fields whose content no test should pin: types, and the words of an error."""


@dataclass(frozen=True)
class Mutant:
    """A file with one line turned round.

    Attributes:
        line: of the original file.
        before, after: that line, as Python writes it out.
        source: of the whole file.
    """

    line: int
    before: str
    after: str
    source: str


@dataclass(frozen=True)
class Score:
    """What the tests of one file found: the number of its mutants, and those that live."""

    path: Path
    made: int
    live: list[Mutant]


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a file."""
    tree = ast.parse(source)
    original = ast.unparse(tree)
    lines = original.splitlines()
    for holder, key, node, parent in _places(tree):
        for other in _variants(node, parent):
            holder[key] = other
            mutated = ast.unparse(tree)
            holder[key] = node
            if mutated != original:
                pairs = zip(lines, [*mutated.splitlines(), ""])
                before, after = next(pair for pair in pairs if pair[0] != pair[1])
                yield Mutant(node.lineno, before.strip(), after.strip(), mutated)


def _places(parent: ast.AST) -> Iterator[tuple[Any, Any, Any, ast.AST]]:
    """Every node with the list or the attributes that hold it, its index or name there, and its parent."""
    if isinstance(parent, ast.If) and ast.unparse(parent.test) == "TYPE_CHECKING":
        return
    for field, value in ast.iter_fields(parent):
        if field in UNTOUCHED:
            continue
        holder: Any = value if isinstance(value, list) else vars(parent)
        keys = range(len(value)) if isinstance(value, list) else (field,)
        for key in keys:
            node = holder[key]
            if isinstance(node, ast.AST) and not isinstance(node, ast.JoinedStr):
                if hasattr(node, "lineno"):
                    yield holder, key, node, parent
                yield from _places(node)


def _variants(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    """What may stand at the place of a node and is a fault there."""
    match node:
        case ast.Compare(left, operators, right):
            for n, operator in enumerate(operators):
                turned = OPERATORS[type(operator)]()
                yield ast.Compare(left, [*operators[:n], turned, *operators[n + 1 :]], right)
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(OPERATORS[type(operator)](), values)
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Constant(float() as value):
            yield ast.Constant(2 * value or 1.0)
        case ast.Constant(str() as value) if isinstance(parent, ast.Subscript | ast.Dict | ast.Compare):
            yield ast.Constant(value + "_")
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Slice(lower, upper, step):
            yield ast.Slice(None, upper, step)
            yield ast.Slice(lower, None, step)
        case ast.Call(function, arguments, keywords):
            for n, keyword in enumerate(keywords):
                if keyword.arg:
                    yield ast.Call(function, arguments, keywords[:n] + keywords[n + 1 :])
            match function:
                case ast.Name(name) if name in NAMES:
                    yield ast.Call(ast.Name(NAMES[name]), arguments, keywords)
                case ast.Attribute(of, name) if name in NAMES:
                    yield ast.Call(ast.Attribute(of, NAMES[name]), arguments, keywords)
        case ast.If(test, body, orelse) if not isinstance(test, ast.Compare | ast.UnaryOp):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Return(value) if value is not None:
            yield ast.Return(ast.Constant(None))
        case ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Assign([ast.Subscript() | ast.Attribute()]):
            yield ast.Pass()
        case ast.Expr(value) if not isinstance(value, ast.Constant):
            yield ast.Pass()


def sample(every: Sequence[Mutant], number: int, seed: str) -> list[Mutant]:
    """At most `number` mutants of different lines, in their order; all mutants for 0."""
    if not number:
        return list(every)
    by_line = defaultdict(list)
    for one in every:
        by_line[one.line].append(one)
    draw = random.Random(seed)
    return [draw.choice(by_line[n]) for n in sorted(draw.sample(list(by_line), min(number, len(by_line))))]


def mirror(path: Path) -> Path:
    """The tests of a file: ``tests/io/test_slices.py`` of ``monai_ext/io/slices.py``."""
    return Path("tests", *path.parts[1:-1], f"test_{path.name}")


def passes(tree: Path, tests: Path, package: str, limit: float) -> bool:
    """Whether tests of a package pass in a copy of the tree; not when they take longer than `limit` seconds."""
    # a fork has the libraries loaded, which takes longer than most tests
    run = multiprocessing.get_context("fork").Process(target=_run, args=(tree, tests, package))
    run.start()
    run.join(limit)
    if run.exitcode is None:
        os.killpg(run.pid or 0, signal.SIGKILL)  # also what the tests have started
        run.join()
    return run.exitcode == 0


def _run(tree: Path, tests: Path, package: str) -> None:
    os.setsid()
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    for name in [n for n in sys.modules if n.split(".")[0] in ("tests", package)]:
        del sys.modules[name]  # those of the working tree
    sys.modules["__main__"] = pytest  # which processes that the tests spawn import again
    # bytecode of a mutant would be taken for that of the next one, written within the same second
    sys.dont_write_bytecode = True
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(tree))
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    scratch = str(tree.parent / "scratch")  # which goes with the copy, since no one else tidies it
    os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={scratch}", str(tests)]))


def score(tree: Path, path: Path, number: int = 12, seed: int = 0) -> Score:
    """Run the tests of a file against its mutants.

    Args:
        tree: a copy of the working tree; the file is as it was afterwards.
        path: of the file in it.
        number: of mutants; 0 for all.
        seed: decides which ones.

    Raises:
        ValueError: when the file has no tests, they fail without a mutant, or they pass without the file.
    """
    tests, package, source = mirror(path), path.parts[0], (tree / path).read_text(encoding="utf-8")
    if not (tree / tests).is_file():
        raise ValueError(f"{path}: no tests in {tests}; the tests of a file are in the file that mirrors it.")
    start = time.monotonic()
    if not passes(tree, tests, package, 600):
        raise ValueError(f"{tests}: fails before any line is turned round; mend it first.")
    limit = 30 + 3 * (time.monotonic() - start)
    live = []
    try:
        (tree / path).write_text("", encoding="utf-8")
        if passes(tree, tests, package, limit):
            raise ValueError(
                f"{tests}: passes when {path} is empty; it tests another copy, or nothing of it."
            )
        chosen = sample(list(mutants(source)), number, f"{seed} {path}")
        for one in chosen:
            (tree / path).write_text(one.source, encoding="utf-8")
            if passes(tree, tests, package, limit):
                live.append(one)
    finally:
        (tree / path).write_text(source, encoding="utf-8")
    return Score(path, len(chosen), live)


def row(name: object, made: object, killed: object, live: object) -> str:
    """A line of the table."""
    return f"{name!s:<40}{made:>6}{killed:>8}{live:>6}"


def rows(one: Score) -> str:
    """A file with the numbers of its mutants, and below it every mutant that lives."""
    living = [f"  {m.line:>4} - {m.before}\n       + {m.after}" for m in one.live]
    return "\n".join([row(one.path, one.made, one.made - len(one.live), len(one.live)), *living])


def main(
    arguments: Sequence[str] | None = None, root: Path = ROOT, libraries: Sequence[str] = LIBRARIES
) -> None:
    parser = argparse.ArgumentParser(prog="tests.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="of the package, from the root of the repository")
    parser.add_argument("--number", type=int, default=12, help="mutants a file; 0 for all (default 12)")
    parser.add_argument("--seed", type=int, default=0, help="decides which mutants (default 0)")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, root.name)
        shutil.copytree(root, tree, ignore=LEFT_BEHIND)
        if (root.parent / "shared").is_dir():  # some tests read what lies beside the repository
            Path(folder, "shared").symlink_to(root.parent / "shared")
        for name in libraries:
            importlib.import_module(name)
        print(row("file", "made", "killed", "live"))
        made = live = 0
        for path in asked.files:
            try:
                one = score(tree, path, asked.number, asked.seed)
            except (OSError, ValueError) as error:
                parser.exit(2, f"error: {error}\n")
            print(rows(one), flush=True)
            made, live = made + one.made, live + len(one.live)
        print(row("all", made, made - live, live))


if __name__ == "__main__":
    main()
