"""Training items: prompts true of the image, labels that answer the prompt."""

import pytest
import torch
from monai.data import get_track_meta
from monai.transforms import Compose, RandFlipd, RandGaussianNoised

from monai_ext.data.sampling import Draw
from monai_ext.data.text_prompt_dataset import TextPromptDataset
from monai_ext.data.topics import NOTHING
from monai_ext.prompts.library import PromptLibrary, names_side
from monai_ext.prompts.modalities import MODALITIES

LIBRARY = PromptLibrary.load()


def chest():
    """Two "lungs" of different size on a bright film, the larger one on the image's right."""
    image = torch.full((1, 40, 40), 0.5).expand(3, -1, -1)
    label = torch.zeros(1, 40, 40)
    label[0, 5:30, 5:15] = 1
    label[0, 5:35, 25:37] = 1
    return {"image": image, "label": label}


ITEM = {
    "image": "film",
    "label": "mask",
    "set": "s",
    "modality": "xray",
    "facts": {},
    "targets": {"lungs": (1,)},
}


def data(**kwargs):
    settings = {"size": 40, "rewording": 0.0, **kwargs}
    return TextPromptDataset([ITEM], LIBRARY, lambda item: {**item, **chest()}, **settings)


def test_the_prompt_of_a_target_that_is_shown_is_one_of_its_sentences():
    items = data(absent=0.0)
    own = {t: set(LIBRARY.training(t, "xray")) for t in ("lungs", "left lung", "right lung")}
    for index, target in enumerate(own):
        for _ in range(20):
            item = items[index]
            (prompt,) = item["prompt"]
            assert prompt in own[target]
            assert item["sided"] == (names_side(prompt) is not None)
            assert int(item["label"].sum()) == {"lungs": 610, "left lung": 360, "right lung": 250}[target]


def test_an_absent_prompt_has_an_empty_label_and_names_nothing_that_is_there():
    items = data(absent=1.0)
    there = {text for t in ("lungs", "left lung", "right lung") for text in LIBRARY.training(t, "xray")}
    drawn = [items[k % 3] for k in range(200)]
    assert all(not item["label"].any() for item in drawn)
    prompts = {item["prompt"][0] for item in drawn}
    assert not prompts & there
    assert prompts & set(LIBRARY.nonsense("train"))
    assert prompts & set(LIBRARY.absent("train"))


SIZES = {"lungs": 610, "left lung": 360, "right lung": 250}


def test_several_sentences_share_an_image_and_the_first_names_the_items_target():
    items = data(prompts=3, absent=0.0)
    named = {text: target for target in SIZES for text in LIBRARY.training(target, "xray")}
    others = set()
    for _ in range(30):
        item = items[1]
        found = [named[text] for text in item["prompt"]]
        assert [int(label.sum()) for label in item["label"]] == [SIZES[target] for target in found]
        assert found[0] == "left lung" and item["sided"]
        others.update(found[1:])
    assert others == set(SIZES)


def test_the_further_sentences_may_name_what_is_absent_but_the_first_does_not():
    items = data(prompts=2, absent=1.0)
    for index in range(3):
        first, second = items[index]["label"]
        assert first.any() and not second.any()


@pytest.mark.parametrize("missing", [0.0, 0.3, 1.0])
def test_a_target_that_was_looked_for_and_is_not_there_has_its_share_of_the_absent_prompts(missing):
    one = {**ITEM, "targets": {"lungs": (1,), "heart": (2,)}}
    items = TextPromptDataset(
        [one],
        LIBRARY,
        lambda item: {**item, **chest()},
        size=40,
        absent=1.0,
        missing=missing,
        canonical=0.0,
        rewording=0.0,
    )
    heart = set(LIBRARY.training("heart", "xray"))
    share = sum(items[0]["prompt"][0] in heart for _ in range(400)) / 400
    assert share == pytest.approx(missing, abs=0.0 if missing in (0, 1) else 0.07)


def test_a_picture_of_nothing_medical_has_absent_prompts_of_every_modality():
    picture = {
        "image": torch.zeros(3, 8, 8, dtype=torch.uint8),
        "masks": torch.zeros(0, 8, 8, dtype=torch.uint8),
    }
    other = {**picture, "targets": [], "set": "photographs", "modality": "other", "facts": {}}
    items = TextPromptDataset([], LIBRARY, dict, additional_slices=[other], absent=0.0, rewording=0.0)
    asked = {items[0]["prompt"][0] for _ in range(4000)}
    for modality in MODALITIES:
        for target in LIBRARY.targets(modality):
            assert asked & set(LIBRARY.training(target, modality)), (target, modality)


def test_rewording_changes_the_words_but_never_gives_a_sentence_kept_out_of_training():
    items = data(absent=0.5, rewording=1.0)
    drawn = {items[k % 3]["prompt"][0] for k in range(600)}
    known = {text for target in SIZES for text in LIBRARY.training(target, "xray")}
    assert len(drawn - known) > 200
    assert not drawn & set(LIBRARY.heldout_texts())


def test_the_same_seed_draws_the_same_sentences_and_another_draws_others():
    first, again, other = (
        [one[k % 3]["prompt"] for k in range(30)] for one in (data(seed=3), data(seed=3), data(seed=4))
    )
    assert first == again != other


