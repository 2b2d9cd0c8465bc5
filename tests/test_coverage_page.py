"""What the pages name exists: files, modules, tests, commands and their options, variants, ids, weights, recipes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc import locate

import pytest
import typer

from monai_ext.bundle.catalog import bundle_folders
from monai_ext.bundle.configs import bundle_variants
from monai_ext.cli.main import app
from monai_ext.data.recipes import RECIPES
from monai_ext.studies.tune_settings import parse_axes, read_values
from monai_ext.weights.groups import GROUPS
from monai_ext.weights.registry import read_registry

ROOT = Path(__file__).resolve().parents[1]
CARDS = sorted(ROOT.glob("bundles/*/docs/README.md"))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *CARDS]
COVERAGE = ROOT / "docs" / "coverage.md"
BUNDLES = bundle_folders()
ROOMS = {path.name for folder in (ROOT, ROOT / "monai_ext") for path in folder.iterdir() if path.is_dir()}
RUNNER = {"config_file", "meta_file", "logging_file", "run_id", "args_file"}
"""Options of MONAI's runner itself; all others are ids of the configuration."""
PLACEHOLDER = re.compile(r"[<>{}*…]")
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
BREAKS = re.compile(r"[\s'\"\[\](),;]+")


class Page:
    """A page's pieces of code, and the bundle whose card it is."""

    def __init__(self, text: str, path: Path) -> None:
        self.text, self.path = text, path
        self.bundle = path.parents[1] if path in CARDS else None
        blocks = [re.sub(r" +# .*", "", block) for block in FENCED.findall(text)]
        lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        spans = re.findall(r"`([^`]+)`", FENCED.sub("", text))
        self.pieces = [" ".join(one.split()) for one in (*lines, *spans)]

    def bundles(self, piece: str) -> list[Path]:
        """The bundles that a piece may be about."""
        named = [folder for name, folder in BUNDLES.items() if re.search(rf"\b{name}\b", piece)]
        return named[:1] or ([self.bundle] if self.bundle else list(BUNDLES.values()))

    def found(self, path: str) -> Path | None:
        """The file or folder that a path means: of the project, of the package, of the card's bundle, of every bundle."""
        for base in (ROOT, ROOT / "monai_ext"):
            if (base / path).exists():
                return base / path
        inside = [folder / path for folder in ([self.bundle] if self.bundle else BUNDLES.values())]
        return inside[0] if all(file.exists() for file in inside) else None

    def commands(self, start: str) -> Iterator[str]:
        """What follows `start` in the pieces that begin with it."""
        for piece in self.pieces:
            if piece.removeprefix("$ ").startswith(start):
                yield piece.removeprefix("$ ").removeprefix(start)


def missing_files(page: Page) -> Iterator[str]:
    for word in (word.rstrip(".:") for piece in page.pieces for word in BREAKS.split(piece)):
        path, _, test = word.partition("::")
        if "/" not in path or path.split("/")[0] not in ROOMS | {"configs"} or PLACEHOLDER.search(path):
            continue
        if (file := page.found(path)) is None:
            yield path
        elif test and f"def {test}(" not in file.read_text():
            yield word


def missing_names_of_files(page: Page) -> Iterator[str]:
    """Names without a folder: of a file somewhere in the project, or of one that the package writes or reads."""
    sources = [path for room in ("monai_ext", "bundles", "tests") for path in (ROOT / room).rglob("*.*")]
    written = "".join(
        path.read_text() for path in sources if path.suffix == ".py" and "tests" not in path.parts
    )
    known = {path.name for path in sources} | set(re.findall(r"\w+\.json", written))
    for word in {word.rstrip(".:") for piece in page.pieces for word in BREAKS.split(piece)}:
        if re.fullmatch(r"\w*[a-z]\w*\.(py|json)", word) and word not in known:
            yield word


def missing_links(page: Page) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)]+)\)", FENCED.sub("", page.text)):
        if "://" not in link and not (page.path.parent / link.partition("#")[0]).exists():
            yield link


def missing_modules(page: Page) -> Iterator[str]:
    for name in {name for piece in page.pieces for name in re.findall(r"\bmonai_ext(?:\.\w+)+", piece)}:
        if locate(name) is None:
            yield name


def missing_variants(page: Page) -> Iterator[str]:
    for piece in page.pieces:
        known = {name for folder in page.bundles(piece) for name in bundle_variants(folder)}
        for name in re.findall(r"--variant[ =](\w[^\s,;]*)", piece):
            if not name.isupper() and not name.endswith(".json") and name not in known:
                yield f"--variant {name}: {piece}"
    for table in re.findall(
        r"^\| (?:variant|configuration) \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page.text, re.MULTILINE
    ):
        known = {name for folder in page.bundles("") for name in bundle_variants(folder)}
        for row in table.splitlines():
            names = re.findall(r"`(\w+)(?:\.json)?`", row.split("|")[1])
            yield from (f"| {name} |" for name in names if name not in known)


def missing_commands(page: Page) -> Iterator[str]:
    for rest in page.commands("monai-ext "):
        command = typer.main.get_command(app)
        words = [word.strip("[]") for word in rest.split()]
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        options = {one for p in command.params for one in (*p.opts, *p.secondary_opts)} | {"--help"}
        if hasattr(command, "commands") and (not command.invoke_without_command or words):
            yield f"monai-ext {rest}"
        for word in words:
            if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options:
                yield f"{word}: monai-ext {rest}"


