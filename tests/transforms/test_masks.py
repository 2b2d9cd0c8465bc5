from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch
from monai.transforms import Compose, SaveImaged

from monai_ext.transforms import LabelMap, LabelMapd, PopPresenced, PromptMasks, PromptMasksd
from monai_ext.transforms.masks import mask_ranks

PROBABILITIES = torch.tensor([[[0.0, 0.5, 0.51, 0.9]], [[0.4, 0.5, 0.8, 0.9]]])


def test_masks_are_above_the_threshold() -> None:
    masks = PromptMasks(0.5)(PROBABILITIES)
    assert masks.dtype == torch.uint8
    assert masks.tolist() == [[[0, 0, 1, 1]], [[0, 0, 1, 1]]]


def test_the_higher_probability_wins_and_the_earlier_prompt_on_a_tie() -> None:
    labels = LabelMap(0.5)(PROBABILITIES)
    assert labels.dtype == torch.uint8
    assert labels.tolist() == [[[0, 0, 2, 1]]]


def test_a_lower_threshold_lets_more_in() -> None:
    assert LabelMap(0.3)(PROBABILITIES).tolist() == [[[2, 1, 2, 1]]]


def test_more_prompts_than_a_byte_counts_are_refused() -> None:
    assert LabelMap()(torch.ones(255, 1, 1)).tolist() == [[[1]]]
    with pytest.raises(ValueError, match="256 prompts"):
        LabelMap()(torch.ones(256, 1, 1))


def test_one_prompt_is_label_one() -> None:
    assert LabelMap(0.5)(PROBABILITIES[:1]).tolist() == [[[0, 0, 1, 1]]]
    assert LabelMap(0.5)(torch.tensor([0.5, 0.6]).reshape(1, 1, 1, 2)).tolist() == [[[[0, 1]]]]


@pytest.mark.parametrize("transform", [PromptMasksd, LabelMapd, PopPresenced])
def test_a_missing_key_is_an_error_unless_it_may_be_missing(transform: type) -> None:
    with pytest.raises(KeyError, match="pred"):
        transform()({"other": 1})
    assert transform(allow_missing_keys=True)({"other": 1}) == {"other": 1}


def test_ranks_order_the_masks_of_each_pixel() -> None:
    probabilities = torch.tensor([[0.9, 0.4, 0.6, 0.5], [0.7, 0.9, 0.6, 0.2], [0.8, 0.3, 0.7, 0.1]])
    ranks = mask_ranks(probabilities, 0.5)
    assert ranks.dtype == torch.uint8
    # third place: the earlier of two equals is above; fourth place: 0.5 is not above 0.5
    assert ranks.tolist() == [[3, 0, 2, 0], [1, 1, 1, 0], [2, 0, 3, 0]]


def test_many_equal_masks_rank_in_the_order_of_their_prompts() -> None:
    # few values are sorted in a stable way in any case
    assert mask_ranks(torch.full((200, 3), 0.7), 0.5)[:, 1].tolist() == list(range(200, 0, -1))


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_masks_and_label_map_of_ranks_are_those_of_probabilities(threshold: float) -> None:
    probabilities = torch.randint(0, 11, (5, 6, 7, 4)) / 10  # many ties, and values at the threshold itself
    ranks = mask_ranks(probabilities, threshold)
    for emptied in ([], [1], [0, 3]):  # as prompts that are judged absent
        left, order = probabilities.clone(), ranks.clone()
        left[emptied], order[emptied] = 0, 0
        assert torch.equal(LabelMap(0.5)(order), LabelMap(threshold)(left))
        assert torch.equal(PromptMasks(0.5)(order), PromptMasks(threshold)(left))


def test_more_masks_at_one_pixel_than_a_byte_counts_are_all_kept() -> None:
    ranks = mask_ranks(torch.linspace(0.6, 0.9, 300)[:, None], 0.5)
    assert ranks.min() == 1 and ranks[-1] == 255 and ranks[-2] == 254
    assert PromptMasks()(ranks).sum() == 300


def test_a_label_map_lies_in_memory_as_what_it_was_made_of() -> None:
    as_files = torch.rand(2, 3, 4, 5).permute(0, 3, 2, 1)
    labels = LabelMap(0.5)(as_files)
    assert labels.stride()[1:] == (1, 5, 20)
    assert torch.equal(labels, LabelMap(0.5)(as_files.contiguous()))


