"""The estimated quality of results by itself: which of several cases is worth a look first."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from monai_ext.inferers.perturbations import Perturbations
from monai_ext.inferers.prompt import PromptInferer
from monai_ext.prompts.prompt import Prompt


def estimated_quality(
    inferer: PromptInferer,
    inputs: Tensor,
    network: Any,
    prompts: str | Sequence[str | Prompt] | None = None,
) -> list[list[float | None]]:
    """How far the results of each case agree with those in other views and words, without writing anything.

    Args:
        inferer: whose ``perturbations`` are used, enabled or not; the usual ones if it has none.
        inputs: (B, 3, ...), as the inferer takes them.
        network: a :class:`~monai_ext.networks.segmenter.TextPromptedSegmenter`, in evaluation mode.
        prompts: those of the inferer if None.

    Returns:
        for each case the quality of each prompt, in [0, 1]; None where it has no mask.

    Raises:
        InputError: as the inferer does.
    """
    perturbations = copy.copy(inferer.perturbations or Perturbations())
    perturbations.enabled = True
    result = inferer(inputs, network, prompts, perturbations=perturbations)
    return [[None if math.isnan(one) else one for one in row] for row in result.meta["quality"].tolist()]
