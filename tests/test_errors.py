"""Messages are one line whatever stands in them."""

from __future__ import annotations

import pytest

from monai_ext.errors import InputError, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("left lung, größe 肺 🫁 الكبد", "left lung, größe 肺 🫁 الكبد"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31m\x07", "\\x1b[31m\\x07"),
        ("\u202egpj.exe\u2028", "\\u202egpj.exe\\u2028"),
        ("\udcff.png", "\\udcff.png"),
        (OSError("x\ny"), "x\\ny"),
    ],
)
def test_what_cannot_be_printed_is_shown_escaped(text, shown):
    assert one_line(text) == shown
    assert shown.isprintable()
    assert str(InputError(text)) == shown
