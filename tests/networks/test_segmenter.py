from __future__ import annotations

import copy
import json
import sys

import pytest
import torch
import torch.multiprocessing as mp
from monai.bundle import ckpt_export, onnx_export, trt_export

from monai_ext.errors import InputError, actionable
from monai_ext.inferers import PromptInferer
from monai_ext.networks import segmenter
from monai_ext.networks.segmenter import Segmentation, TextPromptedSegmenter
from monai_ext.prompts.prompt import Prompt
from tests.abstract import incomplete
from tests.fakes import FAKES, PreferenceTask
from tests.training import gradients, items, make, run_process, train, train_one_step, volume

PROCESSES = 2


@pytest.mark.parametrize("name", FAKES)
class TestContract:
    def test_forward_gives_float32_logits_of_the_image_size(self, name):
        logits = make(name)(torch.rand(2, 3, 9, 7))
        assert logits.shape == (2, 1, 9, 7)
        assert logits.dtype == torch.float32

    def test_forward_in_full_gives_presence_too(self, name):
        result = make(name)(torch.rand(2, 3, 9, 7), "lungs", full=True)
        assert isinstance(result, Segmentation)
        assert result.presence.shape == (2,)

    def test_one_prompt_for_all_is_the_same_prompt_for_each(self, name):
        network, images = make(name).eval(), torch.rand(2, 3, 9, 7)
        assert torch.equal(network(images, "lungs"), network(images, ["lungs", Prompt(("lungs",))]))

    def test_without_a_prompt_the_default_one_is_asked(self, name):
        network, images = make(name).eval(), torch.rand(1, 3, 9, 7)
        network.default_prompt = Prompt(("heart",))
        assert torch.equal(network(images), network(images, "heart"))
        assert not torch.equal(network(images), network(images, "lungs"))

    def test_every_image_follows_its_own_prompt(self, name):
        network, images = make(name).eval(), torch.rand(3, 3, 9, 7)
        prompts = ["lungs", "the left kidney", Prompt(("liver", "the whole liver"))]
        together = network(images, prompts)
        for image, prompt, logits in zip(images, prompts, together):
            assert torch.allclose(network(image[None], prompt)[0], logits, atol=1e-5, rtol=0)

    def test_too_few_prompts_are_refused(self, name):
        with pytest.raises(ValueError, match="1 prompts for 2 images"):
            make(name)(torch.rand(2, 3, 9, 7), ["lungs"])

    def test_several_prompts_of_an_image_share_one_encoding(self, name, monkeypatch):
        network, images = make(name).eval(), torch.rand(2, 3, 9, 7)
        rows = [["lungs", "heart", "liver"], ["spleen", "the left kidney", "lungs"]]
        columns = [network(images, list(column)) for column in zip(*rows)]
        encode, calls = network.encode, []
        monkeypatch.setattr(network, "encode", lambda image: calls.append(1) or encode(image))
        assert torch.equal(network(images, rows), torch.cat(columns, dim=1))
        whole = network(images, rows, full=True)
        assert [one.presence.shape for one in whole] == [(2,)] * 3
        assert len(calls) == 2

    def test_images_with_different_numbers_of_prompts_are_refused(self, name):
        with pytest.raises(ValueError, match=r"images with \[1, 2\] prompts"):
            make(name)(torch.rand(2, 3, 9, 7), [["lungs"], ["lungs", "heart"]])


@pytest.mark.parametrize("name", FAKES)
class TestTraining:
    def test_one_step_moves_every_trainable_weight(self, name):
        network = make(name)
        before = copy.deepcopy(network.state_dict())
        loss = train_one_step(network, name, items())
        assert 0 < loss < 20
        for key, parameter in network.named_parameters():
            assert torch.equal(parameter, before[key]) != parameter.requires_grad, key

    def test_the_step_goes_down_the_loss(self, name):
        network = make(name)
        first = train_one_step(network, name, items())
        for _ in range(5):
            last = train_one_step(network, name, items())
        assert last < first


def test_the_frozen_reference_stays_and_the_network_leaves_it():
    network = make("feed-forward")
    before = copy.deepcopy(network.state_dict())
    task = PreferenceTask(network)
    train(task, items())
    assert not task.reference.training and task.network.training
    assert all(p.grad is None for p in task.reference.parameters())
    for key, value in task.reference.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert network.mask.weight.ne(task.reference.mask.weight).all()


