"""The commands as tests call them."""

from __future__ import annotations

from pathlib import Path

from monai_ext.cli.main import main


def segment(
    source: Path,
    out: Path,
    bundle: Path,
    *more: str,
    prompts: tuple[str, ...] = ("lungs",),
    names: str | None = "file",
) -> int:
    """Run the command; cases are called as their files, which most tests find them by, unless `names` is None."""
    asked = [word for prompt in prompts for word in ("-p", prompt)]
    called = [] if names is None else ["--names", names]
    return main(["segment", str(source), *asked, "-o", str(out), "--bundle", str(bundle), *called, *more])
