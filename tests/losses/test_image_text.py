"""The caption loss: of own captions, of those of others where their truth is known, and of patch tokens."""

import math

import pytest
import torch

from monai_ext.losses.image_text import ImageTextLogits, ImageTextLoss


def batch(**changes):
    """Two images with one caption each: the first caption is about target 0 alone, the second about several."""
    label = torch.zeros(2, 1, 8, 8)
    label[0, 0, :4] = 1
    return {
        "truth": torch.tensor([[1.0], [0.0]]),
        "located": torch.ones(2, 1),
        "label": label,
        "asks": torch.tensor([[0], [-1]]),
        "shows": torch.tensor([[1, -1], [0, 1]]),
        **changes,
    }


def test_the_captions_of_other_images_count_where_their_truth_is_known():
    truth = ImageTextLoss.truth_of_others(torch.tensor([[0, -1], [1, 0]]), torch.tensor([[1, 0], [-1, 1]]))
    assert truth.tolist() == [[[-1, -1], [0, 1]], [[-1, -1], [-1, -1]]]


def test_without_patch_tokens_it_is_the_sigmoid_contrastive_loss_worked_out_by_hand():
    logits = ImageTextLogits(torch.zeros(2, 2, 1), torch.zeros(2, 1, 4, 4))
    pairs = logits.pairs.clone()
    pairs[1, 0] = 2.0  # image 1 does not show target 0, as its caption 0 has it
    loss = ImageTextLoss(patch_tokens=0.0)(ImageTextLogits(pairs, logits.patch_tokens), batch())
    assert float(loss) == pytest.approx(math.log(2) + math.log(1 + math.exp(2)), abs=1e-6)
    alone = ImageTextLoss(others=0.0, patch_tokens=0.0)(ImageTextLogits(pairs, logits.patch_tokens), batch())
    assert float(alone) == pytest.approx(math.log(2), abs=1e-6)


def test_patch_tokens_that_agree_with_the_masks_cost_nothing_and_unlocated_captions_do_not_count():
    tokens = torch.full((2, 1, 4, 4), -20.0)
    tokens[0, 0, :2] = 20.0
    right = ImageTextLogits(torch.tensor([[[20.0], [0.0]], [[-20.0], [-20.0]]]), tokens)
    assert float(ImageTextLoss()(right, batch())) == pytest.approx(0, abs=1e-4)
    wrong = ImageTextLogits(right.pairs, -tokens)
    assert float(ImageTextLoss()(wrong, batch())) > 10
    assert float(ImageTextLoss()(wrong, batch(located=torch.zeros(2, 1)))) == pytest.approx(0, abs=1e-4)


def test_a_gradient_step_makes_it_smaller():
    pairs = torch.zeros(2, 2, 1, requires_grad=True)
    tokens = torch.zeros(2, 1, 4, 4, requires_grad=True)
    before = ImageTextLoss()(ImageTextLogits(pairs, tokens), batch())
    before.backward()
    after = ImageTextLoss()(ImageTextLogits(pairs - 0.1 * pairs.grad, tokens - tokens.grad), batch())
    assert float(after) < float(before)
    assert bool((pairs.grad[0, 1] == 0).all())  # a caption about nothing known to the other image
