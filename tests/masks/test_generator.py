"""Segment everything gives the masks of segment_anything's generator."""

from inspect import signature

import numpy as np
import pytest
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam

from monai_ext.errors import InputError
from monai_ext.masks import MaskGenerator
from monai_ext.masks.generator import Candidates, without_small_regions
from monai_ext.networks.decoders.compact_sam import CompactSAM
from monai_ext.networks.decoders.sam import SAM
from tests.networks.decoders.contract import randomised
from tests.networks.decoders.test_sam import SMALL, picture

OFFSET = 0.003  # of random weights, whose logits lie so near 0 that a larger one leaves no mask stable


@pytest.fixture
def network():
    torch.manual_seed(3)
    np.random.seed(3)
    sam = randomised(SAM(**SMALL), 0.1)
    with torch.no_grad():  # random weights predict a low IoU for every mask
        sam.mask_decoder.iou_prediction_head.layers[-1].bias.add_(1)
    return sam


def overlap(one, other):
    return float((one & other).sum() / max(1, int((one | other).sum())))


def middle(values):
    """Half way between the two values in the middle: none lies on it."""
    half = len(values) // 2
    return float(values.sort().values[half - 1 : half + 1].mean())


@pytest.mark.parametrize("size", [(96, 128), (150, 100)])
@pytest.mark.parametrize(
    ("iou", "stability", "nms", "least"),
    [(-10.0, 0.0, 0.95, 3), (-10.0, 0.0, 1.0, 100), (None, None, 1.0, 20)],
)
def test_masks_are_those_of_segment_anything_one_to_one(network, size, iou, stability, nms, least):
    levels, image = picture(*size)
    with torch.no_grad():
        features = network.encode(image)
    if iou is None:  # half pass by one, half of these by the other
        iou = middle(MaskGenerator(8, -10.0, 0.0, OFFSET, 1.0)(network, features).iou)
        stability = middle(MaskGenerator(8, iou, 0.0, OFFSET, 1.0)(network, features).stability)
        assert 0.5 < stability < 0.7
    sam = Sam(network.image_encoder, network.prompt_encoder, network.mask_decoder).eval()
    theirs = SamAutomaticMaskGenerator(
        sam,
        points_per_side=8,
        pred_iou_thresh=iou,
        stability_score_thresh=stability,
        stability_score_offset=OFFSET,
        box_nms_thresh=nms,
    ).generate(levels)
    theirs = [one for one in theirs if one["area"]]
    ours = MaskGenerator(8, iou, stability, OFFSET, nms)(network, features)
    assert len(ours) == len(theirs) >= least
    for k, reference in enumerate(theirs):
        assert overlap(ours.masks[k].numpy(), reference["segmentation"]) >= 0.99
        assert float(ours.iou[k]) == pytest.approx(reference["predicted_iou"], abs=1e-4)
        assert float(ours.stability[k]) == pytest.approx(reference["stability_score"], abs=1e-3)
        assert ours.points[k].tolist() == pytest.approx(reference["point_coords"][0])


def test_the_defaults_are_those_of_segment_anything():
    ours, theirs = (signature(one).parameters for one in (MaskGenerator, SamAutomaticMaskGenerator))
    for name, their_name in (
        ("points_per_side", "points_per_side"),
        ("iou_threshold", "pred_iou_thresh"),
        ("stability_threshold", "stability_score_thresh"),
        ("stability_offset", "stability_score_offset"),
        ("nms_threshold", "box_nms_thresh"),
        ("min_region", "min_mask_region_area"),
    ):
        assert ours[name].default == theirs[their_name].default, name


def test_points_per_call_change_nothing(network):
    _, image = picture(64, 80)
    with torch.no_grad():
        features = network.encode(image)
    results = [MaskGenerator(6, -10.0, 0.0, points_per_call=n)(network, features) for n in (1, 7, 36, None)]
    for one in results[1:]:
        assert torch.equal(one.masks, results[0].masks)
        assert torch.allclose(one.iou, results[0].iou, atol=1e-5)


@pytest.mark.parametrize(
    ("side", "device", "points"),
    [(4, "cpu", 64), (32, "cpu", 8), (64, "cpu", 2), (128, "cpu", 1), (128, "meta", 64)],
)
def test_a_call_on_a_cpu_has_as_many_points_as_its_cache_holds_and_else_64(side, device, points):
    features = torch.empty(1, 256, side, side, device=device)
    assert MaskGenerator._default_points_per_call(features) == points


