"""Write a complete bundle to a folder of its own, with its weights, for every tool that takes MONAI bundles."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from monai_ext.bundle.catalog import INFERENCE
from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.bundle.runner import unwrapped
from monai_ext.errors import InputError
from monai_ext.files import check_empty, whole_folder
from monai_ext.resources import resource_path
from monai_ext.weights.load import load_into
from monai_ext.weights.registry import MODEL, ORIGIN, read_registry, weights_names

if TYPE_CHECKING:
    from torch import nn

LICENCE = "LICENSE-WEIGHTS"


def export(name: str | Path, folder: str | Path, trust: bool = False) -> Path:
    """Copy a bundle and add ``models/model.pt``, the state dict of its network with its weights loaded.

    ``models/weights.json`` beside it keeps what the registry says of these weights, and ``inference.json`` states that
    the bundle has weights of its own (``loaded#own``), so that it is refused without them. The folder appears whole, under
    a temporary name first.

    Args:
        name: of a bundle, or its folder.
        folder: new, or empty.
        trust: build the network of a bundle from elsewhere without :func:`monai_ext.bundle.check.check_bundle`.

    Returns:
        the folder, absolute.

    Raises:
        InputError: unknown bundle, or the check finds something in it; the folder holds something or cannot be
            written.
        WeightsError: when the weights cannot be loaded.
    """
    bundle = find_trusted_bundle(name, trust=trust)
    target = Path(folder).expanduser().absolute()
    check_empty(target)

    from monai.bundle import ConfigParser

    with unwrapped():
        parser = ConfigParser()
        parser.read_config(bundle / INFERENCE)
        weights = parser.get_parsed_content("weights")
        network = parser.get_parsed_content("network_def")
        record = load_into(network, weights, bundle)
    return write_bundle(bundle, network, weights, record, target)


def write_bundle(
    bundle: Path,
    network: nn.Module,
    weights: str | Mapping[str, str],
    record: Mapping[str, str],
    target: Path,
    describe: Callable[[Path], None] | None = None,
) -> Path:
    """Write the configuration of a bundle with the weights of its network; the folder appears whole.

    Args:
        bundle: its folder.
        network: with the weights to write.
        weights: what they are made of, by the registry: their licence is passed on.
        record: what ``models/weights.json`` says of them.
        target: new, or empty.
        describe: changes files in the folder before it appears.

    Returns:
        the folder.

    Raises:
        InputError: when it holds something or cannot be written.
    """
    import torch

    check_empty(target)
    try:
        with whole_folder(target) as whole:
            skipped = shutil.ignore_patterns("models", "__pycache__", ".*")
            shutil.copytree(bundle, whole, ignore=skipped, dirs_exist_ok=True)
            content = json.loads((whole / INFERENCE).read_text(encoding="utf-8"))
            content["loaded"]["own"] = True
            (whole / INFERENCE).write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
            (whole / MODEL).parent.mkdir()
            torch.save(network.state_dict(), whole / MODEL)
            entries = read_registry()
            if any(n in entries and entries[n].source == "embedded" for n in weights_names(weights)):
                # their licence asks to be passed on with them
                shutil.copyfile(resource_path(LICENCE, ""), whole / LICENCE)
            digest = hashlib.sha256((whole / MODEL).read_bytes()).hexdigest()
            origin = {**record, "model_sha256": digest}
            (whole / ORIGIN).write_text(json.dumps(origin, indent=4) + "\n", encoding="utf-8")
            if describe is not None:
                describe(whole)
    except OSError as error:
        raise InputError(f"{target.name}: the bundle cannot be written there ({error.strerror}).") from error
    return target
