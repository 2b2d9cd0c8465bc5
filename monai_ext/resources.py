"""Where files of the package lie: those that come with it, and those that it keeps for a user."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from monai_ext.errors import InputError

HOME = "MONAI_EXT_HOME"
"""Environment variable that names the folder of what is kept; the user's cache folder if it is not set."""

_PACKAGE = Path(__file__).resolve().parent


def resource_path(name: str, kind: str = "data") -> Path:
    """The path of a file or folder that the package carries.

    Args:
        name: path below the kind's folder, with ``/``, for example ``"prompts/targets.json"``;
            ``""`` is the folder itself.
        kind: ``"data"``, ``"bundles"``, or ``""`` for ``LICENSE-WEIGHTS``, which is in neither.

    Returns:
        The existing path: in the installed package (``monai_ext/share/<kind>``) if it is there,
        else in the checkout (``<kind>`` beside the package).

    Raises:
        InputError: when neither holds it.
    """
    for root in (_PACKAGE / "share" / kind, _PACKAGE.parent / kind):
        if (root / name).exists():
            return root / name
    raise InputError(
        f"{Path(kind, name)} is not in this installation of monai_ext; install the package again."
    )


def home() -> Path:
    """The folder of fetched weights and of made training slices, which need not exist yet."""
    chosen = os.environ.get(HOME)
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        cache = "~/Library/Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "monai_ext"
