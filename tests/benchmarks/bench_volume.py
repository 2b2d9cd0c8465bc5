"""Memory and time of `monai-ext segment` on a 512 x 512 x 300 CT with five prompts; `make bench` prints them.

The command runs in a child process, which reads its own memory from the kernel (Linux): growth is the highest
resident size of the run less the resident size once everything is imported and the weights are loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F

from monai_ext.synthesis.phantom_volumes import volume

SHAPE, SPACING = (512, 512, 300), (0.7, 0.7, 1.0)
BATCH = 8  # slices per encoder call, as the bundle has it
PROMPTS = ("liver", "spleen", "left kidney", "right kidney", "pancreas")
REPEATS = 20
MB = 1e6
COARSE = 4  # the phantom is made this much smaller and enlarged


def write_ct(path: Path, shape: tuple[int, int, int]) -> Path:
    """An abdominal CT phantom with a scanner's grain as int16 HU, stored as scanners' files are (LPS)."""
    small = volume("abdominal_ct", 0, tuple(max(8, n // COARSE) for n in shape))["volume"]
    large = F.interpolate(torch.from_numpy(small)[None, None], size=shape, mode="trilinear")[0, 0]
    large += 12 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    nib.save(nib.Nifti1Image(large.round().to(torch.int16).flip(0, 1).numpy(), affine), path)
    return path


def words(source: Path, output: Path) -> list[str]:
    asked = [word for prompt in PROMPTS for word in ("-p", prompt)]
    return ["segment", str(source), *asked, "-o", str(output), "--quiet", "--no-resume", "--device", "cpu"]


def child(arguments: list[str]) -> None:
    """Run one command in this process and print its memory and times as JSON."""
    from monai.bundle import ConfigWorkflow

    from monai_ext.cli.main import main as command
    from monai_ext.networks.vlsm import VLSM

    seen = {"network": 0.0, "network_cpu": 0.0}

    def timed(method: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            start, cpu = time.perf_counter(), time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                seen["network"] += time.perf_counter() - start
                seen["network_cpu"] += time.process_time() - cpu

        return call

    def measured(flow: ConfigWorkflow) -> Any:
        Path("/proc/self/clear_refs").write_text("5")  # the highest resident size counts from here
        seen["before"], start, cpu = _status("VmRSS"), time.perf_counter(), time.process_time()
        result = run(flow)
        seen["run"], seen["run_cpu"] = time.perf_counter() - start, time.process_time() - cpu
        seen["highest"] = _status("VmHWM")
        return result

    VLSM.encode, VLSM.segment = timed(VLSM.encode), timed(VLSM.segment)  # type: ignore[method-assign]
    run, ConfigWorkflow.run = ConfigWorkflow.run, measured  # type: ignore[method-assign]
    if code := command(arguments):
        sys.exit(code)
    print(json.dumps(seen))


def _status(name: str) -> float:
    """A size of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def measure(folder: Path, shape: tuple[int, int, int]) -> dict[str, float]:
    """Bytes and seconds of one command on a volume of this shape."""
    source = write_ct(folder / f"{shape[2]}.nii.gz", shape)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, *words(source, folder / f"out{shape[2]}")], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    seen = json.loads(done.stdout.splitlines()[-1])
    voxels = float(np.prod(shape))
    return {
        **seen,
        "command": time.perf_counter() - start,
        "growth": seen["highest"] - seen["before"],
        "int16": 2 * voxels,
        "float32": 4 * voxels,
        "written": (len(PROMPTS) + 1) * voxels,
    }


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*.nii.gz"))}


def volumes(folder: Path) -> None:
    one, all_ = measure(folder, (*SHAPE[:2], BATCH)), measure(folder, SHAPE)
    # what a run needs beside its input and output: one batch, and what the first use of anything loads
    batch = max(0.0, one["growth"] - one["int16"] - one["written"])
    files = all_["int16"] + all_["written"]
    limit = 1.3 * files + batch
    print(
        f"{' x '.join(map(str, SHAPE))} CT of int16, {len(PROMPTS)} prompts, {torch.get_num_threads()} threads"
    )
    print(
        f"  input {all_['int16'] / MB:.0f} MB (int16) + output {all_['written'] / MB:.0f} MB (uint8, with label map)"
    )
    print(
        f"  one batch of {BATCH} slices: {batch / MB:.0f} MB (growth of a run of one batch, less its own files)"
    )
    print(
        f"  growth of memory {all_['growth'] / MB:.0f} MB, target <= {limit / MB:.0f} MB (1.3 x files + one batch)"
    )
    print(f"  growth less one batch, over files: {(all_['growth'] - batch) / files:.2f}, target <= 1.3")
    as_float = all_["float32"] + all_["written"]
    print(f"  the same with the input counted as float32: {(all_['growth'] - batch) / as_float:.2f}")
    outside = 1 - all_["network"] / all_["run"], 1 - all_["network"] / all_["command"]
    print(
        f"  network {all_['network']:.1f} s, run {all_['run']:.1f} s, command with imports {all_['command']:.1f} s"
    )
    print(
        f"  outside the network {outside[0]:.0%} of the run, {outside[1]:.0%} of the command, target <= 35 %"
    )
    # with one thread this is what an idle machine's clock would say
    cpu = 1 - all_["network_cpu"] / all_["run_cpu"]
    print(f"  outside the network {cpu:.0%} of the run's {all_['run_cpu']:.1f} s on all cores together")


def repeats(folder: Path) -> None:
    source, found = write_ct(folder / "repeated.nii.gz", (128, 128, 24)), []
    for number in range(REPEATS):
        output = folder / f"repeat{number}"
        command = [sys.executable, "-m", "monai_ext.cli.main", *words(source, output)]
        subprocess.run(command, check=True, capture_output=True)
        found.append(digests(output))
    same = sum(one == found[0] for one in found)
    print(f"{same} of {REPEATS} repeats of one command wrote the same bytes in {len(found[0])} files")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        volumes(Path(folder))
        repeats(Path(folder))


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if sys.argv[1:]:
        child(sys.argv[1:])
    else:
        main()
