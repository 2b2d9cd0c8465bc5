"""MONAI Label: bundles are served, retrained from the labels that are saved there, and the next case is chosen.

    mkdir -p APP/model
    echo 'from monai_ext.apps.label import LabelApp' > APP/main.py
    monai-ext bundles export vlsm APP/model/vlsm
    monailabel start_server --app APP --studies STUDIES --host 127.0.0.1

``monai-ext label vlsm --studies STUDIES -o APP`` does all of it. The environment is one of its own, see ``make label``;
what does not speak to MONAI Label itself can be imported without it.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """:class:`LabelApp`, which the ``main.py`` of an application imports from here."""
    if name == "LabelApp":
        from monai_ext.apps.label.app import LabelApp

        return LabelApp
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
