"""M2IB: the published one's maps and alphas, with the suffix of the tower alone."""

from __future__ import annotations

import copy
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from monai_ext.errors import InputError
from monai_ext.saliency import M2IB
from tests.networks.encoders.small_clip import CONFIGS, small


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(32, 1e-6), nn.LayerNorm(32, 1e-6)
        self.attn = nn.MultiheadAttention(32, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 32))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class ReferenceTower(nn.Module):
    """The tower that the reference was made with."""

    def __init__(self) -> None:
        super().__init__()
        self.cls, self.pos = nn.Parameter(torch.zeros(1, 1, 32)), nn.Parameter(torch.zeros(1, 17, 32))
        self.patch = nn.Conv2d(3, 32, 8, 8)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(Block() for _ in range(4))
        self.norm, self.proj = nn.LayerNorm(32, 1e-6), nn.Linear(32, 16, bias=False)

    @property
    def blocks(self) -> list[nn.Module]:
        return list(self.encoder.layers)

    def stem(self, x: Tensor) -> Tensor:
        return torch.cat([self.cls, self.patch(x).flatten(2).transpose(1, 2)], 1) + self.pos

    def advance(self, state: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        for block in self.blocks[first:last]:
            state = block(state)
        return state

    def as_map(self, state: Tensor) -> Tensor:
        return state[:, 1:].transpose(1, 2).unflatten(2, (4, 4))

    def finish(self, state: Tensor) -> tuple[Tensor, None]:
        return self.proj(self.norm(state)[:, 0]), None


@pytest.fixture(scope="module")
def published(reference):
    arrays = reference("m2ib_m2ib.npz")
    weights = {key[2:]: value for key, value in arrays.items() if key.startswith("w|")}
    tower = ReferenceTower().eval()
    prefix = "vision_model."
    tower.load_state_dict(
        {key.removeprefix(prefix): w for key, w in weights.items() if key.startswith(prefix)}
    )
    words = weights["text_model.emb.weight"][arrays["text"]].tanh().mean(1)
    text = normalize(words @ weights["text_model.fc.weight"].T, dim=-1)
    encoder = SimpleNamespace(tower=tower, prepare=lambda image: image, config=SimpleNamespace(name="it"))
    return encoder, arrays, text


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize("beta", [0.1, 1.0, 2.0])
def test_maps_and_alphas_are_the_published_ones(layer, beta, published):
    encoder, arrays, text = published
    case = f"L{layer}_b{beta}_v1.0"
    method = M2IB(layer=layer, beta=beta)
    features = method.encode(encoder, arrays["image"])
    alpha = method.alpha(encoder, features, text, 10)
    torch.testing.assert_close(alpha, arrays[f"{case}|alpha"], atol=1e-4, rtol=0)
    heat = method.enlarged(method.grid(encoder, features, text), (224, 224))[0, 0]
    torch.testing.assert_close(heat, arrays[f"{case}|heat"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [50, 100])
def test_many_steps_give_numbers(steps, published):
    encoder, arrays, text = published
    method = M2IB(layer=2, beta=0.1, steps=steps)
    grid = method.grid(encoder, method.encode(encoder, arrays["image"]), text)
    assert torch.isfinite(grid).all() and grid.min() >= 0


DEEP = {**CONFIGS["ViT"]["vision_cfg"], "layers": 5}


@torch.no_grad()
def test_blocks_up_to_the_bottleneck_run_once_per_image_and_texts_once(tmp_path):
    encoder, blocks, read = small("ViT", tmp_path, vision_cfg=DEEP), Counter(), []
    for index, block in enumerate(encoder.tower.blocks):
        block.register_forward_hook(lambda _, inputs, __, i=index: blocks.update({i: len(inputs[0])}))
    encoder.model.transformer.register_forward_hook(lambda *args: read.append(len(args[2])))
    method = M2IB(layer=2, steps=4, copies=6)
    features = method.encode(encoder, torch.rand(2, 3, 48, 48))
    assert blocks == dict.fromkeys(range(5), 2)
    for prompt in ("liver", "lungs"):
        method(encoder, features, encoder.encode_text([prompt] * 2))
    once, suffix = 2, 2 + 2 * 3 * 6 * 2  # prompts, steps that need a forward, copies, images
    assert blocks == {0: once, 1: once, 2: once, 3: suffix, 4: suffix}
    assert read == [1, 1]


class ScaledTower:
    """The state is the image, scaled and shifted channel by channel; what follows undoes that."""

    def __init__(self, scale: Tensor, shift: Tensor, tokens: bool) -> None:
        self.scale, self.shift, self.tokens = scale[:, None, None], shift[:, None, None], tokens
        self.blocks = [nn.Identity()]

    def stem(self, x: Tensor) -> Tensor:
        state = x * self.scale + self.shift
        return state.flatten(2).transpose(1, 2) if self.tokens else state

    def advance(self, state: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        return state

    def as_map(self, state: Tensor) -> Tensor:
        return state.transpose(1, 2).unflatten(2, (4, 5)) if self.tokens else state

    def finish(self, state: Tensor) -> tuple[Tensor, None]:
        return ((self.as_map(state) - self.shift) / self.scale).relu().square().mean((2, 3)), None


@pytest.mark.parametrize("tokens", [False, True])
def test_a_map_with_standardised_noise_does_not_depend_on_the_scale_of_the_layer(tokens):
    torch.manual_seed(0)
    image, text = torch.randn(2, 3, 4, 5), normalize(torch.rand(2, 3), dim=-1)
    mean, deviation = image.mean((2, 3), keepdim=True), image.std((2, 3), keepdim=True)
    one, none = torch.ones(3), torch.zeros(3)

    def grid(image: Tensor, scale: Tensor, shift: Tensor, standardise: bool) -> Tensor:
        tower = ScaledTower(scale, shift, tokens)
        encoder = SimpleNamespace(tower=tower, prepare=lambda image: image, config=SimpleNamespace(name="it"))
        method = M2IB(layer=0, beta=0.2, standardise=standardise)
        return method.grid(encoder, method.encode(encoder, image), text)

    wanted = grid(image, one, none, True)
    scaled = torch.tensor([20.0, 0.1, 3.0]), torch.tensor([-50.0, 2.0, 0.0])
    torch.testing.assert_close(grid(image, *scaled, True), wanted, atol=1e-2, rtol=1e-3)
    assert not torch.allclose(grid(image, *scaled, False), wanted, atol=0.1)
    # a state that is standardised already gets the published map
    known = (image - mean) / deviation
    torch.testing.assert_close(grid(known, one, none, True), grid(known, one, none, False))


@torch.no_grad()
def test_a_map_depends_on_the_seed(tmp_path):
    encoder, method = small("ViT", tmp_path), M2IB(layer=1, beta=0.01)
    text = encoder.encode_text(["liver"])
    features = method.encode(encoder, torch.rand(1, 3, 48, 48))
    another = copy.copy(method)
    another.seed = 5
    assert not torch.equal(another(encoder, features, text), method(encoder, features, text))


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_is_not_there_is_refused(layer, tmp_path):
    encoder = small("ViT", tmp_path)
    with pytest.raises(InputError, match=f"layer {layer}: the image tower of config has 0 to 2 or -1 to -3"):
        M2IB(layer=layer).encode(encoder, torch.rand(1, 3, 48, 48))
    assert M2IB(layer=-3).shared_blocks(encoder) == 1


@pytest.mark.parametrize(
    "values", [{"steps": 0}, {"copies": 0}, {"beta": -1}, {"lr": 0}, {"images_per_call": 0}]
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(InputError, match=next(iter(values))):
        M2IB(**values)