def test_the_label_map_is_made_before_ranks_become_masks() -> None:
    ranks = torch.tensor([[2, 1, 0]], dtype=torch.uint8).T.reshape(3, 1, 1)
    item = PromptMasksd(label_map=True)({"pred": ranks[[1, 0, 2]]})
    assert item["pred"].tolist() == [[[2]]]
    assert item["masks"].tolist() == [[[1]], [[1]], [[0]]]


def batch(cases: int = 2, prompts: int = 2, slices: int = 3) -> MetaTensor:
    """What PromptInferer returns for `cases` cases."""
    pred = MetaTensor(torch.rand(cases, prompts, 4, 5, slices), affine=torch.eye(4).repeat(cases, 1, 1))
    pred.is_batch = True
    pred.meta["filename_or_obj"] = [f"{i}.nii" for i in range(cases)]
    pred.meta["presence"] = torch.arange(cases * prompts, dtype=torch.float32).reshape(cases, prompts) / 10
    pred.meta["slice_presence"] = torch.arange(cases * prompts * slices).reshape(cases, prompts, slices) / 100
    pred.meta["unknown"] = [f"\nno word {i}" for i in range(cases)]
    pred.meta["reading"] = [f'[{{"asked": "liver {i}"}}, {{}}]' for i in range(cases)]
    return pred


def test_presence_is_decollated_with_its_case_and_moved_to_keys_of_its_own() -> None:
    items = [PopPresenced()(item) for item in decollate_batch({"pred": batch()})]
    assert [item["presence"].tolist() for item in items] == [
        [0.0, pytest.approx(0.1)],
        [pytest.approx(0.2), pytest.approx(0.3)],
    ]
    assert items[1]["slice_presence"].shape == (2, 3)
    assert items[1]["slice_presence"][1].tolist() == pytest.approx([0.09, 0.10, 0.11])
    assert [item["unknown"] for item in items] == [["", "no word 0"], ["", "no word 1"]]
    assert [item["reading"] for item in items] == [[{"asked": "liver 0"}, {}], [{"asked": "liver 1"}, {}]]
    for item in items:
        assert {"presence", "slice_presence", "unknown", "reading"}.isdisjoint(item["pred"].meta)
    assert items[1]["pred"].meta["filename_or_obj"] == "1.nii"


def test_presence_that_still_has_its_batch_axis_is_understood() -> None:
    # MONAI Label takes outputs[0] of a tensor that it does not know to be a batch
    pred = MetaTensor(
        torch.rand(2, 4, 5),
        meta={
            "presence": torch.tensor([[0.1, 0.2]]),
            "slice_presence": torch.rand(1, 2, 1),
            "unknown": ["\nno word"],
            "reading": ["[{}, {}]"],
        },
    )
    item = PopPresenced()({"pred": pred})
    assert item["presence"].tolist() == pytest.approx([0.1, 0.2])
    assert item["slice_presence"].shape == (2, 1)
    assert item["unknown"] == ["", "no word"]
    assert item["reading"] == [{}, {}]


def test_a_prediction_without_presence_is_refused() -> None:
    with pytest.raises(ValueError, match="no presence and slice_presence and unknown and reading"):
        PopPresenced()({"pred": MetaTensor(torch.rand(2, 4, 5))})
    meta = {
        "presence": torch.zeros(3),
        "slice_presence": torch.zeros(3, 1),
        "unknown": "\n\n",
        "reading": "[{}, {}, {}]",
    }
    with pytest.raises(ValueError, match="presence of 3 prompts for 2 channels"):
        PopPresenced()({"pred": MetaTensor(torch.rand(2, 4, 5), meta=meta)})


def test_the_chain_ends_in_one_map_and_leaves_the_input_alone() -> None:
    chain = Compose([PopPresenced(keys="pred"), PromptMasksd(keys="pred"), LabelMapd(keys="pred")])
    item = decollate_batch({"pred": batch()})[0]
    kept = item["pred"].clone()
    result = chain(item)
    assert result["masks"].shape == (2, 4, 5, 3)
    assert result["pred"].shape == (1, 4, 5, 3)
    assert result["pred"].dtype == torch.uint8
    np.testing.assert_array_equal(item["pred"].numpy(), kept.numpy())
    np.testing.assert_array_equal(result["pred"].affine, np.eye(4))
    assert not any(isinstance(t, SaveImaged) for t in chain.transforms)
