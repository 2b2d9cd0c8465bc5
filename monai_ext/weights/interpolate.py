"""The mean of old and new weights: what a network learnt, with less forgotten of what it knew."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from monai_ext.errors import WeightsError


def interpolated(
    initial: Mapping[str, torch.Tensor], trained: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Weights on the line from those that a training began with to those that it ended with.

    Wortsman et al. 2022 (Robust fine-tuning of zero-shot models, arXiv:2109.01903, eq. 1): ``(1 - share) * initial +
    share * trained``. It is meant for a fine-tuning, whose ends are so close that the loss is low between them.

    Args:
        initial: state dict that the training began with, in any floating type.
        trained: state dict that it ended with.
        share: of the trained weights, in [0, 1].

    Returns:
        a state dict of the types of `trained`; what is not of a floating type, such as a number of batches or a
        vocabulary, is that of `trained`.

    Raises:
        WeightsError: when weights of `trained` are missing in `initial` or have another shape there.
    """
    mixed = dict(trained)
    for name, new in trained.items():
        if not torch.is_floating_point(new):
            continue
        old = initial.get(name)
        if old is None or old.shape != new.shape:
            raise WeightsError(
                f"{name} is not in the weights that the training began with, or of another shape there."
            )
        mixed[name] = torch.lerp(old.to(new), new, share)
    return mixed
