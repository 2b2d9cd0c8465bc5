"""Paths of the data files that come with the package."""

from __future__ import annotations

from pathlib import Path

from monai_ext.errors import InputError

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
