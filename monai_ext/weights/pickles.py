"""Read the tensors of files that torch.save and torch.jit.save wrote, without running anything in them.

``torch.load(weights_only=True)`` refuses a whole file when one object in it is no tensor, such as the optimizer in
SAM-Med2D's. This reader takes the tensors and ignores the rest: Python's unpickler walks the file, but every name that it
looks up becomes an inert class that only stores its arguments. Nothing is imported by name, so no code can run. The
classes are made anew for each file, since a pickle may also write to the objects it looks up.

A TorchScript archive is a program: torch.jit.load runs its ``__setstate__`` methods. Here only its ``data.pkl`` is
read in the same way, and the names of parameters and buffers are taken from the source text in the archive.
"""

from __future__ import annotations

import ast
import io
import pickle
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from monai_ext.errors import WeightsError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MAGIC = 0x1950A86A20F9469CFC6C
"""First object of a file of torch.save before 1.6, or with _use_new_zipfile_serialization=False."""
STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}


class _Storage:
    """Bytes of the file that views share: `key` names them, and a legacy view of them begins at `start`."""

    def __init__(self, kind: str, key: str, numel: int, start: int = 0) -> None:
        self.kind, self.key, self.numel, self.start = kind, key, numel, start


class _View:
    """The arguments of torch._utils._rebuild_tensor_v2: a tensor that is still in the file."""

    def __init__(self, storage: Any, offset: int, size: Any, stride: Any, *_rest: Any) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, tuple(size), tuple(stride)


class _Parameter:
    """torch._utils._rebuild_parameter: its first argument is the tensor."""

    def __new__(cls, data: Any, *_rest: Any) -> Any:
        return data


class _Opaque:
    """Stands for any other object. It accepts all that a pickle does to objects, and does nothing."""

    qualified = ""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _Opaque:
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *_args: Any, **_kwargs: Any) -> _Opaque:
        return _Opaque()

    def __setitem__(self, _key: Any, _value: Any) -> None:
        pass

    def append(self, _value: Any) -> None:
        pass

    def extend(self, _values: Any) -> None:
        pass

    add = append


