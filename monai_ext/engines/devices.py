"""The precision in which a network runs, unless a configuration says otherwise."""

from __future__ import annotations

from typing import Any

import torch


def mixed_precision(device: torch.device | str, amp: bool | None = None) -> dict[str, Any]:
    """What MONAI's engines call ``amp`` and ``amp_kwargs``.

    Args:
        device: of the network.
        amp: whether it runs in mixed precision; None: on CUDA. A CPU is left in float32, since most are slower in
            bfloat16.

    Returns:
        ``amp``, and as ``amp_kwargs`` the arguments of :class:`torch.autocast`: bfloat16 where the card has it, else
        autocast's own float16.
    """
    mixed = torch.device(device).type == "cuda" if amp is None else amp
    bfloat16 = mixed and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return {"amp": mixed, "amp_kwargs": {"dtype": torch.bfloat16} if bfloat16 else {}}