def test_boxes_hold_their_masks_and_none_is_empty(network):
    _, image = picture(64, 80)
    with torch.no_grad():
        found = MaskGenerator(6, -10.0, 0.0)(network, network.encode(image))
    for mask, box in zip(found.masks, found.boxes.tolist(), strict=True):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        assert box == [int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])]
    assert (found.iou.diff() <= 0).all()


def test_nothing_that_passes_gives_no_candidates():
    network = CompactSAM().eval()
    with torch.no_grad():
        found = MaskGenerator(4, iou_threshold=1e6)(network, network.encode(torch.rand(1, 3, 40, 60)))
    assert len(found) == 0 and found.masks.shape == (0, 40, 60) and found.boxes.shape == (0, 4)


def test_small_holes_are_filled_and_small_islands_removed():
    mask = np.zeros((20, 20), bool)
    mask[2:12, 2:12] = True
    mask[5:7, 5:7] = False  # a hole of 4
    mask[15:18, 15:18] = True  # an island of 9
    cleaned = without_small_regions(mask, 5)
    assert cleaned[5:7, 5:7].all() and cleaned[15:18, 15:18].all() and cleaned.sum() == 109
    assert without_small_regions(mask, 9).sum() == 109
    assert without_small_regions(mask, 10).sum() == 100
    only = without_small_regions(mask, 150)
    assert only[2:12, 2:12].all() and not only[15:18].any()


def test_regions_that_touch_at_a_corner_are_one():
    mask = np.zeros((9, 9), bool)
    mask[0:2, 0:2] = mask[2:4, 2:4] = True  # islands of 4, joined at a corner
    assert without_small_regions(mask, 8).sum() == 8 and without_small_regions(mask, 9).sum() == 8
    mask[6:9, 6:9] = True
    assert without_small_regions(mask, 9).sum() == 9
    hole = np.ones((9, 9), bool)
    hole[2:4, 2:4] = hole[4:6, 4:6] = False  # holes of 4, joined at a corner
    assert without_small_regions(hole, 8).sum() == 81 - 8
    assert without_small_regions(hole, 9).sum() == 81


def test_of_masks_that_become_doubles_the_unchanged_one_stays_and_the_order_with_it():
    whole = torch.zeros(20, 20, dtype=torch.bool)
    whole[2:12, 2:12] = True
    holed, other = whole.clone(), torch.zeros_like(whole)
    holed[5, 5] = False  # becomes the whole, but was predicted the better
    other[14:19, 14:19], other[16, 16] = True, False
    iou = torch.tensor([0.9, 0.8, 0.7])
    candidates = Candidates(
        torch.stack([other, holed, whole]), iou, iou / 2, torch.zeros(3, 4), torch.zeros(3, 2)
    )
    tidied = MaskGenerator(min_region=4)._without_small_regions(candidates)
    assert tidied.iou.tolist() == iou[[0, 2]].tolist()  # in descending order still
    assert tidied.stability.tolist() == (iou / 2)[[0, 2]].tolist()
    assert tidied.masks.flatten(1).sum(1).tolist() == [25, 100]
    assert tidied.boxes.tolist() == [[14, 14, 18, 18], [2, 2, 11, 11]]


def test_small_regions_leave_no_doubles(network):
    _, image = picture(64, 80)
    with torch.no_grad():
        found = MaskGenerator(6, -10.0, 0.0, min_region=30)(network, network.encode(image))
    for k, mask in enumerate(found.masks.numpy()):
        assert np.array_equal(without_small_regions(mask, 30), mask), k


@pytest.mark.parametrize(
    "wrong",
    [
        {"points_per_side": 0},
        {"points_per_call": 0},
        {"stability_threshold": 1.5},
        {"nms_threshold": -0.1},
        {"min_region": -1},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        MaskGenerator(**wrong)


def test_features_of_several_images_are_refused(network):
    with torch.no_grad(), pytest.raises(ValueError, match="2 images"):
        MaskGenerator()(network, network.encode(torch.rand(2, 3, 32, 32)))