def test_a_segmenter_without_encode_or_segment_cannot_be_built():
    class Half(TextPromptedSegmenter):
        def encode(self, image):
            return {}

    with pytest.raises(TypeError, match="abstract method '?segment"):
        Half()


def test_test_time_gradients_change_the_result_under_no_grad():
    network = make("test-time gradient").eval()
    with torch.no_grad():
        stages = [network(torch.ones(1, 3, 9, 7), "lungs", full=True).stages["saliency"]]
        network.steps = 0
        stages.append(network(torch.ones(1, 3, 9, 7), "lungs", full=True).stages["saliency"])
    assert torch.equal(stages[1], torch.full((1, 1, 9, 7), 0.5))
    assert (stages[0] - stages[1]).abs().max() > 0.1


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What two processes found and learned, each on half of the images: one dict a process."""
    folder = tmp_path_factory.mktemp("gloo")
    mp.spawn(run_process, args=(PROCESSES, str(folder)), nprocs=PROCESSES)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


@pytest.mark.parametrize("name", FAKES)
class TestTwoProcesses:
    def test_gradients_are_those_of_the_joined_batch(self, name, ranks):
        network = make(name)
        train_one_step(network, name, items())
        expected = gradients(network)
        assert len(expected) == sum(p.requires_grad for p in network.parameters())
        for rank in ranks:
            assert rank[name]["gradients"].keys() == expected.keys()
            for key, gradient in expected.items():
                assert torch.allclose(rank[name]["gradients"][key], gradient, atol=1e-6, rtol=1e-4), key

    def test_each_part_alone_has_other_gradients(self, name):
        whole, part = make(name), make(name)
        train_one_step(whole, name, items())
        train_one_step(part, name, items()[::PROCESSES])
        differences = [
            (a - b).abs().max() for a, b in zip(gradients(whole).values(), gradients(part).values())
        ]
        assert max(differences) > 1e-3

    @pytest.mark.filterwarnings("ignore:The volume has no affine")
    def test_masks_are_those_of_one_process(self, name, ranks):
        expected = PromptInferer("lungs; heart", slice_axis=2)(volume(), make(name).eval())
        for rank in ranks:
            assert torch.allclose(rank[name]["found"], expected.as_tensor(), atol=1e-6)


@pytest.mark.parametrize(
    ("convert", "kind"), [(ckpt_export, "TorchScript"), (onnx_export, "ONNX"), (trt_export, "TensorRT")]
)
def test_commands_that_convert_networks_are_refused_by_name_and_with_what_is_there_instead(
    tmp_path, monkeypatch, convert, kind
):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    config = tmp_path / "inference.json"
    config.write_text(json.dumps({"network_def": {"_target_": "tests.fakes.FeedForward"}}))
    files = {"config_file": config, "meta_file": config, "ckpt_file": config, "filepath": tmp_path / "out"}
    settings = {"net_id": "network_def", "input_shape": [1, 3, 8, 8], **{k: str(v) for k, v in files.items()}}
    if kind == "TensorRT":
        settings["precision"] = "fp32"
    for command_line in (False, True):
        monkeypatch.setattr(segmenter, "is_monai_command_line", iter([command_line]).__next__)
        with pytest.raises(RuntimeError) as caught:
            convert(**settings)
        reason = actionable(caught.value)
        assert isinstance(reason, InputError) and str(reason).startswith(f"{convert.__name__}: a network")
        assert f"become {kind};" in str(reason) and "monai-ext bundles export" in str(reason)
        assert (sys.excepthook is not sys.__excepthook__) == command_line


def test_a_function_of_the_same_name_elsewhere_builds_networks():
    def ckpt_export():
        return make(next(iter(FAKES)))

    assert isinstance(ckpt_export(), TextPromptedSegmenter)


@pytest.mark.parametrize("missing", ["encode", "segment"])
def test_a_segmenter_without_one_of_its_methods_cannot_be_built(missing):
    with pytest.raises(TypeError, match=f"abstract method '?{missing}'?"):
        incomplete(TextPromptedSegmenter, missing)()
