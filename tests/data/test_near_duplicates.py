"""Near-duplicates are found among many images, and images that share no more than their outline are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import zoom

from monai_ext.data.near_duplicates import NEAR_CENTRE, ROWS, groups_of, look_of, near_pairs
from monai_ext.data.perceptual_hash import NEAR
from monai_ext.io.read_image import load_image

PICTURE = np.eye(4)


def textured(seed: int, shape: tuple[int, ...] = (120, 160)) -> np.ndarray:
    """(1, H, W) smooth noise."""
    coarse = np.random.default_rng(seed).integers(20, 200, (24, 32)).astype(np.float32)
    return zoom(coarse, (shape[0] / 24, shape[1] / 32), order=1)[None]


def look(image: np.ndarray) -> tuple[str, ...]:
    return look_of(image, PICTURE)


def hashes(*differing: int) -> tuple[str, ...]:
    """Hashes that differ in so many bits each from those of ``hashes(0, 0)``."""
    return tuple(f"{(1 << count) - 1:064x}" for count in differing)


@pytest.mark.parametrize(
    ("differing", "bits"),
    [
        ((NEAR, NEAR_CENTRE), [NEAR]),
        ((NEAR + 1, 0), []),
        ((0, NEAR_CENTRE + 1), []),
        ((3, 4, 5, NEAR_CENTRE, 0, 0), [5]),
        ((0, 0, NEAR + 1, 0, 0, 0), []),
        ((NEAR, 0, 0, 0, 0, NEAR_CENTRE + 1), []),
    ],
)
def test_every_hash_has_to_be_near_and_that_of_a_middle_may_differ_more(differing, bits):
    found = near_pairs([hashes(*[0] * len(differing)), hashes(*differing)])
    assert [pair.bits for pair in found] == bits


def test_images_with_other_numbers_of_hashes_and_those_without_are_not_compared():
    assert near_pairs([hashes(0, 0), hashes(0, 0, 0, 0, 0, 0), (), ()]) == []
    assert near_pairs([]) == []


def test_pairs_have_the_numbers_of_their_images_in_any_block_of_rows():
    random = np.random.default_rng(0)
    looks: list[tuple[str, ...]] = [
        (random.bytes(32).hex(), random.bytes(32).hex()) for _ in range(2 * ROWS + 5)
    ]
    looks[1] = ()  # numbers are those of all images
    for first, second in ((3, 4), (7, ROWS + 1), (ROWS + 9, 2 * ROWS + 4)):
        looks[second] = looks[first]
    assert near_pairs(looks) == [(3, 4, 0), (7, ROWS + 1, 0), (ROWS + 9, 2 * ROWS + 4, 0)]


def test_groups_are_what_pairs_join_directly_or_over_others():
    assert groups_of([(0, 4), (4, 2), (5, 6)], 8) == [[0, 2, 4], [5, 6]]
    assert groups_of([], 3) == [] and groups_of([], 0) == []


def test_a_picture_that_was_saved_anew_is_near_and_others_are_not(tmp_path):
    Image.fromarray(textured(1)[0].astype(np.uint8)).resize((80, 60)).save(tmp_path / "a.jpg", quality=60)
    saved, _ = load_image([tmp_path / "a.jpg"])
    colours = np.repeat(textured(1), 3, axis=0) * 1.1
    looks = [look(image) for image in (textured(1), saved, textured(2), colours, textured(1)[:, ::-1])]
    assert [pair[:2] for pair in near_pairs(looks)] == [(0, 1), (0, 3), (1, 3)]


def test_two_images_in_one_round_surround_are_told_apart_by_their_middle():
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    disc = ((x - 0.07) ** 2 + (y + 0.11) ** 2 < 0.7) * 200.0 + (x - 0.3) ** 3 * 20 - y**2 * 9

    def eye(seed: int) -> np.ndarray:
        return (disc - (disc > 100) * 0.05 * textured(seed, (128, 128)))[None][0]

    looks = [look(eye(seed)) for seed in range(6)]
    assert len(near_pairs([(whole, whole) for whole, _ in looks])) == 15  # of their outline all are the same
    assert near_pairs(looks) == []


def test_a_volume_is_known_in_any_order_of_its_axes():
    volume = np.random.default_rng(0).random((1, 20, 30, 41), np.float32)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    turned = np.moveaxis(volume, 3, 1)[:, ::-1]  # S to I, R, A
    turned_affine = np.array([[0, 1, 0, 0], [0, 0, 2, 0], [-3, 0, 0, 120], [0, 0, 0, 1]], float)
    one, other = look_of(volume, affine), look_of(turned, turned_affine)
    assert len(one) == 6 and near_pairs([one, other])[0][:2] == (0, 1)
    assert near_pairs([one, look_of(turned, affine)]) == []


def test_an_image_that_is_the_same_everywhere_looks_like_none():
    assert look(np.full((3, 9, 9), 7.0)) == ()
    assert len(look(textured(0)[:, :2, :2])) == 2  # of the smallest images that are read
