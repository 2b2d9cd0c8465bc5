"""A page is one file, in which texts are texts."""

from __future__ import annotations

import pytest
from PIL import Image

from monai_ext.errors import InputError
from monai_ext.reports import page
from monai_ext.reports.charts import curve, distribution
from monai_ext.reports.page import (
    Chart,
    ChartRow,
    Curve,
    Facts,
    Figure,
    Figures,
    Heat,
    HeatCell,
    Notes,
    Page,
    Picture,
    Pictures,
    Section,
    Table,
)
from tests.reports.parsed import Parsed, parsed

HOSTILE = "<script>alert('x')</script>\"&"


def everything(text: str, source: str = "data:image/png;base64,") -> Page:
    """A page with a text in every place."""
    contents = [
        Figures([Figure(text, text, text)]),
        Table([text], [[text, text]]),
        Heat([(text, 1)], [text], [(text, [HeatCell(text, 0.5, text)])], text),
        Chart([ChartRow(text, distribution([0.5], None, text), text)], [text], text, text),
        Curve(curve([1.0], text), text, text, text),
        Pictures([Picture(source, text)], text),
        Facts([(text, text)], text),
        Notes([text]),
    ]
    return Page(text, text, [Section(text, contents, text), Section("nothing in it", [])])


def test_texts_are_escaped_wherever_they_stand(tmp_path):
    found = parsed(page.write_page(everything(HOSTILE), tmp_path))
    assert found.texts.count(HOSTILE) == 30
    assert found.values("alt") == [HOSTILE] and found.values("aria-label") == [HOSTILE] * 2
    assert found.values("title") == [HOSTILE]
    assert "script" not in found.tags


def test_cells_of_a_coloured_table_are_as_dark_as_their_values():
    values = (None, 0.0, 0.001, 0.2, 0.201, 0.6, 1.0)
    assert [HeatCell("", value).level for value in values] == ["0", "0", "1", "1", "2", "3", "5"]
    cells = [HeatCell("7", 0.07, "7 of 100"), HeatCell("")]
    found = Parsed(
        page.render(Page("", "", [Section("x", [Heat([("CT", 2)], ["a", "b"], [("one", cells)])])]))
    )
    assert found.tables == [[["", "CT"], ["", "a", "b"], ["one", "7", ""]]]
    assert ("td", "class", "heat1") in found.attributes and ("td", "title", "7 of 100") in found.attributes
    assert ("th", "colspan", "2") in found.attributes
    assert all(f".heat{level} {{" in found.style for level in range(1, 6))


def test_sections_without_content_are_left_out():
    assert "nothing in it" not in page.render(everything("x"))


def test_the_same_page_gives_the_same_bytes(tmp_path):
    first = page.write_page(everything("x"), tmp_path).read_bytes()
    assert page.write_page(everything("x"), tmp_path).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_page_says_its_language_its_width_and_that_it_is_for_research():
    found = Parsed(page.render(everything("x")))
    assert ("html", "lang", "en") in found.attributes
    assert "width=device-width, initial-scale=1" in found.values("content")
    assert "Not a medical device" in found.texts[-1]
    assert page.render(everything("x")).startswith("<!DOCTYPE html>")


def test_a_report_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"/report.html: cannot be written"):
        page.write_page(everything("x"), tmp_path)


@pytest.mark.parametrize(
    ("name", "size", "kind", "shown"),
    [
        ("a.png", (40, 30), "PNG", (40, 30)),
        ("a.jpg", (1080, 30), "JPEG", (1080, 30)),
        ("a.png", (2160, 600), "JPEG", (1080, 300)),
    ],
)
def test_a_picture_is_embedded_and_a_wide_one_is_made_smaller(tmp_path, name, size, kind, shown):
    Image.new("RGBA" if name == "a.png" else "RGB", size).save(tmp_path / name)
    source = page.embedded(tmp_path / name)
    assert source.startswith(f"data:image/{kind.lower()};base64,")
    (picture,) = Parsed(f'<img src="{source}">').pictures()
    assert (picture.format, picture.size) == (kind, shown)


def test_a_picture_that_fits_is_embedded_as_it_is(tmp_path):
    Image.new("RGB", (page.WIDEST, 8)).save(tmp_path / "a.jpg", quality=10)
    (found,) = Parsed(f'<img src="{page.embedded(tmp_path / "a.jpg")}">').pictures()
    assert found.fp.getvalue() == (tmp_path / "a.jpg").read_bytes()


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_picture_that_cannot_be_read_is_named(tmp_path, content):
    if content:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"^{tmp_path.name}/a.png: the picture cannot be read"):
        page.embedded(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (1234567, "1234567"),
        (0.92864589, "0.928646"),
        (0.0005, "0.0005"),
        ({"torch": "2.14", "sets": ["a", "b"]}, "torch 2.14, sets a, b"),
        (["/home/mary/weights.pt", "embedded/vlsm"], "weights.pt, embedded/vlsm"),
        ("lungs", "lungs"),
    ],
)
def test_values_become_texts_and_no_path_of_the_machine_is_shown(value, text):
    assert page.text_of(value) == text


def test_facts_that_are_not_there_are_left_out_and_zero_is_not():
    facts = {"a": 0, "b": None, "c": {}, "d": "", "e": [], "f": False, "h": 1}
    names = {name: name.upper() for name in "abcdefg"}
    assert page.stated(facts, names) == [("A", "0"), ("F", "no")]
