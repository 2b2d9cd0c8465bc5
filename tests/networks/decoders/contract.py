"""What every visual-prompt decoder promises; a new decoder is tested by a subclass of :class:`DecoderContract`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from monai_ext.networks.decoders.base import VisualPromptDecoder

KINDS = ("boxes", "points", "masks", "tokens", "boxes, points, masks, tokens")
SIZES = ((50, 70), (90, 64), (1, 1), (200, 30))


def randomised(network: nn.Module, noise: float) -> Any:
    """The network in evaluation mode with noise on every weight, also on those that begin as zeros."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(noise * torch.randn_like(weight))
    return network.eval()


def visual_prompts(network: VisualPromptDecoder, kind: str, images: int, number: int) -> dict[str, Any]:
    """Prompts within 50 pixels of the kinds that `kind` names, `number` for each of the images."""
    prompts: dict[str, Any] = {
        "boxes": torch.rand(images, number, 2, 2).sort(2).values.flatten(2) * 50,
        "points": (
            torch.rand(images, number, 5, 2) * 50,
            torch.tensor([1, 0, 1, 1, -1]).expand(images, number, 5),
        ),
        "masks": torch.randn(images, number, network.mask_size, network.mask_size),
        "tokens": torch.randn(images, number, 4, network.token_size),
    }
    return {name: value for name, value in prompts.items() if name in kind}


def one_prompt(prompts: Mapping[str, Any], image: int, number: int) -> dict[str, Any]:
    """One prompt of one image, with both axes kept."""

    def cut(value: Tensor) -> Tensor:
        return value[image : image + 1, number : number + 1]

    return {
        name: tuple(cut(one) for one in value) if isinstance(value, tuple) else cut(value)
        for name, value in prompts.items()
    }


