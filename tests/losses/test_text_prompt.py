"""Exact losses of hand-made results."""

import math

import pytest
import torch

from monai_ext.losses import TextPromptLoss
from monai_ext.losses.text_prompt import balanced_entropy
from monai_ext.networks.segmenter import Segmentation


def result(logit, presence, size=4):
    return Segmentation(torch.full((1, 1, size, size), logit), torch.tensor([presence]))


def test_a_present_target_costs_dice_and_cross_entropy():
    label = torch.ones(1, 1, 4, 4)
    loss = TextPromptLoss(dice=1, cross_entropy=1, presence=0)(result(0.0, 0.0), label)
    dice = 1 - (2 * 8 + 1) / (8 + 16 + 1)
    assert float(loss) == pytest.approx(dice + math.log(2), abs=1e-6)


def test_an_absent_target_costs_weighted_cross_entropy_and_no_dice():
    loss = TextPromptLoss(dice=1, cross_entropy=1, presence=0, absent=0.5)(
        result(0.0, 0.0), torch.zeros(1, 1, 4, 4)
    )
    assert float(loss) == pytest.approx(0.5 * math.log(2), abs=1e-6)


def test_the_presence_of_every_image_counts():
    loss = TextPromptLoss(dice=0, cross_entropy=0, presence=1)
    assert float(loss(result(0.0, 2.0), torch.ones(1, 1, 4, 4))) == pytest.approx(
        math.log1p(math.exp(-2)), abs=1e-6
    )
    assert float(loss(result(0.0, 2.0), torch.zeros(1, 1, 4, 4))) == pytest.approx(
        math.log1p(math.exp(2)), abs=1e-6
    )


def test_the_presence_is_weighted_and_its_mean_taken_over_the_images():
    label = torch.zeros(2, 1, 4, 4)
    label[0, 0, 0, 0] = 1  # a single pixel is a target
    both = Segmentation(torch.zeros(2, 1, 4, 4), torch.tensor([2.0, -1.0]))
    mean = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    for settings, weight in (({"presence": 0.25}, 0.25), ({}, 0.3)):
        loss = TextPromptLoss(dice=0, cross_entropy=0, **settings)
        assert float(loss(both, label)) == pytest.approx(weight * mean, abs=1e-6)


def test_deep_supervision_is_added():
    label = torch.ones(1, 1, 4, 4)
    plain, deep = result(0.0, 0.0), result(0.0, 0.0)
    deep.aux["coarse"] = deep.logits
    loss = TextPromptLoss(presence=0, coarse=0.5)
    assert float(loss(deep, label)) == pytest.approx(1.5 * float(loss(plain, label)), abs=1e-6)


def test_the_medical_logit_is_trained_where_the_label_says_which_pictures_are_medical():
    one = result(0.0, 2.0)
    one.aux["medical"] = torch.tensor([1.0])
    loss = TextPromptLoss(dice=0, cross_entropy=0, presence=0, medical=0.5)
    label = torch.zeros(1, 1, 4, 4)
    for medical, expected in ((0.0, 0.5 * math.log1p(math.e)), (1.0, 0.5 * math.log1p(math.exp(-1)))):
        target = {"label": label, "medical": torch.tensor([medical])}
        assert float(loss(one, target)) == pytest.approx(expected, abs=1e-6)
        assert float(loss([one], target)) == pytest.approx(expected, abs=1e-6)
        assert float(loss(result(0.0, 2.0), target)) == 0  # of a network without this logit
    assert float(loss(one, label)) == 0


def test_the_masks_weigh_one_and_all_else_weighs_three_tenths():
    label = torch.zeros(2, 1, 4, 4)
    label[0, :, :2] = 1
    both = Segmentation(torch.randn(2, 1, 4, 4), torch.randn(2))
    both.aux.update(coarse=torch.randn(2, 1, 4, 4), medical=torch.randn(2))
    stated = TextPromptLoss(dice=1, cross_entropy=1, presence=0.3, coarse=0.3, absent=0.3, medical=0.3)
    target = {"label": label, "medical": torch.ones(2)}
    assert torch.equal(TextPromptLoss()(both, target), stated(both, target))


def test_several_prompts_cost_what_they_would_as_images_of_their_own():
    generator = torch.Generator().manual_seed(0)
    label = torch.zeros(3, 2, 4, 4)
    label[:2, 0, :2], label[2, 1, 1:] = 1, 1
    columns = []
    for _ in range(2):
        logits, coarse = torch.randn(2, 3, 1, 4, 4, generator=generator)
        presence = torch.randn(3, generator=generator)
        columns.append(Segmentation(logits, presence, aux={"coarse": coarse}))
    apart = Segmentation(
        torch.cat([one.logits for one in columns]),
        torch.cat([one.presence for one in columns]),
        aux={"coarse": torch.cat([one.aux["coarse"] for one in columns])},
    )
    loss = TextPromptLoss()
    together = loss(columns, label)
    assert torch.equal(together, loss(apart, torch.cat([label[:, :1], label[:, 1:]])))


def test_the_fit_of_kind_and_words_is_trained_on_every_sentence_and_image_whose_truth_is_known():
    both = Segmentation(torch.zeros(2, 1, 4, 4), torch.zeros(2))
    both.aux["fits"] = torch.tensor([[2.0, -1.0], [0.5, 9.0]])
    label = {"label": torch.ones(2, 1, 4, 4), "asks": torch.tensor([[2], [0]])}
    label["shows"] = torch.tensor(
        [[0, 0, 1], [-1, 0, 0]], dtype=torch.int8
    )  # of topics; truth [[1, 0], [0, -1]]
    shown, not_shown = math.log1p(math.exp(-2)), (math.log1p(math.exp(-1)) + math.log1p(math.exp(0.5))) / 2
    for settings, weight in (({"fits": 0.5}, 0.5), ({}, 1.0)):
        loss = TextPromptLoss(dice=0, cross_entropy=0, presence=0, **settings)
        assert float(loss(both, label)) == pytest.approx(weight * (shown + not_shown) / 2, abs=1e-6)
        assert float(loss(both, label["label"])) == 0


def test_where_nothing_is_known_no_fit_is_trained():
    unknown = torch.full((2, 3), -1, dtype=torch.int8)
    assert float(balanced_entropy(torch.randn(2, 3), unknown)) == 0
