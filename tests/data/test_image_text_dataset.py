"""The truth of captions, of pictures and of masked images of them."""

import pytest
import torch

from monai_ext.data.image_text_dataset import ImageTextDataset
from monai_ext.data.topics import UNKNOWN, Topics
from monai_ext.prompts.library import PromptLibrary, names_side
from tests.data.test_text_prompt_dataset import ITEM, chest

LIBRARY = PromptLibrary.load()
TOPICS = Topics(LIBRARY)
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
        shown = item["shows"][TOPICS.both("left lung", "xray")].tolist()
        assert shown == [1, 1] if sided else shown in ([1, 1], [UNKNOWN, UNKNOWN])
        assert mirrored or sided


def test_a_plain_caption_has_the_topic_of_its_target_which_the_picture_shows_and_an_absent_one_that_of_its_own():
    topics = {TOPICS.of(name, "xray", text): name for name, texts in OWN.items() for text in texts}
    absent = set()
    for item, text, _, truth, _, asks in captions(drawn(data())):
        if truth == 1:
            assert text in OWN[topics[asks]]
        else:
            absent.add(asks)
        assert asks == UNKNOWN or int(item["shows"][asks]) == truth
    assert UNKNOWN not in absent
    assert len(absent) > 20


def test_of_a_chest_film_words_of_other_regions_are_untrue_and_those_of_the_chest_where_they_name_another_kind():
    shows = data()[0]["shows"]
    assert int(shows[TOPICS.of("polyp", "endoscopy", "polyp")]) == 0
    assert int(shows[TOPICS.of("lungs", "ct", "lungs in a CT scan")]) == 0
    assert int(shows[TOPICS.of("lungs", "ct", "the lungs")]) == UNKNOWN


def test_captions_with_attributes_have_no_topic():
    found = captions(drawn(data(attributes=1.0, wrong=0.0, absent=0.0)))
    assert all(asks == UNKNOWN for _, _, _, truth, _, asks in found if truth == 1)


def test_of_a_masked_image_that_shows_a_half_nothing_is_known_about_its_target():
    for _, _, _, truth, _, asks in captions(drawn(data(masked_images=1.0), 300)):
        if 0 < truth < 1:
            assert asks == UNKNOWN
    values = {
        int(item["shows"][TOPICS.both("lungs", "xray")][0]) for item in drawn(data(masked_images=1.0), 100)
    }
    assert values == {0, 1, UNKNOWN}


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