@pytest.mark.usefixtures("no_network")
class DecoderContract:
    """Tests of one decoder, small and with random weights.

    Attributes:
        decoder: the class.
        small: arguments of a small one.
        noise: standard deviation of the noise on its weights.
        image_encoder, prompt_encoder: names of its modules.
        public: numbers of parameters of the full sizes by the name of a public file.
    """

    decoder: type[VisualPromptDecoder]
    small: Mapping[str, Any]
    noise = 0.1
    image_encoder = "image_encoder"
    prompt_encoder = "prompt_encoder"
    public: Mapping[str, int]

    def full_size(self, name: str) -> VisualPromptDecoder:
        """The decoder whose weights a public file holds; called on the meta device."""
        raise NotImplementedError

    def public_shapes(self, name: str) -> dict[str, tuple[int, ...]]:
        """Names and shapes in the public file; called on the meta device."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "public_name" in metafunc.fixturenames:
            metafunc.parametrize("public_name", self.public)

    @pytest.fixture
    def network(self) -> VisualPromptDecoder:
        return self.build()

    def build(self) -> VisualPromptDecoder:
        return randomised(self.decoder(**self.small), self.noise)

    # shapes and kinds of prompts

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("multimask", [False, True])
    @torch.no_grad()
    def test_logits_come_back_at_the_size_of_the_image(self, network, size, multimask):
        boxes = visual_prompts(network, "boxes", 2, 3)["boxes"]
        features = network.encode(torch.rand(2, 3, *size))
        masks = network.num_multimask_outputs if multimask else 1
        low, _ = network.predict(features, boxes=boxes, multimask=multimask)
        logits, iou = network.decode(features, boxes=boxes, multimask=multimask)
        assert len(features) == 2 and (features.letterbox.height, features.letterbox.width) == size
        assert low.shape == (2, 3, masks, network.mask_size, network.mask_size)
        assert logits.shape == (2, 3, masks, *size) and logits.dtype == torch.float32
        assert iou.shape == (2, 3, masks)
        assert logits.isfinite().all() and iou.isfinite().all()

    @pytest.mark.parametrize("kind", KINDS)
    @torch.no_grad()
    def test_a_batch_gives_the_masks_of_its_images_and_prompts_one_by_one(self, network, kind):
        image, prompts = torch.rand(2, 3, 50, 70), visual_prompts(network, kind, 2, 3)
        logits, iou = network(image, **prompts, multimask=True)
        for b in range(2):
            for n in range(3):
                one, one_iou = network(image[b : b + 1], **one_prompt(prompts, b, n), multimask=True)
                torch.testing.assert_close(one[0, 0], logits[b, n], atol=1e-5, rtol=0)
                torch.testing.assert_close(one_iou[0, 0], iou[b, n], atol=1e-5, rtol=0)
        assert not torch.allclose(logits[0], logits[1], atol=1e-4)  # images and prompts matter

    @torch.no_grad()
    def test_every_kind_of_prompt_changes_the_mask(self, network):
        features, prompts = network.encode(torch.rand(1, 3, 50, 70)), visual_prompts(network, KINDS[-1], 1, 1)
        whole, _ = network.predict(features, **prompts)
        for name in prompts:
            others = {key: value for key, value in prompts.items() if key != name}
            without, _ = network.predict(features, **others)
            assert not torch.allclose(without, whole, atol=1e-5), name

    @torch.no_grad()
    def test_points_with_the_label_of_padding_do_not_count(self, network):
        image, prompts = torch.rand(1, 3, 50, 70), visual_prompts(network, "points", 1, 2)
        points, labels = prompts["points"]
        moved = torch.where(labels[..., None] == -1, torch.rand(2) * 50, points)
        wanted, _ = network(image, points=(points, labels))
        found, _ = network(image, points=(moved, labels))
        assert not torch.equal(moved, points) and torch.equal(found, wanted)

    @torch.no_grad()
    def test_without_prompts_there_is_one_mask_and_for_none_of_them_no_mask(self, network):
        features = network.encode(torch.rand(2, 3, 50, 40))
        assert network.decode(features)[0].shape == (2, 1, 1, 50, 40)
        for multimask, masks in ((False, 1), (True, network.num_multimask_outputs)):
            logits, iou = network.decode(features, boxes=torch.zeros(2, 0, 4), multimask=multimask)
            assert logits.shape == (2, 0, masks, 50, 40) and iou.shape == (2, 0, masks)

    @pytest.mark.parametrize("wrong", ["boxes", "images", "labels", "masks", "tokens", "numbers"])
    @torch.no_grad()
    def test_prompts_of_another_shape_are_refused_in_one_line(self, network, wrong):
        side, length = network.mask_size, network.token_size
        prompts, message = {
            "boxes": ({"boxes": torch.zeros(1, 4)}, r"boxes of shape \(1, 4\); \(1, any, 4\)"),
            "images": ({"boxes": torch.zeros(2, 1, 4)}, r"boxes of shape \(2, 1, 4\)"),
            "labels": (
                {"points": (torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 2))},
                r"labels of .* \(1, any, 3\)",
            ),
            "masks": (
                {"masks": torch.zeros(1, 1, side + 1, side)},
                rf"masks of .* \(1, any, {side}, {side}\)",
            ),
            "tokens": ({"tokens": torch.zeros(1, 1, length + 1)}, rf"tokens of .* \(1, any, any, {length}\)"),
            "numbers": (
                {"boxes": torch.zeros(1, 2, 4), "tokens": torch.zeros(1, 3, length)},
                r"differ: \{'boxes': 2, 'tokens': 3\}",
            ),
        }[wrong]
        with pytest.raises(ValueError, match=message) as caught:
            network.decode(network.encode(torch.rand(1, 3, 20, 20)), **prompts)
        assert "\n" not in str(caught.value)

    # coordinates

    @pytest.mark.parametrize("size", [(50, 70), (90, 64), (40, 300), (30, 24)])
    @torch.no_grad()
    def test_coordinates_are_pixels_of_the_image(self, network, size, monkeypatch):
        height, width = size
        seen, predict = [], network.predict_flat
        monkeypatch.setattr(
            network,
            "predict_flat",
            lambda maps, prompts, multi: seen.append(prompts) or predict(maps, prompts, multi),
        )
        box = torch.tensor([[[0.0, 0.0, width, height]]])
        point = torch.tensor([[[[width / 2, height / 2]]]]), torch.ones(1, 1, 1)
        features = network.encode(torch.rand(1, 3, *size))
        network.predict(features, boxes=box, points=point)
        letterbox = features.letterbox
        right, bottom = letterbox.left + letterbox.inner_width, letterbox.top + letterbox.inner_height
        assert seen[0].boxes[0].tolist() == pytest.approx(
            [letterbox.left, letterbox.top, right, bottom], abs=1e-3
        )
        middle = [(letterbox.left + right) / 2, (letterbox.top + bottom) / 2]
        assert seen[0].points[0, 0].tolist() == pytest.approx(middle, abs=1e-3)

    @pytest.mark.parametrize("size", [(50, 70), (90, 64), (40, 300), (30, 24)])
    def test_masks_come_back_to_where_the_prompts_were(self, network, size):
        height, width = size
        y0, y1, x0, x1 = height // 4, height // 2, width // 4, width // 2
        with torch.no_grad():
            features = network.encode(torch.rand(1, 3, *size))
        mask = torch.full((1, 1, height, width), -9.0)
        mask[..., y0:y1, x0:x1] = 9.0
        low = features.letterbox.to_square(mask, network.mask_size)
        rows, columns = (network.upscale(low[:, :, None], features)[0, 0, 0] > 0).nonzero().T
        cell = 1 + max(size) / network.mask_size  # of the low resolution, in pixels of the image
        found = [rows.min(), rows.max() + 1, columns.min(), columns.max() + 1]
        assert [int(one) for one in found] == pytest.approx([y0, y1, x0, x1], abs=cell)

    # cost, randomness and precision

    @torch.no_grad()
    def test_an_image_is_encoded_once_for_any_number_of_prompts(self, network):
        images = []
        encoder = network.get_submodule(self.image_encoder)
        encoder.register_forward_hook(lambda module, args, kwargs, _: images.append(1), with_kwargs=True)
        features = network.encode(torch.rand(2, 3, 50, 70))
        for kind in KINDS:
            network.decode(features, **visual_prompts(network, kind, 2, 4))
        assert images == [1]

    @torch.no_grad()
    def test_evaluation_draws_nothing_and_repeats_to_the_bit(self, network):
        image, prompts = torch.rand(1, 3, 50, 70), visual_prompts(network, KINDS[-1], 1, 2)
        state = torch.get_rng_state()
        first, first_iou = network(image, **prompts)
        assert torch.equal(torch.get_rng_state(), state)
        torch.randn(7)
        second, second_iou = network(image, **prompts)
        assert torch.equal(first, second) and torch.equal(first_iou, second_iou)

    @torch.no_grad()
    def test_autocast_does_not_move_prompts(self, network):
        embedded = []
        prompt_encoder = network.get_submodule(self.prompt_encoder)
        prompt_encoder.register_forward_hook(lambda module, given, result: embedded.append(result[0]))
        image, boxes = torch.rand(1, 3, 60, 100), visual_prompts(network, "boxes", 1, 2)
        network(image, **boxes)
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = network(image, **boxes)
        assert torch.equal(embedded[0], embedded[1])
        assert logits.dtype == torch.float32

    # gradients

    def test_a_token_gets_the_gradient_of_its_own_mask(self, network):
        network.requires_grad_(False)
        prompts = visual_prompts(network, "boxes", 2, 3)
        tokens = torch.randn(2, 3, network.token_size, requires_grad=True)
        logits, _ = network(torch.rand(2, 3, 40, 40), **prompts, tokens=tokens)
        logits[1, 2].sum().backward()
        assert tokens.grad is not None and tokens.grad[1, 2].abs().max() > 0
        others = tokens.grad.clone()
        others[1, 2] = 0
        assert others.abs().max() == 0
        assert all(weight.grad is None for weight in network.parameters())

    def test_training_reaches_the_image_encoder_and_the_mask_decoder(self, network):
        network.train()
        logits, iou = network(
            torch.rand(2, 3, 40, 40), **visual_prompts(network, "boxes", 2, 2), multimask=True
        )
        (logits.square().mean() + iou.square().mean()).backward()
        untouched = {
            name
            for name, weight in network.named_parameters()
            if weight.grad is None or not weight.grad.any()
        }
        encoder = {
            f"{self.image_encoder}.{name}"
            for name, _ in network.get_submodule(self.image_encoder).named_parameters()
        }
        biases = {name for name in untouched if name.endswith("bias")}  # a norm may take them out again
        assert not (untouched & encoder) - biases
        assert not {name for name in untouched if "transformer" in name} - biases

    # weights

    @torch.no_grad()
    def test_a_state_dict_is_the_whole_network(self, network):
        other = self.build()
        image, prompts = torch.rand(1, 3, 50, 60), visual_prompts(network, KINDS[-1], 1, 2)
        wanted = network(image, **prompts)[0]
        assert not torch.allclose(other(image, **prompts)[0], wanted, atol=1e-4)
        other.load_state_dict(network.state_dict())
        assert torch.equal(other(image, **prompts)[0], wanted)

    @torch.no_grad()
    def test_weights_can_be_assigned_to_a_network_that_was_built_without_memory(self, network):
        with torch.device("meta"):
            empty = self.decoder(**self.small)
        assert all(weight.is_meta for weight in empty.parameters())
        empty.load_state_dict(network.state_dict(), assign=True)
        image, prompts = torch.rand(1, 3, 50, 60), visual_prompts(network, "boxes", 1, 1)
        assert torch.equal(empty.eval()(image, **prompts)[0], network(image, **prompts)[0])

    def test_the_full_size_has_the_names_and_shapes_of_the_public_file(self, public_name):
        with torch.device("meta"):
            network, shapes = self.full_size(public_name), self.public_shapes(public_name)
        assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == shapes
        assert sum(weight.numel() for weight in network.parameters()) == self.public[public_name]
