"""Puts the checkout's bundles/ and data/ into the wheel as monai_ext/share/; all else is in pyproject.toml.

An editable install needs no copy: monai_ext/resources.py then looks in the checkout.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# Named one by one, so that what a run leaves in a bundle (models/, runs/, eval/) stays out.
SHARED = (
    *("bundles/*/configs/**/*", "bundles/*/docs/**/*", "bundles/*/LICENSE", "bundles/*/large_files.yml"),
    *("data/**/*", "LICENSE-WEIGHTS"),
)


def shared_files() -> list[str]:
    found = {path.as_posix() for pattern in SHARED for path in Path().glob(pattern) if path.is_file()}
    return sorted(name for name in found if not Path(name).name.startswith("."))


class BuildWithShare(build_py):
    """build_py that also copies the shared files, and names them as sources for the sdist."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        share = Path(self.build_lib) / "monai_ext" / "share"
        shutil.rmtree(share, ignore_errors=True)  # an earlier build's, kept by setuptools in build/
        for name in shared_files():
            (share / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, share / name)

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *shared_files()]


setup(cmdclass={"build_py": BuildWithShare})
