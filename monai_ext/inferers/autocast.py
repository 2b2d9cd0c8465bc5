"""Mixed precision on any device: MONAI's trainer knows autocast on CUDA only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.apps.utils import get_logger
from monai.inferers import SimpleInferer
from torch import Tensor

from monai_ext.engines.devices import has_bfloat16

logger = get_logger(__name__)  # of MONAI, since it is shown in a plain run


class AutocastInferer(SimpleInferer):
    """Run the network in bfloat16 where the device of its inputs has instructions for it, else in float32.

    bfloat16 needs no gradient scaling, and a CPU with its instructions trains about 1.5 times as fast; without them it
    would take eleven times as long, see :func:`monai_ext.engines.devices.has_bfloat16`. The log says once which of the
    two it is.

    Args:
        enabled: False runs the network as it is.
    """

    def __init__(self, enabled: bool = True) -> None:
        super().__init__()
        self.enabled = enabled
        self._mixed: dict[torch.device, bool] = {}

    def __call__(
        self, inputs: Tensor | Mapping[str, Any], network: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """The network's result for `inputs`, a tensor or the prepared batch of a training task."""
        tensors = [inputs] if isinstance(inputs, Tensor) else inputs.values()
        device = next(one.device for one in tensors if isinstance(one, Tensor))
        with torch.autocast(device.type, torch.bfloat16, enabled=self._mixes(device)):
            return super().__call__(inputs, network, *args, **kwargs)  # type: ignore[arg-type]

    def _mixes(self, device: torch.device) -> bool:
        if device not in self._mixed:
            self._mixed[device] = self.enabled and has_bfloat16(device)
            why = (
                "" if self._mixed[device] or not self.enabled else f" (no bfloat16 instructions on {device})"
            )
            logger.info(f"precision: {'bfloat16' if self._mixed[device] else 'float32'}{why}")
        return self._mixed[device]
