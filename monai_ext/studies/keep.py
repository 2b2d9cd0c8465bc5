"""What a training does against forgetting: it shows what the parent learnt from, and meets the parent half way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from monai_ext.engines.initial_weights import initial_state
from monai_ext.files import whole_file
from monai_ext.weights.formats import read_state_dict
from monai_ext.weights.interpolate import interpolated

MEAN = "mean.pt"
"""The weights of the new bundle where those of the parent have a share in them."""
REPLAY: Mapping[str, Any] = {
    "phantoms": 20,
    "photographs": True,
    "set_weights": {"phantoms": 0.7, "textures": 0.15, "photographs": 0.15},
}
"""Made material that the embedded weights learnt from: as much of it is shown as of one new set."""
PARENT_SHARE = 0.3
"""Of the parent's weights in the mean. docs/train.md says what other shares gave."""


def mean_weights(initial: str, module: str | None, trained: Path, share: float) -> Path:
    """Write the mean of the weights that a training began with and ended with, beside the latter.

    Args:
        initial: what the training began with, see :func:`monai_ext.engines.initial_weights.initial_network`.
        module: that was trained, None for the whole network.
        trained: state dict that the training ended with.
        share: of `initial`, in [0, 1]; see :func:`monai_ext.weights.interpolate.interpolated`.

    Returns:
        the file.

    Raises:
        WeightsError: when the training did not begin with such weights.
    """
    mean = interpolated(initial_state(initial, module), read_state_dict(trained), 1 - share)
    file = trained.with_name(MEAN)
    with whole_file(file) as partial:
        torch.save(mean, partial)
    return file
