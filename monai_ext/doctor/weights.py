"""The weights of the registry: embedded ones and fetched ones are verified by their hashes."""

from __future__ import annotations

from collections.abc import Iterator

from monai_ext.doctor.finding import Finding
from monai_ext.errors import WeightsError
from monai_ext.weights import store
from monai_ext.weights.load import weights_file
from monai_ext.weights.registry import Entry, read_registry


def weights_findings() -> Iterator[Finding]:
    """One finding for each entry of the registry; nothing is downloaded or converted."""
    try:
        entries = read_registry()
    except WeightsError as error:
        yield Finding("weights", "registry", "damaged", str(error), "install monai_ext again")
        return
    for name, entry in entries.items():
        yield _embedded(name, entry) if entry.source == "embedded" else _public(name, entry)


def _embedded(name: str, entry: Entry) -> Finding:
    try:
        weights_file(name)
    except WeightsError as error:
        values = {"where": "embedded", "verified": False, "licence": entry.licence}
        return Finding("weights", name, "damaged", str(error), "install monai_ext again", values)
    values = {"where": "embedded", "verified": True, "licence": entry.licence}
    return Finding("weights", name, "ok", f"embedded, verified; licence: {entry.licence}", "", values)


def _public(name: str, entry: Entry) -> Finding:
    values = {"where": "not fetched", "verified": False, "licence": entry.licence}
    if not store.fetched_file(name, entry).is_file():
        return Finding("weights", name, "note", f"not fetched; licence: {entry.licence}", "", values)
    values["where"] = "fetched"
    try:
        store.verify(name, entry)
    except WeightsError as error:
        return Finding("weights", name, "mend", str(error), f"monai-ext weights fetch {name}", values)
    values["verified"] = True
    return Finding("weights", name, "ok", f"fetched, verified; licence: {entry.licence}", "", values)
