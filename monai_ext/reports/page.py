"""A report as a page: sections of a few kinds of content, and the one HTML file that they become."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

import monai_ext
from monai_ext.errors import InputError
from monai_ext.files import whole_file

REPORT = "report.html"
WIDEST = 1080
"""Pixels of an embedded picture, at most."""


@dataclass(frozen=True)
class Figure:
    """A headline figure: ``Dice``, ``0.725``, ``0.60 to 0.84 (95 % interval over patients)``."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Figures:
    """Headline figures side by side."""

    kind: ClassVar[str] = "figures"
    items: Sequence[Figure]


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row, the others hold figures."""

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class HeatCell:
    """A cell of a coloured table.

    Attributes:
        text: what it shows.
        value: in [0, 1], which colours it; None leaves it plain.
        title: what it shows in full, for a pointer that rests on it.
    """

    text: str
    value: float | None = None
    title: str = ""

    @property
    def level(self) -> str:
        """The name of its colour: 0 for the value 0 and plain cells, 1 to 5 for fifths of what lies above."""
        return str(math.ceil(5 * self.value)) if self.value else "0"


@dataclass(frozen=True)
class Heat:
    """A table whose cells are coloured by their values.

    Attributes:
        groups: titles over the columns, and how many columns each has.
        columns: titles, written upright.
        rows: name and cells, as many as there are columns.
        note: what the colours mean.
    """

    kind: ClassVar[str] = "heat"
    groups: Sequence[tuple[str, int]]
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatCell]]]
    note: str = ""


@dataclass(frozen=True)
class ChartRow:
    """One row of a chart: its name, its marks and its figure as text."""

    label: str
    marks: Markup
    figure: str


@dataclass(frozen=True)
class Chart:
    """Rows over one axis, with the values at its ends and quarters."""

    kind: ClassVar[str] = "chart"
    rows: Sequence[ChartRow]
    axis: Sequence[str]
    note: str = ""
    heading: str = ""


@dataclass(frozen=True)
class Curve:
    """A curve with the values at the ends of its axes."""

    kind: ClassVar[str] = "curve"
    marks: Markup
    top: str
    left: str
    right: str


@dataclass(frozen=True)
class Picture:
    """A picture as a ``data:`` address with what is said of it."""

    source: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """Pictures under one heading."""

    kind: ClassVar[str] = "pictures"
    items: Sequence[Picture]
    heading: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"
    items: Sequence[tuple[str, str]]
    heading: str = ""


@dataclass(frozen=True)
class Notes:
    """Sentences, each a point."""

    kind: ClassVar[str] = "notes"
    items: Sequence[str]


Content = Figures | Table | Heat | Chart | Curve | Pictures | Facts | Notes


@dataclass(frozen=True)
class Section:
    """A part of a report with its title."""

    title: str
    contents: Sequence[Content]
    lead: str = ""


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title, lead: what it is, and what it found in one sentence.
        sections: those without content are left out.
    """

    title: str
    lead: str
    sections: Sequence[Section]


def render(page: Page) -> str:
    """The page as HTML, which loads nothing and runs nothing; all texts are escaped."""
    environment = Environment(
        loader=PackageLoader("monai_ext.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [section for section in page.sections if section.contents]
    template = environment.get_template("page.html")
    return template.render(page=page, sections=sections, version=monai_ext.__version__)


def write_page(page: Page, folder: Path) -> Path:
    """Write ``report.html``, whole or not at all.

    Raises:
        InputError: when it cannot be written.
    """
    target = folder / REPORT
    try:
        with whole_file(target) as path:
            path.write_text(render(page), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder.name}/{REPORT}: cannot be written ({error.strerror}).") from error
    return target


def embedded(file: Path) -> str:
    """A picture as a ``data:`` address; one that is wider than :data:`WIDEST` is made smaller.

    Raises:
        InputError: when it cannot be read.
    """
    try:
        content = file.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            kind = str(picture.format)
            if picture.width > WIDEST:
                picture.thumbnail((WIDEST, picture.height))
                kind, target = "JPEG", io.BytesIO()
                picture.convert("RGB").save(target, kind, quality=85)
                content = target.getvalue()
    except OSError as error:
        raise InputError(f"{file.parent.name}/{file.name}: the picture cannot be read.") from error
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}"


def stated(facts: Mapping[str, Any], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Facts with their names as a reader knows them; those that are not there or empty are left out."""
    return [
        (name, text_of(facts[key])) for key, name in names.items() if facts.get(key) not in (None, {}, [], "")
    ]


def text_of(value: Any) -> str:
    """A value as text: names and values of a mapping, members of a list, yes or no; of an absolute path its last name."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text_of(one)}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text_of, value))
    if isinstance(value, str):
        return Path(value).name if Path(value).is_absolute() else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
