"""Messages are one line whatever stands in them."""

from __future__ import annotations

import sys

import pytest

from monai_ext.errors import InputError, WeightsError, one_line, print_in_one_line


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


def ended(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """The exit code with which a process would end that printed errors in one line, if it chooses one."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    print_in_one_line()
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except SystemExit as end:
        return end.code
    return None


def wrapped(cause: Exception) -> RuntimeError:
    error = RuntimeError("Failed to instantiate component")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (WeightsError, 3)])
def test_an_error_that_a_user_can_act_on_ends_a_process_with_its_line(monkeypatch, capsys, kind, code):
    assert ended(wrapped(kind("no set a\nb.")), monkeypatch) == code
    assert capsys.readouterr().err == "error: no set a\\nb.\n"


def test_another_error_keeps_its_traceback(monkeypatch, capsys):
    assert ended(wrapped(ValueError("broken")), monkeypatch) is None
    assert "ValueError: broken" in capsys.readouterr().err
