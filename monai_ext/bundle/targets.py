"""Targets: what ``_target_`` of a checked configuration may name.

Of monai_ext these are the public classes of some folders and a few functions, read from the source, so the list cannot
lag behind the code; :mod:`monai_ext.bundle.targets_page` publishes it as docs/targets.md. Of MONAI, torch and ignite
they are the classes in library_targets.txt (see :mod:`monai_ext.bundle.library_targets`) and a few functions. Nothing
is imported to decide.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDERS = (
    *(
        "data",
        "transforms",
        "networks",
        "networks/encoders",
        "networks/decoders",
        "saliency",
        "masks",
        "losses",
    ),
    *("inferers", "engines", "engines/tasks", "handlers"),
)
"""Folders of monai_ext whose public classes are targets, without the folders in them."""
FUNCTIONS = (
    "monai_ext.bundle.identity.bundle_identity",
    "monai_ext.bundle.identity.configuration_hash",
    "monai_ext.data.collate.collate_single_case",
    "monai_ext.data.datasets.read_split",
    "monai_ext.data.evaluation.draw_cases",
    "monai_ext.data.evaluation.evaluation_items",
    "monai_ext.data.sampling.process_sampler",
    "monai_ext.data.sampling.set_sampler",
    "monai_ext.engines.distributed.check_processes",
    "monai_ext.engines.distributed.default_device",
    "monai_ext.engines.distributed.end_processes",
    "monai_ext.engines.distributed.start_processes",
    "monai_ext.engines.initial_weights.check_initial",
    "monai_ext.engines.initial_weights.initial_network",
    "monai_ext.engines.overrides.check_overrides",
    "monai_ext.engines.settings.training_settings",
    "monai_ext.handlers.explanations.explanation_recorder",
    "monai_ext.io.datalists.list_cases",
    "monai_ext.networks.encoders.text_presence.contrast_texts",
    "monai_ext.prompts.levels.library_with_levels",
    "monai_ext.prompts.library.PromptLibrary.load",
    "monai_ext.synthesis.training_slices.additional_slices",
    "monai_ext.weights.load_into",
)
"""Functions of monai_ext that are targets, by the names that configurations use."""
LIBRARY_FUNCTIONS = (
    "monai.data.list_data_collate",
    "monai.data.load_decathlon_datalist",
    "monai.data.partition_dataset",
    "monai.data.utils.list_data_collate",
    "monai.data.utils.no_collation",
    "monai.handlers.from_engine",
    "monai.handlers.utils.from_engine",
    "monai.utils.set_determinism",
)

_PACKAGE = Path(__file__).resolve().parents[1]
_LIBRARY = Path(__file__).with_name("library_targets.txt")
_AMBIGUOUS = "only with their module"
_NO_TARGETS = ("Protocol", "ABC", "NamedTuple", "Enum", "StrEnum")  # as bases: contracts and values


class Target(NamedTuple):
    """A target of monai_ext.

    Attributes:
        names: by which a configuration may call it, the shortest first.
        summary: first line of its docstring.
    """

    names: tuple[str, ...]
    summary: str


def is_target(name: str) -> bool:
    """Whether a configuration may name this class or function as its ``_target_``."""
    if name in LIBRARY_FUNCTIONS or name in _own_names():
        return True
    module, _, leaf = name.rpartition(".")
    classes, ambiguous = _library()
    defined_in = classes.get(leaf, ())
    if not module:  # MONAI looks a bare name up in its own modules
        return leaf not in ambiguous and any(one.startswith("monai.") for one in defined_in)
    # a package passes on what its modules define: monai.losses.DiceLoss is monai.losses.dice.DiceLoss
    outer = module.count(".") > 0
    return any(one == module or (outer and one.startswith(f"{module}.")) for one in defined_in)


@cache
def _library() -> tuple[dict[str, list[str]], frozenset[str]]:
    """Modules by the name of a class in them, and names that are ambiguous without their module."""
    classes: dict[str, list[str]] = {}
    ambiguous: frozenset[str] = frozenset()
    for line in _LIBRARY.read_text(encoding="utf-8").splitlines():
        module, _, names = line.partition(": ")
        if module == _AMBIGUOUS:
            ambiguous = frozenset(names.split())
        elif not line.startswith("#"):
            for name in names.split():
                classes.setdefault(name, []).append(module)
    return classes, ambiguous


@cache
def _own_names() -> frozenset[str]:
    return frozenset(name for target in published() for name in target.names)


def published() -> list[Target]:
    """The targets of monai_ext, sorted by their names."""
    found = [target for folder in FOLDERS for target in _classes(_PACKAGE / folder)]
    return sorted([*found, *(Target((name,), _summary(_definition(name))) for name in FUNCTIONS)])


def _classes(folder: Path) -> Iterator[Target]:
    package = ".".join(("monai_ext", *folder.relative_to(_PACKAGE).parts))
    passed_on = {
        name.name: one.module
        for one in _parsed(folder / "__init__.py").body
        if isinstance(one, ast.ImportFrom)
        for name in one.names
    }
    for file in sorted(folder.glob("*.py")):
        module = f"{package}.{file.stem}"
        for one in _parsed(file).body:
            if isinstance(one, ast.ClassDef) and _is_target(one):
                short = [f"{package}.{one.name}"] if passed_on.get(one.name) == module else []
                yield Target((*short, f"{module}.{one.name}"), _summary(one))


def _is_target(one: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in one.bases}
    decorators = {ast.unparse(each).split("(")[0].split(".")[-1] for each in one.decorator_list}
    return not (one.name.startswith("_") or bases & set(_NO_TARGETS) or "dataclass" in decorators)


def _definition(name: str) -> ast.AST:
    """The definition of a function or method, found through the package that passes it on, if one does.

    Raises:
        LookupError: when there is none.
    """
    parts = name.split(".")[1:]
    for depth in range(len(parts) - 1, 0, -1):
        file = _PACKAGE.joinpath(*parts[:depth])
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        if file.is_file():
            return _within(_parsed(file), parts[depth:], name)
    raise LookupError(name)


def _within(tree: ast.AST, parts: list[str], name: str) -> ast.AST:
    for part in parts:
        for one in ast.iter_child_nodes(tree):
            if isinstance(one, (ast.ClassDef, ast.FunctionDef)) and one.name == part:
                tree = one
                break
            if isinstance(one, ast.ImportFrom) and part in (each.name for each in one.names):
                return _definition(f"{one.module}.{part}")
        else:
            raise LookupError(name)
    return tree


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _summary(definition: ast.AST) -> str:
    if not isinstance(definition, (ast.ClassDef, ast.FunctionDef)):
        raise LookupError(ast.dump(definition))
    return (ast.get_docstring(definition) or "").partition("\n")[0]
