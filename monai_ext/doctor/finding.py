"""What a check found: one line, whether it is as it should be, and what to do if it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from monai_ext.errors import InputError, WeightsError

Status = Literal["ok", "note", "mend", "damaged"]
"""As it should be; worth knowing; to be mended by the user; embedded weights that are not what the package came with."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: what it belongs to, such as "packages".
        name: of the thing, unique in its area.
        status: see :data:`Status`.
        text: what was found, the end of a line that begins with `name`.
        advice: what to do; "" where there is nothing to do.
        values: the figures in `text`, for programs, as JSON takes them.
    """

    area: str
    name: str
    status: Status
    text: str
    advice: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def exit_code(findings: Iterable[Finding]) -> int:
    """3 where embedded weights are damaged, else 2 where something is to be mended, else 0."""
    found = {one.status for one in findings}
    if "damaged" in found:
        return WeightsError.exit_code
    return InputError.exit_code if "mend" in found else 0
