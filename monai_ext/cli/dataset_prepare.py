"""``monai-ext dataset prepare``: run a recipe with a progress line, tell what it wrote, list the recipes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from monai_ext.cli.console import say
from monai_ext.data.recipes import RECIPES, Case, Prepared, find_recipe, prepare


def run_prepare(name: str, source: Path, folder: Path, seed: int, partial: bool) -> Prepared:
    """Run a recipe, with a progress line on a terminal.

    Raises:
        InputError: unknown name, and see :func:`monai_ext.data.recipes.prepare`.
    """
    return prepare(find_recipe(name), source, folder, seed, partial, _progress)


def _progress(cases: Sequence[Case]) -> Iterable[Case]:
    console = Console(stderr=True)
    return track(cases, "reading", console=console, transient=True, disable=not console.is_terminal)


def tell(name: str, done: Prepared, folder: Path) -> None:
    """Print the sizes of the lists, the notes, and the licence."""
    sizes = ", ".join(f"{number} {name}" for name, number in done.lists.items())
    say(f"{name} → {folder}: {sizes}")
    for note in done.notes:
        say(f"  note: {note}")
    say(f"licence: {find_recipe(name).licence}")


def print_recipes() -> None:
    """Print each recipe: what it gives, from where, under which licence, what the source folder holds."""
    for recipe in RECIPES.values():
        sizes: dict[str, int] = {}
        for wanted in recipe.sizes.values():
            sizes |= wanted
        say(f"{recipe.name}: {recipe.description}")
        say(f"  lists: {', '.join(f'{number} {name}' for name, number in sizes.items())}. {recipe.remarks}")
        say(f"  get it: {recipe.where}")
        say(f"  SRC holds: {recipe.layout}")
        say(f"  licence: {recipe.licence}")
        say(f"  reference: {recipe.reference}")
