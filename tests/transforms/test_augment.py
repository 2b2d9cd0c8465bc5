"""Augmentation never makes the prompt untrue."""

import torch

from monai_ext.transforms import RandLateralityAwareFlipd

IMAGE = torch.arange(6.0).reshape(1, 2, 3)


def item(sided, modality):
    return {"image": IMAGE, "label": IMAGE, "sided": sided, "modality": modality}


def draws(transform, data, count=40):
    transform.set_random_state(0)
    return [transform(data) for _ in range(count)]


def test_an_image_whose_prompt_names_a_side_stays_as_it_is():
    for modality in ("xray", "endoscopy"):
        for one in draws(RandLateralityAwareFlipd(["image", "label"], prob=1.0), item(True, modality)):
            assert torch.equal(one["image"], IMAGE)


def test_upright_modalities_are_mirrored_but_never_turned():
    seen = draws(RandLateralityAwareFlipd(["image", "label"]), item(False, "xray"))
    mirrored = [torch.equal(one["image"], IMAGE.flip(-1)) for one in seen]
    assert 0 < sum(mirrored) < len(seen)
    assert all(m or torch.equal(one["image"], IMAGE) for m, one in zip(mirrored, seen, strict=True))


def test_pictures_without_an_upright_take_all_eight_positions():
    for modality in ("dermoscopy", "mri"):
        seen = draws(RandLateralityAwareFlipd(["image", "label"]), item(False, modality), 200)
        assert len({(*one["image"].flatten().tolist(), one["image"].shape[1]) for one in seen}) == 8


def test_a_share_of_the_pictures_without_an_upright_is_turned():
    seen = draws(
        RandLateralityAwareFlipd(["image", "label"], prob=0, turn_prob=0.25), item(False, "mri"), 400
    )
    turned = sum(not torch.equal(one["image"], IMAGE) for one in seen)
    assert 75 < turned < 125


def test_image_and_label_turn_alike():
    for one in draws(RandLateralityAwareFlipd(["image", "label"]), item(False, "dermoscopy")):
        assert torch.equal(one["image"], one["label"])