def missing_settings(page: Page) -> Iterator[str]:
    for rest in page.commands("monai-ext tune "):
        texts = [
            text for text in re.findall(r"--set ([^\s]+)", rest) if not text.isupper() and "V1" not in text
        ]
        (folder, *others) = page.bundles(rest)
        if texts and not others:
            values = read_values(folder, re.findall(r"--variant (\S+)", rest))
            yield from (f"--set {key}: {rest}" for key in parse_axes(texts) if key not in values)


def missing_ids(page: Page) -> Iterator[str]:
    for rest in page.commands("python -m monai.bundle run "):
        names = [name for name in BREAKS.split(rest) if name.endswith(".json") and page.found(name)]
        ids = {one for name in names for one in _ids(json.loads(page.found(name).read_text()))}
        for key in re.findall(r"--([a-z]\S*)", rest.replace('"', " ")):
            if key not in ids | RUNNER | {"bundle_root"}:
                yield f"--{key}: {rest}"


def _ids(content: dict, prefix: str = "") -> Iterator[str]:
    for key, value in content.items():
        yield prefix + key
        if isinstance(value, dict):
            yield from _ids(value, f"{prefix}{key}#")


def missing_names(page: Page) -> Iterator[str]:
    known = {"weights fetch": {*read_registry(), *GROUPS}, "dataset prepare": set(RECIPES)}
    for words, names in known.items():
        for rest in page.commands(f"monai-ext {words} "):
            if (name := rest.split()[0]) not in names and not name.isupper() and name[0] not in "-[":
                yield f"{words} {name}"


CHECKS: list[Callable[[Page], Iterator[str]]] = [
    missing_files,
    missing_names_of_files,
    missing_links,
    missing_modules,
    missing_variants,
    missing_commands,
    missing_settings,
    missing_ids,
    missing_names,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_a_page_names_is_missing(path, check):
    assert list(check(Page(path.read_text(), path))) == []


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (missing_files, "`monai_ext/networks/nothing.py`"),
        (missing_files, "```\nnetworks/nothing.py  what it is\n```"),
        (missing_files, "`tests/test_coverage_page.py::test_of_nothing`"),
        (missing_files, "`configs/full.json`"),  # not of every bundle
        (missing_names_of_files, "`nothing.json`"),
        (missing_links, "[guide](nothing.md)"),
        (missing_modules, "`monai_ext.nothing`"),
        (missing_modules, "`monai_ext.masks.NoMask`"),
        (missing_variants, "`monai-ext segment X -p lungs --bundle clip_sam --variant v1 -o OUT`"),
        (missing_variants, "`--variant nothing`"),
        (missing_variants, "| variant | |\n|---|---|\n| `v1`, `nothing.json` | what it is |\n"),
        (missing_commands, "`monai-ext nothing`"),
        (missing_commands, "`monai-ext weights nothing`"),
        (missing_commands, "```\n$ monai-ext evaluate vlsm \\\n    --nothing\n```"),
        (missing_settings, "`monai-ext tune clip_sam --variant gscorecam --set coarse#crf#nothing=1,2`"),
        (
            missing_ids,
            "`python -m monai.bundle run --config_file bundles/vlsm/configs/train.json --nothing 1`",
        ),
        (missing_names, "`monai-ext weights fetch nothing`"),
        (missing_names, "`monai-ext dataset prepare nothing SRC OUT`"),
    ],
)
def test_what_is_missing_is_found(check, text):
    assert len(list(check(Page(text, COVERAGE)))) == 1


def item_ids() -> list[str]:
    """The items of the five papers in their order."""
    several = {"B6": "abcdefghijk", "C14": "ab", "C26": "abc"}
    counts = {"A": 29, "B": 24, "C": 27, "D": 21, "E": 18}
    names = [f"{paper}{number + 1}" for paper, count in counts.items() for number in range(count)]
    return [name + letter for name in names for letter in several.get(name, [""])]


def items() -> list[list[str]]:
    """The cells of each row: id, item, mark, where it lives, the command or what is missing."""
    rows = [line.strip("| ").split(" | ") for line in COVERAGE.read_text().splitlines()]
    return [[cell.strip("| ") for cell in row] for row in rows if re.fullmatch(r"[A-E]\d+[a-k]?", row[0])]


def test_every_item_stands_once_and_in_its_order():
    assert [row[0] for row in items()] == item_ids()


@pytest.mark.parametrize("row", items(), ids=lambda row: row[0])
def test_an_item_is_shown_by_what_its_mark_says(row):
    name, _, mark, *rest = row
    shown = rest[-1]
    assert mark in "●◐○–" and shown
    if mark == "●":
        assert len(rest) == 2 and "`" in rest[0], f"{name}: where it lives"
        assert re.search("`(monai-ext|python -m monai.bundle run) ", shown), f"{name}: the command"


def test_what_an_item_needs_is_not_there():
    marks = {name: mark for name, _, mark, *_ in items()}
    needs = {row[0]: re.findall(r"[A-E]\d+[a-k]?", row[-1]) for row in items() if row[-1].startswith("Needs")}
    assert len(needs) > 20
    for name, needed in needs.items():
        assert marks[name] == "○" and any(marks.get(one) != "●" for one in needed), name
