"""The loss is that of SAM-Med2D (reference outputs in ../shared/fixtures), and rates masks one by one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_ext.losses.promptable import PromptableLoss

FIXTURE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "sam_med2d.npz"


@pytest.mark.skipif(
    not FIXTURE.is_file(), reason="needs ../shared/fixtures/sam_med2d.npz beside the repository"
)
def test_as_published_it_is_the_authors():
    with np.load(FIXTURE) as content:
        case = {key[5:]: torch.from_numpy(content[key]) for key in content.files if key.startswith("loss_")}
    loss = PromptableLoss(as_published=True)
    parts = loss.parts(case["pred"], case["iou"], case["y"])
    assert float(parts["focal"]) == pytest.approx(float(case["focal"]), abs=1e-5)
    assert float(parts["dice"]) == pytest.approx(float(case["dice"]), abs=1e-5)
    assert float(parts["iou"]) == pytest.approx(float(case["miou"]), abs=1e-5)
    total = loss(case["pred"], case["iou"], case["y"])
    assert float(total) == pytest.approx(float(case["total"]), abs=1e-5)


def test_each_mask_has_its_own_iou():
    label = torch.zeros(2, 1, 4, 4)
    label[:, :, :2] = 1
    logits = torch.full((2, 1, 4, 4), -9.0)
    logits[0, :, :2] = 9.0  # the first is right, of the second half is found
    logits[1, :, 0] = 9.0
    parts = PromptableLoss().parts(logits, torch.tensor([[1.0], [0.5]]), label)
    assert float(parts["iou"]) == pytest.approx(0.0, abs=1e-6)
    wrong = PromptableLoss().parts(logits, torch.tensor([[0.5], [0.5]]), label)
    assert float(wrong["iou"]) == pytest.approx(0.125, abs=1e-6)


def test_the_iou_of_a_mask_is_no_gradient_for_the_mask():
    logits, iou = torch.randn(2, 1, 4, 4, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    label = torch.ones(2, 1, 4, 4)
    PromptableLoss(focal=0, dice=0)(logits, iou, label).backward()
    assert float(logits.grad.abs().max()) == 0.0
    assert float(iou.grad.abs().max()) > 0.0


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(R, 1\)"):
        PromptableLoss()(torch.zeros(2, 1, 4, 4), torch.zeros(2), torch.zeros(2, 1, 4, 4))
