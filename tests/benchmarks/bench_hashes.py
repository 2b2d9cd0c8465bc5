"""How well perceptual hashes know images again: python -m tests.benchmarks.bench_hashes DATA SET[,SET] [MOST].

Each family of sets (those joined by ",") is compared pair by pair: no two of its images should be near, if they are of
different patients. Up to MOST images of each family are changed and should stay near. For hashes of 8 and of 16
frequencies of each axis.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monai_ext.data import perceptual_hash as hashing
from monai_ext.data.datasets import SetReader, find_sets

Change = Callable[[Image.Image], Image.Image]
THRESHOLDS = {8: (2, 4, 6, 8), 16: (24, 32, 36, 40, 48)}
MOST = 50


def jpeg(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        content = io.BytesIO()
        image.save(content, "JPEG", quality=quality)
        return Image.open(content)

    return change


def scaled(factor: float) -> Change:
    return lambda image: image.resize((round(image.width * factor), round(image.height * factor)))


def brighter(factor: float) -> Change:
    return lambda image: image.point(lambda value: min(255, value * factor))


def cropped(share: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        x, y = (round(side * share / 2) for side in image.size)
        return image.crop((x, y, image.width - x, image.height - y))

    return change


CHANGES: dict[str, Change] = {
    "JPEG, quality 75": jpeg(75),
    "JPEG, quality 30": jpeg(30),
    "half the size": scaled(0.5),
    "a third of the size": scaled(0.33),
    "256 x 256": lambda image: image.resize((256, 256)),
    "darker by 20 %": brighter(0.8),
    "brighter by 25 %": brighter(1.25),
    "brighter by 50 %": brighter(1.5),
    "gamma 0.8": lambda image: image.point(lambda value: 255 * (value / 255) ** 0.8),
    "cropped by 1 %": cropped(0.01),
    "cropped by 2 %": cropped(0.02),
    "cropped by 3 %": cropped(0.03),
    "cropped by 5 %": cropped(0.05),
}


def bits(image: Image.Image, frequencies: int) -> np.ndarray:
    """The bits of the hash of an image, of so many frequencies of each axis."""
    hashing.FREQUENCIES = frequencies
    grey = torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float64).mean(2))
    return np.unpackbits(np.frombuffer(bytes.fromhex(hashing.perceptual_hash(grey)), np.uint8))


def images(data: Path, names: Sequence[str]) -> list[Path]:
    """All pictures of the lists of some sets, each once."""
    readers = map(SetReader, find_sets(data, names))
    return sorted(
        {
            Path(item["image"])
            for reader in readers
            for name in reader.lists
            for item in reader.items(name, {})
        }
    )


def main(data: str, names: str, most: str = str(MOST)) -> None:
    found: dict[int, list[np.ndarray]] = {frequencies: [] for frequencies in THRESHOLDS}
    moved: dict[int, dict[str, list[int]]] = {
        frequencies: {name: [] for name in CHANGES} for frequencies in THRESHOLDS
    }
    files = images(Path(data), names.split(","))
    for number, file in enumerate(files):
        image = Image.open(file).convert("RGB")
        for frequencies in THRESHOLDS:
            found[frequencies].append(bits(image, frequencies))
        for name, change in CHANGES.items() if number < int(most) else ():
            changed = change(image)
            for frequencies in THRESHOLDS:
                moved[frequencies][name].append(
                    int((bits(changed, frequencies) != found[frequencies][-1]).sum())
                )
    for frequencies, levels in THRESHOLDS.items():
        one = np.array(found[frequencies], dtype=np.int64)
        pairs = np.sort(_distances(one)[np.triu_indices(len(one), 1)])
        counts = {level: int((pairs <= level).sum()) for level in levels}
        print(
            f"{names}: {len(files)} images, {frequencies**2} bits: nearest pairs {pairs[:5].tolist()}, pairs within {counts}"
        )
        for name, bits_of in moved[frequencies].items():
            rates = {level: round(float((np.array(bits_of) <= level).mean()), 3) for level in levels}
            print(f"  {name}: near {rates}, farthest {max(bits_of)} of {len(bits_of)}")


def _distances(one: np.ndarray) -> np.ndarray:
    """(N, N) numbers of different bits, of N rows."""
    ones = one.sum(1)
    return ones[:, None] + ones[None] - 2 * (one @ one.T)


if __name__ == "__main__":
    main(*sys.argv[1:])
