"""A batch is asked by one kind of visual prompt, which the decoder takes as it is; also on several processes."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from monai_ext.engines.tasks.visual_prompts import KINDS, PrepareVisualPrompts, VisualPromptTask
from monai_ext.losses.visual_prompt import VisualPromptLoss
from monai_ext.networks.decoders.compact_sam import CompactSAM
from tests.bundles.small import SAM
from tests.training import train

BATCH = {
    "image": torch.rand(2, 3, 32, 32),
    "label": torch.ones(2, 4, 32, 32),
    "boxes": torch.rand(2, 4, 4),
    "points": torch.rand(2, 4, 3, 2),
    "point_labels": torch.ones(2, 4, 3, dtype=torch.int32),
    "masks": torch.rand(2, 4, 16, 16),
}
GIVEN = {
    "box": {"boxes"},
    "box+points": {"boxes", "points"},
    "points": {"points"},
    "point": {"points"},
    "box+mask": {"boxes", "masks"},
    "point+mask": {"points", "masks"},
}


def as_it_is(tensor):
    return tensor


def task(kinds, **more):
    return VisualPromptTask(CompactSAM(**SAM), VisualPromptLoss(), kinds, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_what_its_name_says(kind):
    batch = task({kind: 1}).prepare_batch(BATCH, as_it_is)
    assert batch["image"] is BATCH["image"] and batch["label"] is BATCH["label"]
    asked = batch["prompts"]
    assert set(asked) - {"multimask"} == GIVEN[kind]
    assert asked["multimask"] == (kind == "points")


def test_kinds_come_as_often_as_they_are_weighted():
    torch.manual_seed(0)
    one = task({"box": 3, "points": 1, "point": 0})
    drawn = [one.prepare_batch(BATCH, as_it_is)["prompts"] for _ in range(400)]
    assert sum("boxes" in one for one in drawn) == pytest.approx(300, abs=35)
    assert all(one["multimask"] for one in drawn if "points" in one)


def test_points_are_one_or_several_and_agree_with_their_labels():
    torch.manual_seed(0)
    one = task({"points": 1}, single=0.6)
    counts = []
    for _ in range(300):
        points, labels = one.prepare_batch(BATCH, as_it_is)["prompts"]["points"]
        assert points.shape[:3] == labels.shape
        counts.append(points.shape[2])
    assert counts.count(1) == pytest.approx(300 * (0.6 + 0.4 / 3), abs=30)
    assert set(counts) == {1, 2, 3}


@pytest.mark.parametrize("kind", ["point", "point+mask"])
def test_a_point_is_one(kind):
    assert task({kind: 1}, single=0).prepare_batch(BATCH, as_it_is)["prompts"]["points"][0].shape[2] == 1


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match=r"\['circle'\]; choose from box, box\+points"):
        task({"box": 1, "circle": 1})


def test_the_loss_is_that_of_every_prompt_of_every_image():
    one = task({"box": 1})
    batch = one.prepare_batch(BATCH, as_it_is)
    logits, iou = one.network(BATCH["image"], boxes=BATCH["boxes"])
    expected = VisualPromptLoss()(
        logits.flatten(0, 1), iou.flatten(0, 1), BATCH["label"].reshape(8, 1, 32, 32)
    )
    assert torch.equal(one(batch)["loss"], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_an_evaluator_gets_one_point_and_what_else_the_kind_says(kind):
    image, label, args, asked = PrepareVisualPrompts(kind)(BATCH)
    assert image is BATCH["image"] and label is BATCH["label"] and args == ()
    assert set(asked) - {"multimask"} == GIVEN[kind] and asked["multimask"] == (kind == "points")
    if "points" in asked:
        assert torch.equal(asked["points"][0], BATCH["points"][:, :, :1])
        assert torch.equal(asked["points"][1], BATCH["point_labels"][:, :, :1])


def test_an_evaluator_refuses_an_unknown_kind():
    with pytest.raises(ValueError, match="'scribble'"):
        PrepareVisualPrompts("scribble")


def items():
    """Four images with four objects each, every kind of prompt beside them."""
    generator = torch.Generator().manual_seed(7)
    one = {key: value[0] for key, value in BATCH.items()}
    return [{**one, "image": torch.rand(3, 32, 32, generator=generator)} for _ in range(4)]


def weights(one):
    """What the optimizer changes; statistics of a batch are each process's own."""
    return {name: p.detach().clone() for name, p in one.network.named_parameters()}


def train_on(rank, processes, folder):
    """Three steps of boxes, which leave other weights unused, on this process's share of the images."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=processes)
    torch.manual_seed(0)
    one = task({"box": 1} if rank == 0 else {"point+mask": 1})
    train(one, items()[rank::processes], epochs=3)
    torch.save(weights(one), Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


def test_several_processes_take_steps_though_each_kind_leaves_weights_unused(tmp_path):
    mp.spawn(train_on, args=(2, str(tmp_path)), nprocs=2)
    torch.manual_seed(0)
    start = weights(task({"box": 1}))
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert sum(not torch.equal(value, start[key]) for key, value in first.items()) > 0.8 * len(start)
