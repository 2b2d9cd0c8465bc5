"""What a client may choose of a training, and by what a training is known again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from monai_ext.apps.label.contents import content_hash
from monai_ext.bundle.configs import INFERENCE, read_configs
from monai_ext.bundle.runner import AUTO
from monai_ext.data.making import Source
from monai_ext.errors import InputError, check_choice
from monai_ext.studies.train import PRESETS
from monai_ext.weights.registry import MODEL


@dataclass(frozen=True)
class TrainingOptions:
    """What a client may choose; the field names are those of the request.

    Attributes:
        preset, epochs, minutes, keep, device, training: see :class:`monai_ext.studies.train.TrainingRequest`; 0 epochs or
            minutes are those of the preset.
        modality: of the images, where the files do not state it.
        group: see :class:`monai_ext.data.making.Wishes`.
        settings: values of the configuration by id; numbers, true and false.
    """

    preset: str = "quick"
    epochs: int = 0
    minutes: float = 0.0
    keep: bool = True
    device: str = AUTO
    training: str = ""
    modality: str = ""
    group: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, request: Mapping[str, Any], defaults: Mapping[str, Any]) -> TrainingOptions:
        """The options of a request, which come before `defaults`; of a list of choices the first is taken.

        Raises:
            InputError: when a value is of another type or out of its range.
        """
        values: dict[str, Any] = {}
        for name, standard in asdict(cls()).items():
            value = request.get(name, defaults.get(name, standard))
            value = value[0] if isinstance(value, list) and value else value
            value = float(value) if isinstance(standard, float) and type(value) is int else value
            if type(value) is not type(standard):
                raise InputError(f"{name} is {value!r}; {type(standard).__name__} is needed.")
            values[name] = value
        options = cls(**values)
        check_choice("preset", options.preset, PRESETS)
        if (
            options.epochs < 0
            or not 0 <= options.minutes < float("inf")
            or (options.epochs and options.minutes)
        ):
            raise InputError(
                f"epochs {options.epochs}, minutes {options.minutes:g}: give one of them, above 0; 0 leaves it to the preset."
            )
        for name, value in options.settings.items():
            if not isinstance(value, (bool, int, float)):  # text could be code, to MONAI
                raise InputError(f"settings: {name} is {value!r}; numbers, true and false can be set here.")
        return options


def run_name(bundle: Path, source: Source, options: TrainingOptions) -> str:
    """The same for the same weights, images, labels and options: such a run goes on where it was stopped."""
    own = read_configs(bundle, [INFERENCE])
    cases = [
        [
            case.name,
            case.group,
            *map(content_hash, case.images),
            *[[content_hash(mask.file), dict(mask.names)] for mask in case.masks],
        ]
        for case in source.cases
    ]
    what = [content_hash(bundle / MODEL), own, cases, {**asdict(options), "device": None}]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
