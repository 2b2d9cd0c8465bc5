"""An image is known again after it was saved anew, resized or brightened, and others are not taken for it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import idctn

from monai_ext.data.perceptual_hash import NEAR, hash_distance, perceptual_hash, volume_hashes


def textured(seed: int, height: int = 240, width: int = 320) -> Image.Image:
    """Smooth noise, as varied as a photograph."""
    coarse = np.random.default_rng(seed).integers(20, 200, (24, 32), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def hashed(image: Image.Image) -> str:
    return perceptual_hash(torch.from_numpy(np.asarray(image, dtype=np.float32)))


def saved(image: Image.Image, quality: int) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(content)


def cropped(image: Image.Image, share: float) -> Image.Image:
    x, y = (round(side * share / 2) for side in image.size)
    return image.crop((x, y, image.width - x, image.height - y))


CHANGED = {
    "jpeg": lambda image: saved(image, 30),
    "half": lambda image: image.resize((160, 120)),
    "squashed": lambda image: image.resize((256, 256)),
    "darker": lambda image: image.point(lambda value: value * 0.8),
    "brighter": lambda image: image.point(lambda value: value + 40),
    "cropped": lambda image: cropped(image, 0.01),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_an_image_that_was_changed_a_little_is_near(change):
    before = hashed(textured(1))
    assert hash_distance(before, [hashed(change(textured(1)))])[0] <= NEAR


def test_other_images_and_one_on_its_side_are_far():
    others = [hashed(textured(seed)) for seed in range(2, 12)]
    others += [hashed(textured(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
    assert hash_distance(hashed(textured(1)), others).min() > 2 * NEAR


def test_a_bit_is_one_of_the_low_frequencies_above_their_median():
    spectrum = np.zeros((64, 64))
    spectrum[0, :] = spectrum[:, 0] = spectrum[17, 3] = (
        900.0  # brightness, a gradient of light, and what is too fine
    )
    ranks = np.random.default_rng(0).permutation(256).reshape(16, 16)
    spectrum[1:17, 1:17] = ranks - 100.0
    found = perceptual_hash(torch.from_numpy(idctn(spectrum, norm="ortho")))
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(found), np.uint8)).reshape(16, 16)
    assert np.array_equal(bits, ranks > 127)


def test_distances_are_numbers_of_bits():
    assert hash_distance("00" * 32, ["00" * 32, "ff" * 32, "01" + "00" * 31]).tolist() == [0, 256, 1]
    assert hash_distance("00" * 32, []).tolist() == []


def test_a_volume_has_the_hash_of_its_middle_slice_along_each_axis():
    volume = torch.rand(1, 20, 30, 41, generator=torch.Generator().manual_seed(0))
    grey = volume[0]
    assert volume_hashes(volume) == [
        perceptual_hash(plane) for plane in (grey[10], grey[:, 15], grey[:, :, 20])
    ]
    assert len(volume_hashes(volume[..., :1])) == 1  # one slice: two of the planes are lines
    colours = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    assert volume_hashes(colours) == [perceptual_hash(colours.double().mean(0))]
