"""File formats of weights: state dicts of torch.save, and the conversion of other public files to safetensors."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_ext.errors import WeightsError
from monai_ext.files import file_sha256, whole_file
from monai_ext.weights import store
from monai_ext.weights.biomedclip_layout import to_open_clip
from monai_ext.weights.efficientnet_layout import to_timm
from monai_ext.weights.pickles import read_checkpoint, read_torchscript
from monai_ext.weights.registry import Entry

if TYPE_CHECKING:
    from torch import Tensor

SETTINGS = ("input_resolution", "context_length", "vocab_size")
"""Settings that OpenAI's archives keep among the buffers; open_clip leaves them out, too."""


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors by name in a file that ``torch.save`` wrote; no code in it is run.

    Raises:
        WeightsError: when the file is missing, damaged, holds code, or is not a dict of tensors.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path.name}: no such file.")
    try:
        if zipfile.is_zipfile(path):  # torch does not check the checksums
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    raise zipfile.BadZipFile
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise any error
        raise WeightsError(
            f"{path.name}: damaged, or it holds code, which is not run ({type(error).__name__}); "
            "save a state dict with torch.save."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path.name}: no state dict; save network.state_dict() with torch.save.")
    return dict(state)


def check_finite(state: Mapping[str, Any], description: str) -> None:
    """Refuse weights that are no numbers: a network would answer with them, and judge everything present or absent.

    Args:
        state: tensors by name; other values are passed over.
        description: what the message calls the weights, the beginning of a sentence.

    Raises:
        WeightsError: with the number of tensors that hold NaN or infinity, and the name of the first.
    """
    broken = [key for key, value in state.items() if _has_values(value) and not _is_finite(value)]
    if broken:
        count = f"{len(broken)} tensor{'s hold' if len(broken) > 1 else ' holds'}"
        first = f", the first is {broken[0]}" if len(broken) > 1 else f": {broken[0]}"
        raise WeightsError(f"{description}: {count} NaN or infinity{first}; such weights are not used.")


def _has_values(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel() > 0


def _is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite: the bounds tell, eight times as quickly as a look at each."""
    return all(bound.isfinite().item() for bound in tensor.detach().aminmax())


def without_prefix(state: Mapping[str, Tensor], prefix: str = "module.") -> dict[str, Tensor]:
    """The state dict of a network without the prefix of its wrapper, such as DistributedDataParallel.

    The names change only when all of them begin with `prefix`.
    """
    if not all(key.startswith(prefix) for key in state):
        return dict(state)
    return {key.removeprefix(prefix): value for key, value in state.items()}


def without_settings(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of an OpenAI CLIP without its settings, which are no weights."""
    return {key: value for key, value in state.items() if key not in SETTINGS}


def as_float16(state: Mapping[str, Tensor], description: str) -> dict[str, Tensor]:
    """Floating-point tensors in float16, others as they are, each contiguous with memory of its own, sorted by name.

    Args:
        state: tensors by name.
        description: what the message calls the weights.

    Raises:
        WeightsError: when a value is beyond float16 (above 65504) or not finite.
    """
    import torch

    tensors = {}
    for key, value in sorted(state.items()):
        stored = value.to(torch.float16) if value.is_floating_point() else value
        if stored.is_floating_point() and not stored.isfinite().all():
            raise WeightsError(f"{description}: {key} holds values that float16 cannot (above 65504 or NaN).")
        tensors[key] = stored.clone(memory_format=torch.contiguous_format)
    return tensors


def read_public(path: Path, loader: str) -> dict[str, Tensor]:
    """The state dict of a public file that has to be converted.

    Args:
        path: of the file, already verified.
        loader: of the registry, one of its :data:`monai_ext.weights.registry.CONVERTED`.

    Raises:
        WeightsError: when the file cannot be read by this loader; no code in it is run.
    """
    if loader == "torchscript":
        return without_settings(read_torchscript(path))
    if loader == "huggingface_clip":
        return to_open_clip(read_state_dict(path), path.name)
    if loader == "efficientnet_lite":
        return to_timm(read_state_dict(path), path.name)
    return without_prefix(read_checkpoint(path))


def converted(name: str, entry: Entry) -> Path:
    """The safetensors file made from a fetched file; it is made now if it does not exist.

    Its hash is compared with the one recorded when it was made, and that of the fetched file, as it was then, with the
    registry: where that names another one by now, the file that is there is converted anew.

    Raises:
        WeightsError: when the public file is missing, damaged or unreadable, or the safetensors file was changed or
            cannot be written.
    """
    target = store.converted_file(name)
    record = store.read_record(name)
    try:
        current = record is not None and store.refusal(name, entry, record.sha256) is None
        if record is not None and current and record.converted and target.is_file():
            if file_sha256(target) == record.converted:
                return target
            raise WeightsError(
                f"weights {name!r}: weights/{name}/{target.name} in {store.HOME} was changed since it was made;"
                " delete it, and it is made again."
            )
        record = store.verify(name, entry)
        from safetensors.torch import save_file

        public = read_public(store.fetched_file(name, entry), entry.loader)
        tensors = {key: value.contiguous() for key, value in sorted(public.items())}
        with whole_file(target) as path:
            save_file(tensors, path)
            record = store.Record(record.sha256, record.size, file_sha256(path))
        store.write_record(name, record)
    except OSError as error:
        raise WeightsError(
            f"weights {name!r}: {target.name} cannot be written ({error.strerror}); free space or set {store.HOME}."
        ) from error
    return target
