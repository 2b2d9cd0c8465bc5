"""A complete bundle of retrained weights: the parent's configuration, with what changed in metadata and model card."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_ext.bundle.catalog import INFERENCE
from monai_ext.bundle.export import write_bundle
from monai_ext.bundle.runner import unwrapped
from monai_ext.weights.formats import read_state_dict
from monai_ext.weights.load import copy_into, load_into

METADATA, CARD, PARENT_CARD = Path("configs/metadata.json"), Path("docs/README.md"), Path("docs/parent.md")
IMAGES = Path("docs/training_images.json")
"""Hashes of all images that the bundle and its parents were retrained on."""


def write_retrained(
    parent: Path,
    module: str | None,
    model: Path,
    target: Path,
    facts: Mapping[str, Any],
    card: str,
    version: str | None = None,
) -> Path:
    """Write the bundle of a training beside others; the parent stays as it is.

    Args:
        parent: folder of the bundle that was trained.
        module: of its network that the training trained, None for all of it; the other modules keep their weights.
        model: state dict of the training.
        target: new folder.
        facts: of the training, for metadata.json; among them ``summary``, one line for its changelog, and maybe
            ``images``, hashes of each, which go into a file of their own with those of the parent.
        card: text of the model card that goes before the parent's.
        version: of the new bundle; None: that of the parent, raised.

    Returns:
        the folder.

    Raises:
        InputError: when the folder holds something or cannot be written.
        WeightsError: when weights are missing or of another network.
    """
    from monai.bundle import ConfigParser

    with unwrapped():
        parser = ConfigParser()
        parser.read_config(parent / INFERENCE)
        parser.read_meta(parent / METADATA)
        weights, network = parser.get_parsed_content("weights"), parser.get_parsed_content("network_def")
        record = load_into(network, weights, parent)
        part = network if module is None else getattr(network, module)
        copy_into(part, read_state_dict(model), f"the trained {module or 'network'}")
    origin = {
        **record,
        "note": f"retrained from {record['name']}: {facts['summary']}",
        "parent_sha256": record["sha256"],
        "training_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }

    def describe(folder: Path) -> None:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        before = metadata["version"]
        metadata["version"] = version or raised(before)
        metadata["changelog"] = {metadata["version"]: facts["summary"], **metadata["changelog"]}
        metadata["parent"] = {"name": parent.name, "version": before, "weights_sha256": record["sha256"]}
        metadata["training"] = {name: fact for name, fact in facts.items() if name != "images"}
        _write_images(folder / IMAGES, facts.get("images", ()))
        (folder / METADATA).write_text(json.dumps(metadata, indent=4) + "\n", encoding="utf-8")
        if (folder / CARD).is_file():
            shutil.move(folder / CARD, folder / PARENT_CARD)
        (folder / CARD).parent.mkdir(exist_ok=True)
        (folder / CARD).write_text(card, encoding="utf-8")

    return write_bundle(parent, network, weights, origin, target, describe)


def _write_images(file: Path, images: Sequence[Mapping[str, Any]]) -> None:
    """Add images to those of the parent, each once."""
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    known = {one["sha256"]: one for one in (*before, *images)}
    if known:
        file.parent.mkdir(exist_ok=True)
        lines = ",\n".join(json.dumps(one) for one in known.values())
        file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def raised(version: str) -> str:
    """The next version: "0.1.0" gives "0.1.1"."""
    *first, last = version.split(".")
    return ".".join([*first, str(int(last) + 1)]) if last.isdigit() else f"{version}.1"
