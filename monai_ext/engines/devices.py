"""The device on which a network runs, and the precision: mixed only where that is faster than float32."""

from __future__ import annotations

from typing import Any

import torch

from monai_ext.errors import InputError

BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Instructions of x86 and ARM processors for products in bfloat16, as torch calls them."""


def checked_device(device: str | torch.device) -> torch.device:
    """A device of this machine.

    Raises:
        InputError: when it is neither a CPU nor a CUDA device that is there.
    """
    try:
        found = torch.device(device)
    except RuntimeError:
        found = None
    if found is None or found.type not in ("cpu", "cuda"):
        raise InputError(f"device {str(device)!r}: choose auto, cpu or cuda:0.")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device {str(device)!r}: this machine has {torch.cuda.device_count()} CUDA devices; choose auto or cpu."
        )
    return found


def has_bfloat16(device: str | torch.device) -> bool:
    """Whether a device multiplies in bfloat16 by instructions of its own.

    Others imitate them: a CPU of AVX2 takes eleven times as long as in float32.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.mkldnn.is_available() and bool(bfloat16_instructions())


def bfloat16_instructions() -> list[str]:
    """Those of :data:`BFLOAT16` that the processor has."""
    return [name for name in BFLOAT16 if _cpu_capabilities().get(name)]


def _cpu_capabilities() -> dict[str, Any]:
    if hasattr(torch.cpu, "get_capabilities"):
        return dict(torch.cpu.get_capabilities())
    # releases of torch before that function know of x86 only
    return {
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "amx_bf16": torch.cpu._is_amx_tile_supported(),
    }


def mixed_precision(device: str | torch.device, amp: bool | None = None) -> torch.autocast:
    """The autocast in which a network infers: bfloat16 where the device has it, else a card's float16.

    Args:
        device: of the network.
        amp: whether mixed precision is wanted where it helps; None: on CUDA, so that a CPU gives the same bytes
            whatever instructions it has.
    """
    kind, bfloat16 = torch.device(device).type, has_bfloat16(device)
    wanted = kind == "cuda" if amp is None else amp and (bfloat16 or kind == "cuda")
    return torch.autocast(kind, torch.bfloat16 if bfloat16 else None, enabled=wanted)
