"""A page as a reader and a browser find it: texts, tables, pictures and every attribute."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

VOID = {"meta", "img"}


class Parsed(HTMLParser):
    """A page that was read.

    Attributes:
        tags: of all elements, in order.
        attributes: of all elements, as (tag, name, value).
        texts: pieces of text, without those of ``style``.
        tables: rows of cells of each table.
        style: the text of ``style``.
        drawn: attributes of the marks of charts.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.style = ""
        self.drawn: list[dict[str, str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.drawn.append(dict(attrs))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            self.style += data
        elif data.strip():
            self.texts.append(data.strip())
            if "table" in self._open:
                self.tables[-1][-1][-1] += data.strip()

    def values(self, name: str) -> list[str]:
        """Values of one attribute."""
        return [value for _, found, value in self.attributes if found == name]

    def pictures(self) -> list[Image.Image]:
        """The embedded pictures."""
        return [
            Image.open(io.BytesIO(base64.b64decode(value.partition(",")[2]))) for value in self.values("src")
        ]

    def marks(self, name: str) -> list[dict[str, str]]:
        """Attributes of the marks of a chart that have a class."""
        return [mark for mark in self.drawn if name in mark["class"].split()]


def parsed(file: Path) -> Parsed:
    """A report, which loads nothing from anywhere and runs nothing."""
    page = Parsed(file.read_text(encoding="utf-8"))
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), name
        assert name not in ("href", "srcset", "data", "action", "style"), (tag, name)
        assert name != "src" or value.startswith("data:image/"), value[:40]
        assert "://" not in value, value[:80]
    assert "url(" not in page.style and "@import" not in page.style
    assert "@media (prefers-color-scheme: dark)" in page.style and "@media print" in page.style
    return page
