"""Made slices are kept on disk: a training that is started again reads in a moment what took minutes to draw."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from monai_ext.files import whole_file
from monai_ext.resources import home

Slices = list[dict[str, Any]]

MOST = 2 << 30
"""Bytes of all kept files; those that were used longest ago are removed first."""
DRAWN_BY = ("numpy", "scipy", "scikit-image", "torch")
"""Libraries whose versions decide on the bytes of a slice, beside the code of this folder."""

logger = logging.getLogger(__name__)


def kept_slices(make: Callable[..., Slices], *arguments: Any) -> Slices:
    """What ``make(*arguments)`` returns, made at most once on this machine.

    The file is named after the content of the arguments, the code of this folder and the versions of
    :data:`DRAWN_BY`. It lies in ``slices`` in the folder of :func:`monai_ext.resources.home`; a damaged one is made
    again, and where it cannot be written a warning says so.

    Args:
        make: a function of this folder that returns slices as :func:`monai_ext.data.labelled_slices.load_slices`
            does, all of one size and without `own`.
        arguments: numbers, texts and slices.
    """
    file = home() / "slices" / f"{make.__name__}-{_digest(make, arguments)}.safetensors"
    try:
        slices = _read(file)
    except FileNotFoundError:
        slices = None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        logger.warning(f"{file.name} is damaged ({error}); it is made again.")
        slices = None
    if slices is None:
        slices = make(*arguments)
        try:
            _write(slices, file)
            _remove_oldest(file.parent)
        except OSError as error:
            logger.warning(
                f"{file.name} cannot be kept ({error.strerror}); the next training makes it again."
            )
    return slices


def _digest(make: Callable, arguments: Sequence[Any]) -> str:
    digest = hashlib.sha256(f"{_drawn_by()} {make.__module__}.{make.__qualname__}".encode())
    for piece in _content(arguments):
        digest.update(piece)
    return digest.hexdigest()[:32]


@cache
def _drawn_by() -> str:
    """What decides on the bytes of all slices: the code of this folder, and libraries."""
    code = b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py")))
    return " ".join([hashlib.sha256(code).hexdigest(), *map(version, DRAWN_BY)])


def _content(value: Any) -> Iterator[bytes]:
    """The bytes of an argument: different ones for arguments of different content."""
    if isinstance(value, Tensor):
        yield f"tensor {value.dtype} {tuple(value.shape)} ".encode()
        yield value.contiguous().numpy().tobytes()
    elif isinstance(value, Mapping):
        yield from _content([part for item in value.items() for part in item])
    elif isinstance(value, (list, tuple)):
        yield f"{len(value)} of ".encode()
        for one in value:
            yield from _content(one)
    else:
        yield f"{json.dumps(value)} ".encode()


def _write(slices: Slices, file: Path) -> None:
    if not slices:
        return
    masks = torch.cat([one["masks"] for one in slices]).numpy()
    tensors = {
        "images": torch.stack([one["image"] for one in slices]),
        "masks": torch.from_numpy(np.packbits(masks, axis=-1)),
    }
    table = [{key: value for key, value in one.items() if key not in ("image", "masks")} for one in slices]
    text = json.dumps(table)
    with whole_file(file) as partial:
        save_file(tensors, partial, {"slices": text, "checksum": _checksum(tensors, text)})


def _read(file: Path) -> Slices:
    """The slices of a file; their images and masks share memory with it.

    Raises:
        FileNotFoundError: when there is none.
        OSError, SafetensorError, ValueError, KeyError, TypeError: when it is damaged.
    """
    if not file.is_file():
        raise FileNotFoundError(file)
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in ("images", "masks")}
    if metadata["checksum"] != _checksum(tensors, metadata["slices"]):
        raise ValueError("its checksum is another one")
    os.utime(file)  # used now
    images, table = tensors["images"], json.loads(metadata["slices"])
    width = images.shape[-1]
    masks = torch.from_numpy(np.unpackbits(tensors["masks"].numpy(), axis=-1, count=width))
    each = masks.split([len(one["targets"]) for one in table])
    return [
        {"image": image, "masks": own, **one} for image, own, one in zip(images, each, table, strict=True)
    ]


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    value = crc32(text.encode())
    for name in sorted(tensors):
        value = crc32(tensors[name].numpy().tobytes(), value)
    return str(value)


def _remove_oldest(folder: Path) -> None:
    """Keep the files used last, as many as :data:`MOST` bytes hold."""
    total = 0
    files = {file: file.stat() for file in folder.glob("*.safetensors")}
    for file, state in sorted(files.items(), key=lambda item: item[1].st_mtime_ns, reverse=True):
        total += state.st_size
        if total > MOST:
            file.unlink(missing_ok=True)
