"""``monai-ext doctor``: whether this installation works, a line for each finding."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from monai_ext.cli.console import reporting
from monai_ext.cli.options import Debug
from monai_ext.errors import one_line

SIGNS = {"ok": ("✓", "green"), "note": ("–", "dim"), "mend": ("✗", "red"), "damaged": ("✗", "bold red")}
"""What a line begins with, and its style."""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs and reports.")] = False,
    debug: Debug = False,
) -> None:
    """Look at versions, device, memory, disk and weights, and segment a sample image; nothing is changed.

    Exit code 0: all is well; 2: something that you can mend, with what to do; 3: embedded weights are damaged.
    """
    with reporting(debug):
        from monai_ext.doctor.examine import examine
        from monai_ext.doctor.finding import exit_code

        console, findings, area = Console(soft_wrap=True), [], ""
        for one in examine():
            findings.append(one)
            if as_json:
                continue
            if one.area != area:
                console.print(Text(area := one.area, "bold"))
            sign, style = SIGNS[one.status]
            # errors of weights say themselves what to do
            advice = f" → {one.advice}" if one.advice not in one.text else ""
            console.print(Text(f"  {sign} {one_line(f'{one.name}: {one.text}{advice}')}", style))
        code = exit_code(findings)
        if as_json:
            content = {"exit_code": code, "findings": [asdict(one) for one in findings]}
            print(json.dumps(content, indent=1, ensure_ascii=False))
        else:
            counts = Counter(one.status for one in findings)
            wrong = counts["mend"] + counts["damaged"]
            console.print(f"{wrong} of {len(findings)} to mend" if wrong else "all is well")
        raise typer.Exit(code)
