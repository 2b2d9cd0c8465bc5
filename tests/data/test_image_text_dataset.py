"""The truth of captions, of pictures and of masked images of them."""

import pytest
import torch

from monai_ext.data.image_text_dataset import UNKNOWN, ImageTextDataset
from monai_ext.prompts.library import PromptLibrary, names_side
from tests.data.test_text_prompt_dataset import ITEM, chest

LIBRARY = PromptLibrary.load()
OWN = {t: set(LIBRARY.training(t, "xray")) for t in ("lungs", "left lung", "right lung")}


def data(**kwargs):
    settings = {"size": 40, "rewording": 0.0, "prompts": 3, "attributes": 0.0, "masked_images": 0.0, **kwargs}
    return ImageTextDataset([ITEM], LIBRARY, lambda item: {**item, **chest()}, **settings)


def drawn(items, number=120):
    return [items[k % len(items)] for k in range(number)]


def captions(items):
    for item in items:
        fields = (item[key] for key in ("prompt", "label", "truth", "located", "asks"))
        for text, label, truth, located, asks in zip(*fields, strict=True):
            yield item, text, label, float(truth), float(located), int(asks)


def test_of_whole_pictures_true_captions_name_what_the_label_shows_and_others_show_nothing():
    areas = {"lungs": 610, "left lung": 360, "right lung": 250}
    kinds = set()
    for _, text, label, truth, located, _ in captions(drawn(data())):
        named = [name for name, sentences in OWN.items() if text in sentences]
        assert truth == float(bool(named)), text
        assert int(label.sum()) == (areas[named[0]] if named else 0)
        assert located == 1
        kinds |= set(named)
    assert kinds == set(areas)


def test_captions_of_pictures_that_may_be_mirrored_name_no_sides():
    for item in drawn(data(absent=0.0)):
        mirrored = [text for text in item["prompt"] if text in OWN["lungs"]]
        sided = [text for text in item["prompt"] if names_side(text)]
        shown = item["shows"][data().vocabulary["left lung"]]
        assert int(shown) == (1 if sided or int(shown) == 1 else UNKNOWN)
        assert mirrored or sided


def test_a_plain_caption_has_the_number_of_its_target_and_the_picture_a_row_of_what_it_shows():
    items = data()
    names = {number: name for name, number in items.vocabulary.items()}
    for item, text, _, truth, _, asks in captions(drawn(items)):
        if asks != UNKNOWN:
            assert truth == 1
            assert text in OWN[names[asks]]
            assert int(item["shows"][asks]) == 1
        assert int(item["shows"][items.vocabulary["polyp"]]) == 0  # no X-ray shows one


def test_attributes_are_those_of_the_mask_and_wrong_ones_are_untrue():
    found = list(captions(drawn(data(attributes=1.0, wrong=0.5, absent=0.0))))
    right = [text for _, text, _, truth, _, _ in found if truth == 1]
    wrong = [text for _, text, _, truth, _, _ in found if truth == 0]
    assert right
    assert wrong
    large = ("large", "large in size", "big")
    assert all(text.split(", ")[1:] for text in right + wrong)
    assert all(any(phrase in large for phrase in text.split(", ")) for text in right)
    assert all(located == 0 and asks == UNKNOWN for _, _, _, truth, located, asks in found if truth == 0)


def test_masked_images_are_as_true_as_their_overlap_and_labels_lie_in_what_is_visible():
    seen = set()
    for item, _, label, truth, located, _ in captions(drawn(data(masked_images=1.0), 300)):
        assert 0 <= truth <= 1
        if truth == 0:
            assert not label.any()
        elif located:
            assert truth >= 0.5
            assert bool(label.any())
            assert float(item["image"].amax(0)[label > 0].min()) > 0  # none of it is blacked out
        seen.add(truth if truth in (0, 1) else 0.5)
    assert seen == {0, 0.5, 1}


def test_the_same_seed_gives_the_same_items():
    one, two = (drawn(data(masked_images=0.5, attributes=0.5, seed=3), 20) for _ in range(2))
    for first, second in zip(one, two, strict=True):
        assert first["prompt"] == second["prompt"]
        assert all(torch.equal(first[k], second[k]) for k in ("image", "label", "truth", "asks", "shows"))


@pytest.mark.parametrize("masked_images", [0.0, 1.0])
def test_pictures_without_targets_have_only_absent_captions(masked_images):
    nothing = {
        "image": torch.full((3, 40, 40), 128, dtype=torch.uint8),
        "masks": torch.zeros(0, 40, 40, dtype=torch.uint8),
        "targets": [],
        "set": "photographs",
        "modality": "other",
        "facts": {},
        "own": {},
    }
    items = ImageTextDataset(
        [], LIBRARY, dict, size=40, additional_slices=[nothing], prompts=2, masked_images=masked_images
    )
    for item in drawn(items, 20):
        assert not item["truth"].any()
        assert not item["label"].any()
        assert bool((item["shows"] <= 0).all())