def test_seeding_reaches_the_augmentation():
    items = data(absent=0.0, transform=RandGaussianNoised("image", prob=1.0))
    items.set_random_state(5)
    first = items[0]["image"]
    assert not torch.equal(items[0]["image"], first)
    items.set_random_state(5)
    assert torch.equal(items[0]["image"], first)


def test_the_prompt_of_a_target_that_only_the_set_has_is_its_own_sentence():
    item = {**ITEM, "targets": {"widget": (1,)}, "prompts": {"widget": ["the widget", "a widget on film"]}}
    items = TextPromptDataset(
        [item], LIBRARY, lambda one: {**one, **chest()}, size=40, absent=0.0, rewording=0.0
    )
    assert {items[0]["prompt"][0] for _ in range(30)} == {"the widget", "a widget on film"}


def test_weights_give_each_set_and_target_its_share():
    two = [ITEM, {**ITEM, "set": "t", "targets": {"lungs": (1,)}}]
    items = TextPromptDataset(two, LIBRARY, lambda item: {**item, **chest()}, size=40)
    weights = items.weights({"t": 3.0})
    assert float(weights[:3].sum()) == pytest.approx(1)
    assert float(weights[3:].sum()) == pytest.approx(3)


def test_a_set_without_a_weight_weighs_its_number_of_images_to_the_power_of_the_balance():
    items = [ITEM, *[{**ITEM, "set": "t", "targets": {"lungs": (1,)}}] * 4, {**ITEM, "set": "u"}]
    weights = TextPromptDataset(items, LIBRARY, lambda item: {**item, **chest()}, size=40).weights
    shares = [weights({"u": 5.0}, balance).split([3, 12, 3]) for balance in (0.0, 0.5, 1.0)]
    assert [[round(float(part.sum()), 4) for part in one] for one in shares] == [
        [1, 1, 5],
        [1, 2, 5],
        [1, 4, 5],
    ]


def test_images_without_a_target_have_half_the_share_of_a_target():
    empty = {"image": chest()["image"], "label": torch.zeros(1, 40, 40)}
    items = [{**ITEM, "targets": {"heart": (1,)}}, {**ITEM, "targets": {"heart": (1,)}, "case": "healthy"}]
    made = TextPromptDataset(items, LIBRARY, lambda i: {**i, **(empty if "case" in i else chest())}, size=40)
    assert [pair["target"] for pair in made.data] == [0, None]
    assert made.weights().tolist() == pytest.approx([2 / 3, 1 / 3])


def test_further_sentences_have_a_topic_and_each_image_says_what_it_shows_of_every_topic():
    items = data(asked=8)
    own = {text for target in SIZES for text in LIBRARY.training(target, "xray")}
    drawn = [items[k % 3] for k in range(200)]
    shows = drawn[0]["shows"]
    assert all(len(item["asked"]) == len(item["asks"]) == 8 for item in drawn)
    assert all(torch.equal(item["shows"], shows) for item in drawn)
    asked = [pair for item in drawn for pair in zip(item["asked"], item["asks"].tolist(), strict=True)]
    assert {int(shows[topic]) for _, topic in asked} == {0, 1}
    assert all((text in own) == (shows[topic] == 1) for text, topic in asked)
    assert 0.45 < sum(text in own for text, _ in asked) / len(asked) < 0.55
    elsewhere = {text for text, topic in asked if shows[topic] == 0}
    assert elsewhere & set(LIBRARY.training("teeth", "xray"))  # another region
    assert elsewhere & set(LIBRARY.training("left lung", "ct"))  # another kind of image
    assert {topic for text, topic in asked if text in LIBRARY.nonsense("train")} == {NOTHING}
    assert {topic for text, topic in asked if text in LIBRARY.absent("train")} == {NOTHING}
    assert "asked" not in data()[0]


def test_targets_of_a_data_set_alone_are_topics_too():
    item = {**ITEM, "targets": {"widget": (1,)}, "prompts": {"widget": ["the widget", "a widget on film"]}}
    items = TextPromptDataset(
        [item], LIBRARY, lambda one: {**one, **chest()}, size=40, asked=4, rewording=0.0
    )
    drawn = [items[0] for _ in range(30)]
    topics = {
        topic for one in drawn for text, topic in zip(one["asked"], one["asks"].tolist()) if "widget" in text
    }
    assert len(topics) == 1 and drawn[0]["shows"][topics.pop()] == 1


def test_a_draw_decides_on_everything_that_is_random_in_an_item():
    items = data(transform=RandGaussianNoised("image", prob=1.0), rewording=0.5)
    first, other, again = (items[Draw(0, seed)] for seed in (3, 4, 3))
    assert torch.equal(first["image"], again["image"]) and first["prompt"] == again["prompt"]
    assert not torch.equal(first["image"], other["image"])
    assert first["case"] == "s"


def test_augmentation_works_on_plain_tensors_and_leaves_metadata_to_others():
    seen = []
    items = data(transform=lambda item: seen.append(get_track_meta()) or item)
    _ = items[0]
    assert (seen, get_track_meta()) == ([False], True)


def test_metadata_are_left_to_others_also_when_the_augmentation_fails():
    def fail(_):
        raise ValueError

    with pytest.raises(RuntimeError, match="applying transform"):
        _ = data(transform=fail)[0]
    assert get_track_meta()


def test_all_transforms_draw_from_the_generator_of_the_items():
    first, second = RandGaussianNoised("image", prob=1.0), RandFlipd("image", prob=0.5)
    items = data(transform=Compose([first, Compose([second])]))
    assert first.R is second.R is items.R
