"""What the segmentation task takes of a batch, and that its loss is that of the network's results."""

import pytest
import torch

from monai_ext.engines.tasks import SegmentationTask
from monai_ext.errors import InputError
from monai_ext.losses import TextPromptLoss
from monai_ext.losses.text_prompt import balanced_entropy
from tests.fakes import FeedForward
from tests.training import batch_of

TASK = SegmentationTask(FeedForward(), TextPromptLoss())


def as_it_is(tensor):
    return tensor


@pytest.mark.parametrize("prompts", [["lungs", "heart"], [["lungs"], ["heart"]]], ids=["strings", "lists"])
def test_one_prompt_per_image_and_a_label(prompts):
    batch = batch_of(prompts)
    prepared = TASK.prepare_batch(batch, as_it_is)
    assert torch.equal(prepared["image"], batch["image"])
    assert torch.equal(prepared["target"], batch["label"])
    assert prepared["prompt"] == ["lungs", "heart"]


def test_tensors_move_as_the_trainer_says():
    prepared = TASK.prepare_batch(batch_of(["lungs"]), torch.Tensor.double)
    assert prepared["image"].dtype == prepared["target"].dtype == torch.float64


def test_several_prompts_of_an_image_have_a_label_channel_each():
    batch = batch_of([["lungs", "heart"], ["liver", "spleen"], ["polyp", "left lung"]])
    batch["label"] = batch["label"].repeat(1, 2, 1, 1)
    prepared = TASK.prepare_batch(batch, as_it_is)
    assert prepared["target"].shape == (3, 2, 4, 4)
    assert prepared["prompt"] == [["lungs", "heart"], ["liver", "spleen"], ["polyp", "left lung"]]


def test_what_is_known_of_the_pictures_goes_to_the_loss_with_the_labels():
    batch = batch_of(["lungs", "heart"]) | {"medical": torch.tensor([1.0, 0.0], dtype=torch.float64)}
    target = TASK.prepare_batch(batch, as_it_is)["target"]
    assert torch.equal(target["label"], batch["label"])
    assert torch.equal(target["medical"], torch.tensor([1.0, 0.0]))


def test_a_prompt_without_a_label_of_its_own_is_refused():
    with pytest.raises(InputError, match=r"items with \[2\] prompts and 1 label channels"):
        TASK.prepare_batch(batch_of([["lungs", "heart"]]), as_it_is)


def test_an_item_without_prompt_or_label_is_refused():
    batch = batch_of(["lungs"])
    with pytest.raises(InputError, match="key 'prompt'"):
        TASK.prepare_batch({"image": batch["image"], "label": batch["label"]}, as_it_is)
    with pytest.raises(InputError, match="key 'label'"):
        TASK.prepare_batch(batch_of(["lungs"], label=False), as_it_is)


def test_the_loss_is_that_of_the_results_and_reaches_the_network():
    batch = TASK.prepare_batch(batch_of(["lungs", "heart"]), as_it_is)
    ((name, loss),) = TASK(batch).items()
    results = TASK.network(batch["image"], ["lungs", "heart"], full=True)
    assert name == "loss" and torch.equal(loss, TextPromptLoss()(results, batch["target"]))
    loss.backward()
    assert all(p.grad is not None for p in TASK.network.parameters())


def test_the_loss_is_of_full_precision_under_autocast():
    seen = []

    def loss(result, target):
        seen.append(torch.is_autocast_enabled("cpu"))
        return result.logits.mean()

    task = SegmentationTask(FeedForward(), loss)
    with torch.autocast("cpu", torch.bfloat16):
        task(task.prepare_batch(batch_of(["lungs"]), as_it_is))
    assert seen == [False]


def test_the_state_of_a_task_is_that_of_its_network():
    network = FeedForward()
    state = SegmentationTask(network, TextPromptLoss()).state_dict()
    assert state.keys() == network.state_dict().keys()
    other = SegmentationTask(FeedForward(), TextPromptLoss())
    other.load_state_dict(state)
    assert torch.equal(other.network.mask.weight, network.mask.weight)


def test_sentences_that_are_compared_with_the_kind_of_every_image_reach_the_network_and_its_loss():
    batch = batch_of(["lungs", "heart"]) | {
        "asked": [("liver", "knee"), ("polyp", "tooth")],  # as collation turns the lists of two items over
        "asks": torch.tensor([[1, 2], [2, 1]]),
        "shows": torch.tensor([[0, 1, 0], [0, 0, 1]], dtype=torch.int8),
    }
    prepared = TASK.prepare_batch(batch, as_it_is)
    assert prepared["asked"] == [["liver", "polyp"], ["knee", "tooth"]]
    assert torch.equal(prepared["target"]["asks"], batch["asks"])
    assert torch.equal(prepared["target"]["shows"], batch["shows"])
    assert TASK.prepare_batch(batch_of(["lungs", "heart"]), as_it_is)["asked"] is None

    class Fits(FeedForward):
        def fits(self, features, prompts):
            return torch.tensor([[0.1 * len(prompt.texts[0]) for prompt in prompts]] * 2)

    task = SegmentationTask(Fits(), TextPromptLoss(dice=0, cross_entropy=0, presence=0))
    loss = task.forward(task.prepare_batch(batch, as_it_is))["loss"]
    logits = torch.tensor([[0.5, 0.5, 0.4, 0.5]] * 2)  # liver, polyp, knee, tooth
    truth = torch.tensor([[1, 0, 0, 1], [0, 1, 1, 0]])
    assert float(loss) == pytest.approx(float(balanced_entropy(logits, truth)))
