"""Turn a trained state dict into embedded weights: ``python -m monai_ext.weights.embed MODEL.pt NAME``.

Floating-point tensors become float16, integer buffers are kept. The same state dict gives the same bytes. The file,
and its size and hash in the registry, are written whole or not at all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from monai_ext.errors import WeightsError
from monai_ext.files import whole_file
from monai_ext.weights.formats import as_float16, read_state_dict
from monai_ext.weights.registry import REGISTRY, embedded_file, registered


def embed(model: str | Path, name: str, registry: str | Path | None = None) -> Path:
    """Write ``embedded/<file>`` of the entry `name` from the state dict in the file `model`.

    Args:
        model: written by ``torch.save(network.state_dict(), model)``.
        name: an entry of the registry, whose size and hash are updated.
        registry: path of another registry.json; the package's own if None.

    Returns:
        the safetensors file.

    Raises:
        WeightsError: when the name is unknown, the model is unreadable, or float16 cannot hold its values.
    """
    from safetensors.torch import save

    registry = REGISTRY if registry is None else Path(registry)
    entry = registered(name, registry)
    content = save(as_float16(read_state_dict(model), Path(model).name))
    target = embedded_file(entry, registry)
    with whole_file(target) as path:
        path.write_bytes(content)
    entries = json.loads(registry.read_text(encoding="utf-8"))
    entries[name].update(size=len(content), sha256=hashlib.sha256(content).hexdigest())
    with whole_file(registry) as path:
        path.write_text(json.dumps(entries, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m monai_ext.weights.embed", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("model", help="state dict, written by torch.save")
    parser.add_argument("name", help="entry of monai_ext/weights/registry.json")
    options = parser.parse_args(argv)
    try:
        target = embed(options.model, options.name)
    except WeightsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"embedded/{target.name}: {target.stat().st_size / 1e6:.2f} MB, registered as {options.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
