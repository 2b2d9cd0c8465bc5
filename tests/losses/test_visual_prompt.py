"""The loss is that of SAM-Med2D (reference outputs in ../shared/fixtures), and rates masks one by one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_ext.losses.visual_prompt import VisualPromptLoss

FIXTURE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "sam_med2d.npz"


@pytest.mark.skipif(
    not FIXTURE.is_file(), reason="needs ../shared/fixtures/sam_med2d.npz beside the repository"
)
def test_as_published_it_is_the_authors():
    with np.load(FIXTURE) as content:
        case = {key[5:]: torch.from_numpy(content[key]) for key in content.files if key.startswith("loss_")}
    loss = VisualPromptLoss(as_published=True)
    terms = loss.terms(case["pred"], case["iou"], case["y"])
    assert float(terms["focal"]) == pytest.approx(float(case["focal"]), abs=1e-5)
    assert float(terms["dice"]) == pytest.approx(float(case["dice"]), abs=1e-5)
    assert float(terms["iou"]) == pytest.approx(float(case["miou"]), abs=1e-5)
    total = loss(case["pred"], case["iou"], case["y"])
    assert float(total) == pytest.approx(float(case["total"]), abs=1e-5)


def test_each_mask_has_its_own_iou():
    label = torch.zeros(2, 1, 4, 4)
    label[:, :, :2] = 1
    logits = torch.full((2, 1, 4, 4), -9.0)
    logits[0, :, :2] = 9.0  # the first is right, of the second half is found
    logits[1, :, 0] = 9.0
    terms = VisualPromptLoss().terms(logits, torch.tensor([[1.0], [0.5]]), label)
    assert float(terms["iou"]) == pytest.approx(0.0, abs=1e-6)
    wrong = VisualPromptLoss().terms(logits, torch.tensor([[0.5], [0.5]]), label)
    assert float(wrong["iou"]) == pytest.approx(0.125, abs=1e-6)


def test_the_iou_of_a_mask_is_no_gradient_for_the_mask():
    logits, iou = torch.randn(2, 1, 4, 4, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    label = torch.ones(2, 1, 4, 4)
    VisualPromptLoss(focal=0, dice=0)(logits, iou, label).backward()
    assert float(logits.grad.abs().max()) == 0.0
    assert float(iou.grad.abs().max()) > 0.0


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(R, M\)"):
        VisualPromptLoss()(torch.zeros(2, 1, 4, 4), torch.zeros(2), torch.zeros(2, 1, 4, 4))


def several():
    """Two prompts with three masks each; the second of the first and the third of the other are right."""
    label = torch.zeros(2, 1, 8, 8)
    label[0, :, :4] = label[1, :, :, :4] = 1
    logits = torch.full((2, 3, 8, 8), -4.0)
    logits[0, 1] = torch.where(label[0, 0] > 0, 4.0, -4.0)
    logits[1, 2] = torch.where(label[1, 0] > 0, 4.0, -4.0)
    return logits.requires_grad_(), label


def test_of_several_masks_only_the_best_is_trained():
    logits, label = several()
    VisualPromptLoss(iou=0)(logits, torch.zeros(2, 3), label).backward()
    changed = logits.grad.flatten(2).abs().amax(2) > 0
    assert changed.tolist() == [[False, True, False], [False, False, True]]


def test_the_loss_of_the_best_is_that_of_a_single_mask():
    logits, label = several()
    best = torch.stack([logits[0, 1:2], logits[1, 2:3]])
    loss = VisualPromptLoss(iou=0)
    assert torch.equal(loss(logits, torch.zeros(2, 3), label), loss(best, torch.zeros(2, 1), label))


def test_the_iou_is_learnt_for_every_mask():
    logits, label = several()
    true = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert float(VisualPromptLoss().terms(logits, true, label)["iou"]) == pytest.approx(0.0, abs=1e-6)
    wrong = true.clone()
    wrong[0, 0] = 0.6
    assert float(VisualPromptLoss().terms(logits, wrong, label)["iou"]) == pytest.approx(0.06, abs=1e-6)


def test_as_published_there_is_one_mask():
    logits, label = several()
    with pytest.raises(ValueError, match="3 masks for each prompt"):
        VisualPromptLoss(as_published=True)(logits, torch.zeros(2, 3), label)


def test_without_gamma_and_alpha_the_focal_loss_is_the_cross_entropy():
    torch.manual_seed(0)
    logits, label = torch.randn(2, 1, 4, 4), (torch.rand(2, 1, 4, 4) > 0.5).float()
    focal = VisualPromptLoss(gamma=0, alpha=None).terms(logits, torch.zeros(2, 1), label)["focal"]
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits, label)
    assert float(focal) == pytest.approx(float(wanted), abs=1e-6)
