"""Ratios of the embedded text-prompted segmenter on this machine; `make bench` prints them.

Every ratio compares two things measured in turn in one process, so that it holds on a slow or busy machine;
the median over the rounds is shown.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from monai.data import MetaTensor

import monai_ext
from monai_ext.inferers import PromptInferer
from monai_ext.networks.vlsm import VLSM
from tests.benchmarks.rounds import ROUNDS, ratio, show
from tests.networks.embedded import embedded_network

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "samples" / "breast_ultrasound.png"
PROMPTS = [
    *("lungs", "left lung", "right lung", "liver", "spleen", "pancreas", "left kidney", "right kidney"),
    *("tumour in a breast ultrasound", "polyp"),
]


def prompts(network: VLSM) -> None:
    image = torch.rand(1, 3, 512, 512)
    ten, one = PromptInferer(PROMPTS), PromptInferer(PROMPTS[:1])
    # calls of some 30 ms vary too much for the usual rounds
    values = ratio(lambda: ten(image, network), lambda: one(image, network), rounds=5 * ROUNDS)
    show("ten prompts / one prompt, network alone, 512 x 512", values, "<= 2")
    segmenter = monai_ext.load("vlsm", device="cpu")
    values = ratio(
        lambda: segmenter.segment(SAMPLE, PROMPTS),
        lambda: segmenter.segment(SAMPLE, PROMPTS[:1]),
        rounds=5 * ROUNDS,
    )
    show("ten prompts / one prompt, file to masks in memory", values, "<= 2")


def slices(network: VLSM) -> None:
    volume = MetaTensor(torch.rand(1, 3, 256, 256, 64), torch.diag(torch.tensor([1.0, 1.0, 3.0, 1.0])))
    pictures = [volume[..., k].as_tensor().contiguous() for k in range(64)]
    inferer = PromptInferer("liver")

    def singly() -> None:
        for picture in pictures:
            inferer(picture, network)

    show("64-slice volume / 64 pictures, 256 x 256", ratio(lambda: inferer(volume, network), singly), "<= .9")


def command(network: VLSM) -> None:
    image = torch.rand(1, 3, 512, 512)
    inferer = PromptInferer("tumour in a breast ultrasound")
    with tempfile.TemporaryDirectory() as folder:

        def whole() -> None:
            words = [
                "segment",
                str(SAMPLE),
                "-p",
                "tumour in a breast ultrasound",
                "-o",
                folder,
                "--quiet",
                "--no-resume",
            ]
            subprocess.run([sys.executable, "-m", "monai_ext.cli.main", *words], check=True)

        values = ratio(whole, lambda: inferer(image, network))
        inside = json.loads((Path(folder) / "report.json").read_text())["seconds"]
    show("whole command / network, one 512 x 512 picture", values, f"reported ({inside} s after imports)")


def main() -> None:
    network = embedded_network("vlsm")
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, CPU, median of at least {ROUNDS} rounds"
    )
    for part in (prompts, slices, command):
        part(network)


if __name__ == "__main__":
    main()
