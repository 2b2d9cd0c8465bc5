from __future__ import annotations

import pytest
import torch
from monai.data import DataLoader, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer

from monai_ext.engines.prepare_batch import PrepareTextPrompts, item_prompts
from monai_ext.errors import InputError
from monai_ext.inferers import PromptInferer
from monai_ext.prompts.prompt import GroupedPrompt, Prompt
from tests.fakes import FeedForward
from tests.training import batch_of, items


class TestEvaluationBatch:
    def test_the_items_prompts_go_to_the_inferer(self):
        *_, args, kwargs = PrepareTextPrompts()(batch_of([["lungs", "left kidney", "heart"]]))
        assert args == ()
        assert kwargs == {"prompts": ["lungs", "left kidney", "heart"]}

    def test_equal_prompts_may_share_a_batch(self):
        *_, kwargs = PrepareTextPrompts()(batch_of([["lungs", "heart"]] * 2))
        assert kwargs == {"prompts": ["lungs", "heart"]}

    def test_ensembles_of_texts_go_to_the_inferer_as_prompts(self):
        asked = {"texts": ["A.\nB.", "spoon"], "target": ["lungs", ""], "subtype": ["normal", ""]}
        item = {"image": torch.rand(3, 4, 4), "prompt": ["A. (and 1 more)", "spoon"], **asked}
        (batch,) = DataLoader([item], batch_size=1)
        *_, kwargs = PrepareTextPrompts()(batch)
        assert kwargs == {
            "prompts": [
                Prompt(("A.", "B."), "lungs", oracle=True, verbatim=True),
                Prompt(("spoon",), verbatim=True),
            ]
        }

    def test_the_texts_of_several_levels_are_parts_of_one_prompt(self):
        asked = {"texts": ["lungs\n\nA.\nB."], "target": ["lungs"], "subtype": [""]}
        item = {"image": torch.rand(3, 4, 4), "prompt": ["lungs (and 2 more)"], **asked}
        (batch,) = DataLoader([item], batch_size=1)
        *_, kwargs = PrepareTextPrompts()(batch)
        assert kwargs == {
            "prompts": [GroupedPrompt(("lungs", "A.", "B."), "lungs", groups=(1, 2), verbatim=True)]
        }

    def test_different_prompts_may_not(self):
        with pytest.raises(InputError, match="batch size of 1"):
            PrepareTextPrompts()(batch_of([["lungs", "heart"], ["lungs", "liver"]]))

    def test_without_prompts_the_inferer_asks_its_own(self):
        image = torch.rand(1, 3, 4, 4)
        assert PrepareTextPrompts()({"image": image}) == (image, None, (), {})

    def test_an_item_with_an_empty_list_is_refused(self):
        with pytest.raises(InputError, match="key 'prompt'"):
            PrepareTextPrompts()(batch_of([[]]))

    def test_volumes_are_left_where_they_are(self):
        image = torch.rand(1, 3, 4, 4, 4)
        prepared, *_ = PrepareTextPrompts()({"image": image}, device=torch.device("meta"))
        assert prepared is image

    def test_monais_evaluator_segments_every_item_by_its_own_prompts(self):
        data = [
            {"image": MetaTensor(item["image"]), "label": item["label"], "prompt": prompts}
            for item, prompts in zip(items(), (["lungs"], ["left kidney", "heart"]))
        ]
        network, found = FeedForward(), []
        evaluator = SupervisedEvaluator(
            device=torch.device("cpu"),
            val_data_loader=DataLoader(data, batch_size=1),
            network=network,
            inferer=PromptInferer("never asked", gate=False),
            prepare_batch=PrepareTextPrompts(),
            postprocessing=lambda item: found.append(item["pred"]) or item,
        )
        evaluator.run()
        for result, item in zip(found, data, strict=True):
            assert result.meta["presence"].shape == (len(item["prompt"]),)
            for channel, prompt in zip(result, item["prompt"], strict=True):
                expected = SimpleInferer()(item["image"][None], network.eval(), prompt).sigmoid()[0, 0]
                assert torch.allclose(channel, expected, atol=1e-6)


def test_a_bare_string_is_not_read_letter_by_letter():
    with pytest.raises(InputError, match="holds 'lungs'"):
        item_prompts({"prompt": "lungs"}, 5)
