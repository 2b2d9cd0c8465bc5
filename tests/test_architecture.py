"""Imports of the package point one way, from the command line down to errors, and no module imports itself in a circle.

All imports count, also those inside of functions; only those under ``if TYPE_CHECKING`` do not.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import monai_ext

PACKAGE = Path(monai_ext.__file__).parent
ROOT = PACKAGE.name
FLOORS = (
    ("callers", "errors", "files", "logs", "resources"),
    ("io", "prompts", "synthesis", "metrics", "masks"),  # masks: tensor operations, which data makes use of
    ("data",),
    ("transforms", "visualize"),
    ("networks/segmenter", "networks/blocks", "losses", "weights"),
    ("networks/language",),
    ("networks/encoders", "networks/decoders"),
    ("saliency",),
    ("networks",),
    ("engines", "inferers", "handlers"),
    ("bundle",),
    ("studies", "doctor"),
    ("reports",),
    ("cli", "apps", ""),
)
"""Rooms from the lowest up: a module imports from its own floor and from those below. "" is the package itself."""
HEAVY = {"torch", "monai", "numpy", "scipy", "ignite", "nibabel", "pydicom", "SimpleITK", "PIL", "skimage"}
"""What takes seconds to import, and so waits until a command runs."""
LARGEST = 0.2
"""Fraction of all lines that one room may hold."""

Graph = dict[str, set[str]]


def statements(tree: ast.AST, deep: bool = True) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a module, with `deep` also those inside of functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from statements(ast.Module(node.orelse, []), deep)
        elif deep or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from statements(node, deep)


def imported(source: str, modules: Mapping[str, Path], deep: bool = True) -> set[str]:
    """Names of the modules that a source text imports: our own in full, of others the first word."""
    names: set[str] = set()
    for statement in statements(ast.parse(source), deep):
        if isinstance(statement, ast.Import):
            found = [alias.name for alias in statement.names]
        else:
            assert statement.level == 0, "imports are absolute"
            whole = [f"{statement.module}.{alias.name}" for alias in statement.names]
            found = [name if name in modules else str(statement.module) for name in whole]
        names |= {name if name.split(".")[0] == ROOT else name.split(".")[0] for name in found}
    return names


def modules_of(folder: Path) -> dict[str, Path]:
    """Modules by name, packages among them."""
    names = {
        file: ".".join(file.relative_to(folder.parent).with_suffix("").parts) for file in folder.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): file for file, name in names.items()}


MODULES = modules_of(PACKAGE)
IMPORTS: Graph = {name: imported(file.read_text(), MODULES) for name, file in MODULES.items()}
OWN: Graph = {  # without the package itself, of which only the version is imported from below
    name: {other for other in found if other.startswith(f"{ROOT}.")} for name, found in IMPORTS.items()
}


def floor(module: str) -> int:
    """The number of the floor of a module, by the most particular room that is named."""
    rooms = {room: number for number, floor in enumerate(FLOORS) for room in floor}
    parts = module.split(".")[1:]
    return next(rooms[room] for n in (2, 1, 0) if (room := "/".join(parts[:n])) in rooms)


def circle(graph: Graph) -> list[str]:
    """The modules of one circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def loaded(module: str) -> set[str]:
    """All that importing a module imports, directly or through modules of ours and the packages that hold them."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in MODULES:
            parents = [name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)]
            waiting += [*parents, *imported(MODULES[name].read_text(), MODULES, deep=False)]
    return reached


# the rules


def test_imports_point_down() -> None:
    upward = [
        (module, other)
        for module, found in OWN.items()
        for other in sorted(found)
        if floor(other) > floor(module)
    ]
    assert upward == []


def test_no_module_imports_itself_in_a_circle() -> None:
    assert circle(OWN) == []


def test_every_room_is_on_a_floor() -> None:
    rooms = {
        name for name, _ in Counter(module.split(".")[1] for module in MODULES if module != ROOT).items()
    }
    assert rooms == {room.split("/")[0] for floor in FLOORS for room in floor} - {""}


def test_the_lowest_of_all_is_the_module_of_errors() -> None:
    assert OWN[f"{ROOT}.errors"] == set()


@pytest.mark.parametrize(
    ("room", "allowed"),
    [("masks", {"masks", "metrics", "errors"}), ("metrics", {"metrics", "errors"})],
)
def test_rooms_of_pure_tensor_operations_import_nothing_else_of_ours(room: str, allowed: set[str]) -> None:
    found = {
        other.split(".")[1]
        for module, names in OWN.items()
        if module.split(".")[1:2] == [room]
        for other in names
    }
    assert found <= allowed


@pytest.mark.parametrize(
    "module", [name for name in sorted(MODULES) if name.split(".")[1:2] in ([], ["cli"])]
)
def test_the_package_and_the_command_line_import_nothing_heavy(module: str) -> None:
    assert loaded(module) & HEAVY == set()


def test_no_room_holds_more_than_a_fifth_of_the_lines() -> None:
    lines = Counter[str]()
    for file in MODULES.values():
        parts = file.relative_to(PACKAGE).parts
        lines[parts[0] if len(parts) > 1 else ""] += len(file.read_text().splitlines())
    room, largest = lines.most_common(1)[0]
    assert largest <= LARGEST * lines.total(), room


# the reading of imports


def test_imports_inside_of_functions_count_and_those_for_type_checkers_do_not() -> None:
    source = """
from typing import TYPE_CHECKING
import numpy.linalg
if TYPE_CHECKING:
    import torch
else:
    import scipy
def f():
    from monai_ext.io import slices
    from monai_ext.io.slices import SliceView
class C:
    import nibabel
try:
    import pydicom
except ImportError:
    pass
"""
    outside = {"typing", "numpy", "scipy", "nibabel", "pydicom"}
    assert imported(source, MODULES) == outside | {"monai_ext.io.slices"}
    assert imported(source, MODULES, deep=False) == outside


def test_a_circle_is_found_and_named() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("module", "room"),
    [
        ("monai_ext", ""),
        ("monai_ext.errors", "errors"),
        ("monai_ext.io.dicom.read", "io"),
        ("monai_ext.networks.vlsm", "networks"),
        ("monai_ext.networks.segmenter", "networks/segmenter"),
        ("monai_ext.networks.encoders.clip_text", "networks/encoders"),
    ],
)
def test_a_module_stands_on_the_floor_of_its_room(module: str, room: str) -> None:
    assert room in FLOORS[floor(module)]


def test_what_is_loaded_includes_packages_and_modules_behind_others() -> None:
    reached = loaded("monai_ext.data.datasets")  # which imports io.datalists, and that io.dicom.headers
    assert {"monai_ext", "monai_ext.io", "monai_ext.io.dicom.headers", "numpy"} <= reached
