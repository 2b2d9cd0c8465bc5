"""Items of visual-prompt training: objects of the image, and visual prompts for them as they lie after augmentation."""

import numpy as np
import torch
from monai.transforms import Lambdad

from monai_ext.data.visual_prompt_dataset import VisualPromptDataset
from monai_ext.prompts.library import PromptLibrary

LIBRARY = PromptLibrary.load()
AREAS = {"both": 610, "left": 360, "right": 250}
ITEM = {
    "image": "film",
    "label": "mask",
    "set": "s",
    "modality": "xray",
    "facts": {},
    "targets": {"lungs": (1,)},
}


def chest(item):
    """Two "lungs" of different size on a bright film, the larger one on the image's right, and a speck."""
    label = torch.zeros(1, 40, 40)
    label[0, 5:30, 5:15] = 1
    label[0, 5:35, 25:37] = 1
    return {**item, "image": torch.full((3, 40, 40), 0.5), "label": label}


def data(items=(ITEM,), **kwargs):
    settings = {"size": 40, "objects": 3, "mask_size": 20, **kwargs}
    return VisualPromptDataset(list(items), LIBRARY, chest, **settings)


def areas(items, count=40):
    return [int(mask.sum()) for k in range(count) for mask in items[k % len(items)]["label"]]


def test_an_item_holds_every_kind_of_prompt_for_each_object():
    item = data()[0]
    assert item.pop("case") == "s"
    shapes = {key: tuple(value.shape) for key, value in item.items()}
    assert shapes == {
        "image": (3, 40, 40),
        "label": (3, 40, 40),
        "boxes": (3, 4),
        "points": (3, 3, 2),
        "point_labels": (3, 3),
        "masks": (3, 20, 20),
    }
    assert item["image"].dtype == item["label"].dtype == torch.float32


def test_prompts_belong_to_their_objects():
    items = data(jitter=0.0)
    for k in range(30):
        item = items[k % len(items)]
        for mask, box, points, labels in zip(
            *(item[key] for key in ("label", "boxes", "points", "point_labels"))
        ):
            rows, columns = np.nonzero(mask.numpy())
            assert box.tolist() == [columns.min(), rows.min(), columns.max(), rows.max()]
            assert [int(mask[int(y), int(x)]) for x, y in points] == labels.tolist()


def test_the_first_object_is_the_items_own_target_or_a_component_of_it():
    whole = data(components=0.0)
    assert len(whole) == 3  # lungs, left lung, right lung
    assert [int(whole[k]["label"][0].sum()) for k in range(3)] == [610, 360, 250]
    assert set(areas(whole)) == set(AREAS.values())
    parted = data(components=1.0)
    assert {int(parted[0]["label"][0].sum()) for _ in range(20)} == {360, 250}


def test_what_the_augmentation_removes_is_replaced_by_what_is_left():
    def without_left(label):
        kept = label.clone()
        kept[:, :, 20:] = 0
        return kept

    items = data(transform=Lambdad("label", without_left), components=0.0)
    assert set(areas(items)) == {250}


def test_when_nothing_is_left_the_item_comes_as_it_was():
    items = data(transform=Lambdad("label", torch.zeros_like), components=0.0)
    assert [int(mask.sum()) for mask in items[1]["label"]] == [360, 360, 360]


def test_targets_that_are_too_small_are_left_out():
    assert len(data(smallest=300)) == 2
    assert min(areas(data(smallest=300, components=1.0))) >= 300


def test_prompts_are_made_after_the_augmentation():
    items = data(transform=Lambdad(("image", "label"), lambda x: x.flip(-1)), jitter=0.0, components=0.0)
    assert items[1]["boxes"][0].tolist() == [3, 5, 14, 34]


def test_the_same_seed_gives_the_same_items():
    one, other = (data(seed=4)[0] for _ in range(2))
    assert one.pop("case") == other.pop("case")
    assert all(value.equal(other[key]) for key, value in one.items())
    assert not data(seed=5)[0]["boxes"].equal(one["boxes"])


def test_weights_are_those_of_the_items_that_remain():
    assert data(smallest=300).weights({"s": 3.0}).tolist() == [1.5, 1.5]
