"""Phantoms and photographs as training material."""

import torch

from monai_ext.data.text_prompt_dataset import TextPromptDataset
from monai_ext.prompts.library import PromptLibrary
from monai_ext.synthesis.phantoms import KINDS, phantom
from monai_ext.synthesis.training_slices import PHOTOGRAPHS, phantom_slices, photograph_slices


def test_phantom_slices_keep_image_masks_facts_and_what_is_absent():
    slices = phantom_slices(2, 64)
    assert [one["set"] for one in slices] == [*["phantoms"] * len(KINDS), "textures"] * 2
    for kind, found in zip(KINDS, slices, strict=False):
        one = phantom(kind, 0, 64)
        assert (found["image"].float() / 255 - torch.tensor(one["image"])).abs().max() <= 0.5 / 255 + 1e-6
        assert found["facts"] == one["facts"]
        shown = {t: m for t, m in zip(found["targets"], found["masks"], strict=True) if m.any()}
        assert set(shown) == set(one["masks"])
        assert set(found["targets"]) - set(shown) == set(one["absent"])
        assert all(torch.equal(mask, torch.tensor(one["masks"][name])) for name, mask in shown.items())


def test_photographs_show_no_target():
    slices = photograph_slices(48, crops=2, collages=5)
    assert len(slices) == 3 * len(PHOTOGRAPHS) + 5
    assert all(one["image"].shape == (3, 48, 48) and one["targets"] == [] for one in slices)


def test_training_items_of_phantoms_pair_a_sentence_with_its_mask():
    library = PromptLibrary.load()
    data = TextPromptDataset(
        [], library, dict, additional_slices=phantom_slices(2, 64), absent=0.0, rewording=0.0, seed=1
    )
    for item, pair in zip((data[i] for i in range(len(data))), data.data, strict=True):
        one, k = pair["slice"], pair["target"]
        if k is None:
            assert not item["label"].any()
        else:
            texts = library.training(one["targets"][k], one["modality"], one["facts"])
            assert item["prompt"][0] in texts
            assert torch.equal(item["label"][0], one["masks"][k].float())
