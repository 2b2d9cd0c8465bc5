"""Compressed masks are the masks they were made of."""

import numpy as np

from monai_ext.masks import CompressedMasks


def test_masks_come_back_as_they_were():
    masks = np.random.default_rng(0).random((3, 7, 9)) > 0.5
    kept = CompressedMasks.of(masks)
    assert np.array_equal(kept.masks(), masks) and kept.masks().dtype == bool
    assert CompressedMasks.of(masks[:0]).masks().shape == (0, 7, 9)
