"""The picture of entropy shows the slice that the masks are shown in, and says what it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_ext.io.volumes import SIDES_IN_DOUBT
from monai_ext.visualize.entropy import entropy_picture
from monai_ext.visualize.overlay import overlay_picture


def volume(filled: float = 0.0) -> MetaTensor:
    """(3, 8, 8, 4), axial slices of 1 x 1 mm: shown along the array axes, both turned round."""
    return MetaTensor(torch.full((3, 8, 8, 4), filled), affine=torch.diag(torch.tensor([1.0, 1, 3, 1])))


def magenta(picture) -> np.ndarray:
    """(8, 8), how magenta each voxel of the slice is drawn, on black."""
    step = picture.width // 8
    return np.asarray(picture).astype(int)[step // 2 : 8 * step : step, step // 2 :: step, 2]


def test_entropy_is_drawn_in_the_slice_of_the_masks() -> None:
    masks, entropy = (torch.zeros(1, 8, 8, 4, dtype=torch.uint8) for _ in range(2))
    masks[0, 3:6, 3:6, 2] = 1
    entropy[0, :, :, 1] = 255
    entropy[0, 0, 7, 2] = 255
    drawn = magenta(entropy_picture(volume(), entropy, masks, ["liver"], ["quality 0.90"]))
    assert drawn[0, 7] > 150  # anterior on top; x grows to the right of the patient, shown on the left
    assert drawn[7, 0] == drawn[7, 7] == drawn[0, 0] == 0


def test_without_a_mask_the_slice_of_most_entropy_is_drawn() -> None:
    entropy = torch.zeros(2, 8, 8, 4, dtype=torch.uint8)
    entropy[1, :, :, 3] = 255
    masks = torch.zeros_like(entropy)
    drawn = magenta(entropy_picture(volume(), entropy, masks, ["liver", "spleen"], ["no mask"] * 2))
    assert (drawn > 170).all()


def test_half_a_bit_is_drawn_half_as_strong() -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.uint8)
    shades = [
        magenta(
            entropy_picture(
                torch.zeros(3, 8, 8), torch.full_like(masks, level), masks, ["polyp"], ["quality 0.5"]
            )
        )
        for level in (255, 128, 0)
    ]
    assert shades[0].max() == pytest.approx(0.85 * 210, abs=1)
    assert shades[1].max() == pytest.approx(0.85 * 210 * 128 / 255, abs=1)
    assert shades[2].max() == 0


def test_contours_of_the_masks_are_drawn_over_it() -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.uint8)
    masks[0, 2:6, 2:6] = 1
    args = torch.zeros(3, 8, 8), torch.full_like(masks, 255)
    plain = np.asarray(entropy_picture(*args, torch.zeros_like(masks), ["polyp"], [""]))
    drawn = np.asarray(entropy_picture(*args, masks, ["polyp"], [""]))
    step = drawn.shape[1] // 8
    changed = (plain != drawn).any(2)[: 8 * step]
    assert changed[2 * step, 4 * step] and not changed[4 * step, 4 * step] and not changed[0, 0]


def test_the_legend_has_a_line_for_each_prompt_the_scale_and_doubts_about_sides() -> None:
    image = MetaTensor(torch.zeros(3, 8, 8), meta={"warnings": f"{SIDES_IN_DOUBT[0]}\nother"})
    masks = torch.zeros(2, 8, 8, dtype=torch.uint8)
    args = masks, masks, ["liver", "spleen"]
    doubtful = entropy_picture(image, *args, ["quality 0.91", "not asked"])
    sure = entropy_picture(image.as_tensor(), *args, ["quality 0.91", "not asked"])
    other = entropy_picture(image.as_tensor(), *args, ["quality 0.12", "not asked"])
    overlay = overlay_picture(image.as_tensor(), masks, ["liver", "spleen"], [0.5, 0.5])
    line = sure.height - overlay.height
    assert line == doubtful.height - sure.height == 24
    assert sure.tobytes() != other.tobytes()
