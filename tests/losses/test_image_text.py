"""The caption loss: own captions, those of others where their truth is known, and places."""

import math

import pytest
import torch

from monai_ext.losses.image_text import ImageTextLogits, ImageTextLoss


def batch(**changes):
    """Two images with one caption each, about target 0 and about more than a target."""
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


def test_of_others_only_what_is_known_counts():
    known = ImageTextLoss.known_of_others(torch.tensor([[0, -1], [1, 0]]), torch.tensor([[1, 0], [-1, 1]]))
    assert known.tolist() == [[[-1, -1], [0, 1]], [[-1, -1], [-1, -1]]]


def test_of_a_plain_contrastive_loss_the_value_is_known():
    logits = ImageTextLogits(torch.zeros(2, 2, 1), torch.zeros(2, 1, 4, 4))
    pairs = logits.pairs.clone()
    pairs[1, 0] = 2.0  # image 1 does not show target 0, as its caption 0 has it
    loss = ImageTextLoss(places=0.0)(ImageTextLogits(pairs, logits.places), batch())
    assert float(loss) == pytest.approx(math.log(2) + math.log(1 + math.exp(2)), abs=1e-6)
    alone = ImageTextLoss(others=0.0, places=0.0)(ImageTextLogits(pairs, logits.places), batch())
    assert float(alone) == pytest.approx(math.log(2), abs=1e-6)


def test_places_that_agree_with_the_masks_cost_nothing_and_unlocated_ones_do_not_count():
    places = torch.full((2, 1, 4, 4), -20.0)
    places[0, 0, :2] = 20.0
    sure = ImageTextLogits(torch.tensor([[[20.0], [0.0]], [[-20.0], [-20.0]]]), places)
    assert float(ImageTextLoss()(sure, batch())) == pytest.approx(0, abs=1e-4)
    turned = ImageTextLogits(sure.pairs, -places)
    assert float(ImageTextLoss()(turned, batch())) > 10
    assert float(ImageTextLoss()(turned, batch(located=torch.zeros(2, 1)))) == pytest.approx(0, abs=1e-4)


def test_a_gradient_step_makes_it_smaller():
    pairs = torch.zeros(2, 2, 1, requires_grad=True)
    places = torch.zeros(2, 1, 4, 4, requires_grad=True)
    before = ImageTextLoss()(ImageTextLogits(pairs, places), batch())
    before.backward()
    after = ImageTextLoss()(ImageTextLogits(pairs - 0.1 * pairs.grad, places - places.grad), batch())
    assert float(after) < float(before)
    assert bool((pairs.grad[0, 1] == 0).all())  # a caption about nothing known to the other image
