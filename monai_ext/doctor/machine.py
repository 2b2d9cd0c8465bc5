"""The machine: the device and what it computes, memory, and the disk."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from monai_ext.doctor.finding import Finding
from monai_ext.errors import InputError
from monai_ext.files import check_writable
from monai_ext.resources import HOME, home

LEAST_MEMORY = 10**9
"""Bytes that PyTorch, MONAI and one picture take."""
LEAST_DISK = 10**9
"""Bytes of free disk below which results or fetched weights may find no place."""
MOST_DEVIATION = 1e-2
"""Of a device's result, as a fraction of the largest value; NVIDIA's TF32 reaches 1e-3."""
MEMORY = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup/memory.max")
"""Where Linux tells the memory, and the limit of a container."""


def device_findings() -> Iterator[Finding]:
    """The processor, and each CUDA device, with how far a small convolution on it is from the exact one."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of it is missing
        yield Finding("device", "torch", "mend", f"cannot be imported: {error}", "pip install torch again")
        return
    from monai_ext.engines.devices import bfloat16_instructions

    found = bfloat16_instructions()
    cores = os.cpu_count() or 1
    text = f"{platform.machine()}, {cores} cores, bfloat16 instructions: {', '.join(found) or 'none'}"
    yield _computed("cpu", text, {"cores": cores, "bfloat16": found})
    for number in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
        except RuntimeError as error:
            yield Finding("device", f"cuda:{number}", "mend", f"does not answer: {error}", DRIVER)
            continue
        text = f"{name}, {_gigabytes(free)} of {_gigabytes(total)} free"
        yield _computed(f"cuda:{number}", text, {"model": name, "free": free, "total": total})
    if torch.backends.mps.is_available():
        yield Finding("device", "mps", "note", "Apple's GPU is there; monai_ext runs on the CPU beside it")


DRIVER = "look at the driver, or run on the processor with --device cpu"


def _computed(device: str, text: str, values: dict) -> Finding:
    """The finding of a device that is there: whether it computes what it should."""
    try:
        deviation = device_deviation(device)
    except RuntimeError as error:
        return Finding("device", device, "mend", f"{text}; it cannot compute: {error}", DRIVER, values)
    values = {**values, "deviation": deviation}
    text += f"; a convolution on it deviates by {deviation:.0e} from the exact one"
    wrong = not deviation <= MOST_DEVIATION  # NaN is wrong, too
    return Finding("device", device, "mend" if wrong else "ok", text, DRIVER if wrong else "", values)


def device_deviation(device: str) -> float:
    """The largest difference of a float32 convolution on a device from that of the CPU in float64.

    Returns:
        the difference as a fraction of the largest value; 0 where they are equal.
    """
    import torch

    draw = torch.Generator().manual_seed(0)
    image = torch.rand(1, 8, 32, 32, generator=draw) - 0.5
    kernel = torch.rand(8, 8, 3, 3, generator=draw) - 0.5
    exact = torch.nn.functional.conv2d(image.double(), kernel.double())
    found = torch.nn.functional.conv2d(image.to(device), kernel.to(device)).cpu().double()
    return float((found - exact).abs().max() / exact.abs().max())


def memory_finding() -> Finding:
    """The memory that is free; unknown where the system does not tell it."""
    free = free_memory()
    if free is None:
        return Finding("memory", "memory", "note", f"not told by {platform.system()}")
    text = f"{_gigabytes(free)} free"
    if free < LEAST_MEMORY:
        advice = f"end other programs: a run takes {_gigabytes(LEAST_MEMORY)} and more"
        return Finding("memory", "memory", "mend", text, advice, {"free": free})
    return Finding("memory", "memory", "ok", text, "", {"free": free})


def free_memory() -> int | None:
    """Bytes that this process may still take: of the machine, or of its container; None where that is not known."""
    if not MEMORY.is_file():
        return None
    lines = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines() if ":" in line)
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limit = CGROUP.read_text().strip() if CGROUP.is_file() else "max"
    return min(free, int(limit)) if limit.isdecimal() else free


def disk_findings() -> Iterator[Finding]:
    """Free disk of the working folder and of the folder that fetched weights go into, and whether that can be written."""
    yield disk_finding("working folder", Path.cwd(), "free some, or write results elsewhere with -o")
    folder = home()
    yield disk_finding(HOME, folder, f"free some, or set {HOME} to another folder")
    try:
        check_writable(folder / "weights" / "any")
    except InputError as error:
        advice = f"set {HOME} to a folder of yours"
        yield Finding("disk", f"{HOME}, writing", "mend", str(error), advice, {"folder": str(folder)})


def disk_finding(name: str, folder: Path, advice: str) -> Finding:
    """Free disk of a folder, which need not exist yet."""
    nearest = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(nearest).free
    values = {"folder": str(folder), "free": free}
    little = free < LEAST_DISK
    text = f"{_gigabytes(free)} free"
    return Finding("disk", name, "mend" if little else "ok", text, advice if little else "", values)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
