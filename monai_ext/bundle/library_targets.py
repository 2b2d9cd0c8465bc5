"""Writes library_targets.txt: the classes of MONAI, torch and ignite that a checked configuration may name.

Run ``python -m monai_ext.bundle.library_targets > monai_ext/bundle/library_targets.txt`` with another version of MONAI
and read the difference: each new name is a class that anybody's configuration may then call with any arguments.

A line is ``module: Name Name ...``, the module being where the class is defined (of torch: where it is public). The
line ``only with their module:`` lists names that also mean something else somewhere in MONAI or in monai_ext: MONAI
takes a bare name from whichever module was imported first.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from types import EllipsisType, ModuleType
from typing import Any

ROOMS = (
    *("transforms", "losses", "metrics", "inferers", "engines", "handlers", "optimizers", "data"),
    *("networks.nets", "networks.blocks", "networks.layers", "networks.schedulers"),
)
"""Packages of MONAI whose classes a configuration names. Of monai.apps, bundle, fl, utils and auto3dseg: none."""

LEFT_OUT: dict[str, set[str] | EllipsisType] = {
    # its first argument names a class or function that is looked up anywhere and called with the others
    "monai.transforms.io.array": {"LoadImage"},
    # download, or run what was downloaded
    "monai.losses.perceptual": ...,
    "monai.networks.nets.torchvision_fc": ...,
    "monai.networks.nets.milmodel": ...,
    "monai.networks.nets.transchex": ...,
    "monai.networks.blocks.text_embedding": ...,
    "monai.networks.blocks.fcn": ...,
    "ignite.metrics.gan.fid": ...,
    "ignite.metrics.gan.inception_score": ...,
    "ignite.metrics.gan.utils": ...,
    # read what an address gives, or a camera
    "monai.data.dataset": {"CSVDataset"},
    "monai.data.iterable_dataset": {"CSVIterableDataset"},
    "monai.data.video_dataset": ...,
    # send results to a server, or build and load machine code
    "monai.handlers.mlflow_handler": ...,
    "monai.handlers.clearml_handlers": ...,
    "monai.handlers.trt_handler": ...,
    "monai.networks.layers.gmm": ...,
    # take a module for pickling
    "monai.optimizers.lr_finder": ...,
}
"""Classes by their module that are not listed, ``...`` for all of a module, and why."""

IGNITE_HANDLERS = (
    *(
        "Checkpoint",
        "ModelCheckpoint",
        "DiskSaver",
        "EMAHandler",
        "EarlyStopping",
        "TerminateOnNan",
        "TimeLimit",
    ),
    *("Timer", "EpochOutputStore", "LRScheduler", "ConcatScheduler", "CosineAnnealingScheduler"),
    *("LinearCyclicalScheduler", "ParamGroupScheduler", "PiecewiseLinear", "ReduceLROnPlateauScheduler"),
)
TORCH_DATA = (
    *(
        "DataLoader",
        "Subset",
        "ConcatDataset",
        "ChainDataset",
        "StackDataset",
        "TensorDataset",
        "BatchSampler",
    ),
    *(
        "RandomSampler",
        "SequentialSampler",
        "SubsetRandomSampler",
        "WeightedRandomSampler",
        "DistributedSampler",
    ),
)


def listed() -> dict[str, list[str]]:
    """Names by module, of the installed versions."""
    import torch
    from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

    found: dict[str, list[str]] = {}
    for room in (*(f"monai.{room}" for room in ROOMS), "ignite.metrics"):
        for module in _modules(room):
            found[module.__name__] = [
                name for name, kind in _defined(module) if name[0].isupper() and _may_be_named(kind)
            ]
    found["ignite.handlers"] = list(IGNITE_HANDLERS)
    found["torch.nn"] = _kinds(torch.nn, torch.nn.Module)
    found["torch.nn.parallel"] = ["DataParallel", "DistributedDataParallel"]
    found["torch.optim"] = _kinds(torch.optim, torch.optim.Optimizer)
    found["torch.optim.lr_scheduler"] = _kinds(torch.optim.lr_scheduler, LRScheduler, ReduceLROnPlateau)
    found["torch.utils.data"] = list(TORCH_DATA)
    found["torch.utils.data.distributed"] = ["DistributedSampler"]
    found["torch.amp"] = ["GradScaler"]
    found["torch"] = ["device", "Generator"]
    return {module: sorted(names) for module, names in sorted(found.items()) if names}


def ambiguous(names: Mapping[str, Iterable[str]]) -> list[str]:
    """Names listed of MONAI that are defined in another module of MONAI or monai_ext too, where they are not listed."""
    of_monai = {name for module in names if module.startswith("monai.") for name in names[module]}
    others = set()
    for package in ("monai", "monai_ext"):
        for module in _modules(package):
            if module.__name__ not in names:
                others |= {name for name, _ in _defined(module, functions=True)}
            else:
                others |= {name for name, _ in _defined(module, functions=True)} - set(names[module.__name__])
    return sorted(of_monai & others)


def _modules(package: str) -> Iterator[ModuleType]:
    """A package and all in it that can be imported."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=lambda _name: None):
        try:
            yield importlib.import_module(found.name)
        except Exception:
            continue


def _defined(module: ModuleType, functions: bool = False) -> Iterator[tuple[str, Any]]:
    """Classes, or functions too, that a module defines itself, by all their names in it."""
    for name, member in inspect.getmembers(module):
        if (inspect.isclass(member) or (functions and inspect.isfunction(member))) and (
            member.__module__ == module.__name__
        ):
            yield name, member


def _may_be_named(kind: type) -> bool:
    left_out = LEFT_OUT.get(kind.__module__, set())
    if left_out is ... or kind.__name__ in left_out:
        return False
    try:
        pretrained = inspect.signature(kind).parameters.get("pretrained")
    except ValueError:  # built in
        return True
    return pretrained is None or not pretrained.default  # else it downloads by default


def _kinds(module: ModuleType, *bases: type) -> list[str]:
    return [
        name
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, bases) and not name.startswith("_")
    ]


def text() -> str:
    """The content of library_targets.txt."""
    import ignite
    import monai
    import torch

    names = listed()
    versions = (
        f"monai {monai.__version__}, torch {torch.__version__.split('+')[0]}, ignite {ignite.__version__}"
    )
    lines = [f"{module}: {' '.join(found)}" for module, found in names.items()]
    return (
        "\n".join([f"# {versions}", f"only with their module: {' '.join(ambiguous(names))}", *lines]) + "\n"
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(text(), end="")