class _Reader(pickle._Unpickler):
    """An unpickler that imports nothing.

    It is the unpickler of the standard library that is written in Python: the one in C reserves memory for any memo index
    in a pickle, so that a single byte can make it ask for 64 GB.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="utf-8")
        self.kinds: dict[str, str] = {}
        """The type of every storage in the file by its key, also of those that no tensor uses."""
        self._found: dict[str, type] = {
            "torch._utils._rebuild_tensor": type("View", (_View,), {}),
            "torch._utils._rebuild_parameter": type("Parameter", (_Parameter,), {}),
            "collections.OrderedDict": type("Dict", (dict,), {}),
        }
        self._found["torch._utils._rebuild_tensor_v2"] = self._found["torch._utils._rebuild_tensor"]

    def find_class(self, module: str, name: str) -> type:
        qualified = f"{module}.{name}"
        if qualified not in self._found:
            self._found[qualified] = type("Opaque", (_Opaque,), {"qualified": qualified})
        return self._found[qualified]

    def persistent_load(self, pid: Any) -> Any:
        kind, *rest = pid
        if kind == "module":  # legacy: a class with its source text
            return rest[0]
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown {kind!r}")
        storage_type, key, _location, numel, *view = rest
        name = str(getattr(storage_type, "qualified", "")).removeprefix("torch.")
        self.kinds[str(key)] = name
        start = view[0][1] if view and view[0] is not None else 0
        return _Storage(name, str(key), numel, start)


def read_checkpoint(path: str | Path, keys: tuple[str, ...] = ("model", "state_dict")) -> dict[str, Tensor]:
    """The tensors of a training checkpoint, such as ``{"model": …, "optimizer": …}``.

    Args:
        path: written by torch.save, in the zip format or the one before it.
        keys: names under which the state dict may be, in order of preference; without any of them the file itself is a
            state dict.

    Returns:
        tensors by name, on the CPU, of their own memory.

    Raises:
        WeightsError: when the file is missing or damaged, or holds no dict of tensors.
    """
    path = Path(path)
    with _ErrorsInOneLine(path):
        if zipfile.is_zipfile(path):
            with _Archive(path) as archive:
                reader = _Reader(io.BytesIO(archive.read("data.pkl")))
                views = _state_dict(reader.load(), keys, path.name)
                return _tensors(views, lambda key: archive.read(f"data/{key}"))
        with path.open("rb") as file:
            return _read_legacy(file, keys, path.name)


def read_torchscript(path: str | Path) -> dict[str, Tensor]:
    """Parameters and buffers of a TorchScript archive, named as in ``torch.jit.load(path).state_dict()``.

    Args:
        path: written by torch.jit.save.

    Returns:
        tensors by name, on the CPU, of their own memory, in their stored types.

    Raises:
        WeightsError: when the file is missing, damaged or no TorchScript archive.
    """
    path = Path(path)
    with _ErrorsInOneLine(path), _Archive(path) as archive:
        root = _Reader(io.BytesIO(archive.read("data.pkl"))).load()
        if not getattr(root, "qualified", "").startswith("__torch__."):
            raise WeightsError(f"{path.name}: no TorchScript archive.")
        views = dict(_attributes(root, "", archive.declared))
        return _tensors(views, lambda key: archive.read(f"data/{key}"))


class _Archive(zipfile.ZipFile):
    """A zip file of torch: its entries lie in one folder, and their checksums are verified when they are read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        pickles = [name for name in self.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise pickle.UnpicklingError("no data.pkl")
        self._folder = pickles[0].removesuffix("data.pkl")
        self._declared: dict[str, list[str]] = {}
        if f"{self._folder}byteorder" in self.namelist() and self.read("byteorder") != b"little":
            raise pickle.UnpicklingError("big-endian")

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        return super().read(f"{self._folder}{name}" if isinstance(name, str) else name, pwd)

    def declared(self, qualified: str) -> list[str]:
        """Names of the parameters and buffers of a class, from its source text, which is parsed but not run."""
        if qualified not in self._declared:
            module, name = qualified.rsplit(".", 1)
            tree = ast.parse(self.read(f"code/{module.replace('.', '/')}.py"))
            names = {
                target.id: ast.literal_eval(line.value)
                for node in tree.body
                if isinstance(node, ast.ClassDef) and node.name == name
                for line in node.body
                if isinstance(line, ast.Assign)
                for target in line.targets
                if isinstance(target, ast.Name) and target.id in ("__parameters__", "__buffers__")
            }
            self._declared[qualified] = [*names.get("__parameters__", []), *names.get("__buffers__", [])]
        return self._declared[qualified]


class _ErrorsInOneLine:
    """Turns any error of a damaged file into a WeightsError of one line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        if not self._path.is_file():
            raise WeightsError(f"{self._path.name}: no such file.")

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, WeightsError):
            raise WeightsError(
                f"{self._path.name}: damaged, or not written by torch ({type(error).__name__}); fetch it again."
            ) from error


def _read_legacy(file: BinaryIO, keys: tuple[str, ...], name: str) -> dict[str, Tensor]:
    magic, _version, system = (_Reader(file).load() for _ in range(3))
    if magic != MAGIC or system["little_endian"] is not True:
        raise pickle.UnpicklingError("no torch file of this byte order")
    reader = _Reader(file)
    views = _state_dict(reader.load(), keys, name)
    wanted = {view.storage.key for view in views.values()}
    stored: dict[str, bytes] = {}
    for key in _Reader(file).load():
        (numel,) = struct.unpack("<q", file.read(8))
        length = numel * _dtype(reader.kinds[key]).itemsize
        if key in wanted:
            stored[key] = file.read(length)
        else:
            file.seek(length, io.SEEK_CUR)
    return _tensors(views, stored.__getitem__)


def _state_dict(root: Any, keys: tuple[str, ...], name: str) -> dict[str, _View]:
    """The views under the first of `keys` in the root, or those of the root itself."""
    inner = next((root[key] for key in keys if key in root), root) if isinstance(root, Mapping) else root
    if not isinstance(inner, Mapping) or not inner:
        raise WeightsError(f"{name}: no state dict in it, neither below {' nor '.join(keys)} nor itself.")
    for key, value in inner.items():
        if not isinstance(key, str) or not isinstance(value, _View):
            raise WeightsError(f"{name}: {key!s:.80} is no tensor; only dicts of tensors are taken.")
    return dict(inner)


def _attributes(
    module: Any, prefix: str, declared: Callable[[str], list[str]]
) -> Iterator[tuple[str, _View]]:
    """Parameters and buffers of a scripted module and its submodules."""
    state = module.state
    for name in declared(module.qualified):
        if isinstance(state.get(name), _View):
            yield prefix + name, state[name]
    for name, value in state.items():
        if getattr(value, "qualified", "").startswith("__torch__.") and isinstance(value.state, Mapping):
            yield from _attributes(value, f"{prefix}{name}.", declared)


def _dtype(kind: str) -> torch.dtype:
    import torch

    if kind not in STORAGES:
        raise pickle.UnpicklingError(f"storage {kind}")
    return getattr(torch, STORAGES[kind])


def _tensors(views: Mapping[str, _View], read: Callable[[str], bytes]) -> dict[str, Tensor]:
    """Read the storages of views, each once; a tensor that is its whole storage is not copied again."""
    import torch

    users = Counter(view.storage.key for view in views.values())
    flat: dict[str, Tensor] = {}
    tensors = {}
    for name, view in views.items():
        storage = view.storage
        dtype = _dtype(storage.kind)
        if storage.key not in flat:
            content = bytearray(read(storage.key))
            flat[storage.key] = (
                torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
            )
        whole = flat[storage.key]
        if whole.dtype != dtype or (storage.start == 0 and whole.numel() < storage.numel):
            raise pickle.UnpicklingError(f"{name}: cut short")
        tensor = torch.as_strided(whole, view.size, view.stride, storage.start + view.offset)
        own = users[storage.key] == 1 and tensor.is_contiguous() and tensor.numel() == whole.numel()
        tensors[name] = tensor if own else tensor.clone(memory_format=torch.contiguous_format)
    return tensors
