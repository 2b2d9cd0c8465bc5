"""``monai-ext dataset prepare``: run a recipe with a progress line, print what it wrote, list the recipes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from monai_ext.cli.console import print_line

if TYPE_CHECKING:
    from monai_ext.data.recipes import Case, Prepared


def run_prepare(name: str, source: Path, folder: Path, seed: int, partial: bool) -> Prepared:
    """Run a recipe, with a progress line on a terminal.

    Raises:
        InputError: unknown name, and see :func:`monai_ext.data.recipes.prepare`.
    """
    from monai_ext.data.recipes import find_recipe, prepare

    return prepare(find_recipe(name), source, folder, seed, partial, _progress)


def _progress(cases: Sequence[Case]) -> Iterable[Case]:
    console = Console(stderr=True)
    return track(cases, "reading", console=console, transient=True, disable=not console.is_terminal)


def print_prepared(name: str, done: Prepared, folder: Path) -> None:
    """Print the sizes of the lists, the notes, and the licence."""
    from monai_ext.data.recipes import find_recipe

    sizes = ", ".join(f"{number} {name}" for name, number in done.lists.items())
    print_line(f"{name} → {folder}: {sizes}")
    for note in done.notes:
        print_line(f"  note: {note}")
    print_line(f"licence: {find_recipe(name).licence}")


def print_recipes() -> None:
    """Print each recipe: what it gives, from where, under which licence, what the source folder holds."""
    from monai_ext.data.recipes import RECIPES

    for recipe in RECIPES.values():
        sizes: dict[str, int] = {}
        for wanted in recipe.sizes.values():
            sizes |= wanted
        print_line(f"{recipe.name}: {recipe.description}")
        print_line(
            f"  lists: {', '.join(f'{number} {name}' for name, number in sizes.items())}. {recipe.remarks}"
        )
        print_line(f"  get it: {recipe.where}")
        print_line(f"  SRC holds: {recipe.layout}")
        print_line(f"  licence: {recipe.licence}")
        print_line(f"  reference: {recipe.reference}")
