"""What the values of a saved label mean, in the words that it was saved with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_ext.errors import InputError


def value_names(info: Mapping[str, Any]) -> dict[str, str]:
    """The name of each label value but 0, of what MONAI Label keeps of a label; empty where it was saved without names.

    3D Slicer sends ``label_info``, a list of ``{"name": …, "idx": …}`` (in places ``id``). What this application found
    itself has ``label_names``, values by prompt, which a client sends back as parameters. Names without a value say
    nothing: their order is not taken for it.
    """
    listed = info.get("label_info")
    if isinstance(listed, list):
        pairs = [
            (one.get("idx", one.get("id")), one.get("name")) for one in listed if isinstance(one, Mapping)
        ]
        if names := _names(pairs):
            return names
    params = info.get("params")
    for holder in (info, params if isinstance(params, Mapping) else {}):
        values = holder.get("label_names")
        if isinstance(values, Mapping) and (
            names := _names([(value, name) for name, value in values.items()])
        ):
            return names
    return {}


def names_in_order(names: Sequence[str]) -> dict[str, str]:
    """The names of the values 1, 2, …"""
    return {str(number): name for number, name in enumerate(names, 1)}


def names_of_label(image: str, info: Mapping[str, Any], labels: Sequence[str]) -> dict[str, str]:
    """The names that a label was saved with, or else those of the application.

    Args:
        image: what messages call the image of the label.
        info: of the label.
        labels: what the values 1, 2, … are called in the whole application, if it says so.

    Raises:
        InputError: when neither says it.
    """
    names = value_names(info) or names_in_order(labels)
    if not names:
        raise InputError(
            f"the label of {image} was saved without names of its values; save it with label_info, as 3D Slicer does, or"
            ' start the server with --conf labels "WORDS; WORDS" for the values 1, 2, ….'
        )
    return names


def _names(pairs: Sequence[tuple[Any, Any]]) -> dict[str, str]:
    """Names by value as text; empty unless each pair is a whole number and a text."""
    found = {}
    for value, name in pairs:
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or not isinstance(name, str) or not name.strip():
            return {}
        found[str(int(text))] = " ".join(name.split())
    return {value: name for value, name in found.items() if value != "0"}
