"""Findings and the exit code that follows from them."""

from __future__ import annotations

import pytest

from monai_ext.doctor.finding import Finding, exit_code


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        (["ok", "note"], 0),
        (["ok", "mend", "note"], 2),
        (["damaged", "mend"], 3),
        (["mend", "damaged"], 3),
    ],
)
def test_damaged_weights_go_before_what_a_user_can_mend(found, code):
    assert exit_code(Finding("area", "name", status, "text") for status in found) == code
