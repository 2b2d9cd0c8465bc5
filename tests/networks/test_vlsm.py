"""The compact segmenter keeps the contract, whatever its weights."""

import copy

import pytest
import torch

from monai_ext.errors import InputError
from monai_ext.networks.blocks.pyramid import pixel_blocks, pool
from monai_ext.networks.vlsm import VLSM, mix, product_logit
from monai_ext.prompts.prompt import Prompt

SMALL = {
    "image_size": 32,
    "channels": (4, 6, 8, 8),
    "context": 1,
    "blocks": 1,
    "condition": 8,
    "text_width": 8,
}


BACKBONE = {**SMALL, "image_size": 64, "backbone": "tf_efficientnet_lite0", "kind": 5}


@pytest.fixture(params=[SMALL, {**SMALL, "kind": 5}, BACKBONE], ids=["plain", "kinds", "backbone"])
def network(request):
    return VLSM(**request.param).eval()


def test_logits_come_back_at_the_size_of_the_image(network):
    with torch.no_grad():
        result = network(torch.rand(2, 3, 50, 37), ["liver", "left kidney"], full=True)
    assert result.logits.shape == (2, 1, 50, 37)
    assert result.presence.shape == (2,)
    assert result.logits.dtype == torch.float32


def test_results_do_not_depend_on_the_batch(network):
    image = torch.rand(3, 3, 40, 40)
    with torch.no_grad():
        together = network(image, "lungs", full=True)
        alone = [network(one[None], "lungs", full=True) for one in image]
    assert torch.allclose(together.logits, torch.cat([r.logits for r in alone]), atol=1e-5)
    assert torch.allclose(together.presence, torch.cat([r.presence for r in alone]), atol=1e-5)


@pytest.mark.parametrize("images", [1, 2, 7])
def test_prompts_that_share_a_call_get_what_they_would_alone(network, images):
    prompts = [Prompt.of(text) for text in ("lungs", "left lung", "liver", "polyp", "spleen", "heart", "rib")]
    with torch.no_grad():
        features = network.encode(torch.rand(images, 3, 40, 36))
        together = list(network.segment_all(features, prompts, images))
        alone = [network.segment(features, [prompt] * images) for prompt in prompts]
    assert len(together) == len(prompts)
    for one, other in zip(together, alone):
        assert one.logits.shape == (images, 1, 40, 36)
        assert torch.allclose(one.logits, other.logits, atol=1e-5)
        assert torch.allclose(one.presence, other.presence, atol=1e-5)
        assert one.stages["boxes"] == other.stages["boxes"]


def test_a_mirrored_image_gives_the_mirrored_mask_unless_a_side_is_named(network):
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        plain, mirrored = network(image, "lungs"), network(image.flip(-1), "lungs").flip(-1)
        left, left_mirrored = network(image, "left lung"), network(image.flip(-1), "left lung").flip(-1)
    assert torch.allclose(plain, mirrored, atol=1e-5)
    assert not torch.allclose(left, left_mirrored, atol=1e-3)


@pytest.mark.parametrize("texts", [("lungs", "left lung"), ("right lung",), ("left lung", "left chest")])
def test_a_prompt_of_which_any_text_names_a_side_is_asked_of_the_image_as_it_is(network, texts):
    image = torch.rand(1, 3, 32, 32)
    plain = copy.deepcopy(network)
    plain.flip_average = False
    with torch.no_grad():
        sided, alone = (one(image, [Prompt(texts)], full=True) for one in (network, plain))
    assert torch.allclose(sided.logits, alone.logits, atol=1e-5)
    assert torch.allclose(sided.presence, alone.presence, atol=1e-5)


def test_sides_are_those_of_each_prompt_and_others_get_the_mean_of_both_images(network):
    image = torch.rand(2, 3, 32, 32)
    with torch.no_grad():  # small differences between the two images become visible
        network.decoder.presence[0].weight.mul_(1e3)
        network.decoder.presence[3].bias.fill_(0.0)
        network.encoder.medical[3].bias.fill_(1e4)  # neither of the other judges has a say
        if network.match is not None:
            network.match.bias.fill_(1e4)
    plain = copy.deepcopy(network)
    plain.flip_average = False
    prompts = [Prompt.of("lungs"), Prompt.of("left lung")]
    with torch.no_grad():
        both = network(image, prompts, full=True)
        one, mirrored = (plain(x, prompts, full=True) for x in (image, image.flip(-1)))
    assert ((one.presence - mirrored.presence).abs() > 5e-4).all()
    assert both.presence[0].item() == pytest.approx(
        (one.presence + mirrored.presence)[0].item() / 2, abs=1e-4
    )
    assert both.presence[1].item() == pytest.approx(one.presence[1].item(), abs=1e-4)
    mean = (one.logits[0] + mirrored.logits[0].flip(-1)) / 2
    assert torch.allclose(both.logits[0], mean, atol=1e-5)
    assert torch.allclose(both.logits[1], one.logits[1], atol=1e-5)


def test_a_black_border_does_not_change_the_logits_of_the_content(network):
    image = torch.zeros(1, 3, 64, 64)
    image[..., 16:48, 16:48] = torch.rand(1, 3, 32, 32) * 0.5 + 0.5
    with torch.no_grad():
        whole, inner = network(image, "lungs"), network(image[..., 16:48, 16:48], "lungs")
    assert torch.allclose(whole[..., 16:48, 16:48], inner, atol=1e-5)
    assert bool((whole[..., :16, :] == -10).all())


def test_a_picture_of_nothing_medical_makes_every_presence_small(network):
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        before = network(image, "lungs", full=True).presence
        network.encoder.medical[-1].bias.fill_(-20.0)
        after = network(image, "lungs", full=True).presence
    assert before > -10 and after < -15


@pytest.mark.parametrize(("first", "second"), [(0.3, 0.9), (1e-9, 0.5), (0.5, 1 - 1e-7)])
def test_product_logit_is_the_product_of_two_probabilities(first, second):
    logits = torch.tensor([first, second], dtype=torch.float64).logit()
    assert product_logit(logits[:1], logits[1:]).sigmoid().item() == pytest.approx(first * second, rel=1e-9)


def test_product_logit_takes_any_number_of_logits():
    logits = torch.tensor([0.3, -1.2, 2.0])
    assert torch.allclose(product_logit(*logits).sigmoid(), logits.sigmoid().prod())


@pytest.fixture
def matching():
    network = VLSM(**SMALL, kind=5).eval()
    torch.nn.init.constant_(network.match.bias, 0.25)
    return network


def test_a_kind_of_image_that_does_not_fit_the_words_makes_the_presence_small(matching):
    image, prompts = torch.rand(2, 3, 40, 40), [Prompt.of("liver"), Prompt.of("left kidney")]
    with torch.no_grad():
        features = matching.encode(image)
        fits, present = matching.fits(features, prompts), matching.segment(features, prompts).presence
        torch.nn.init.constant_(matching.match.bias, -20.0)
        torch.nn.init.zeros_(matching.match.words.weight)
        torch.nn.init.zeros_(matching.match.words.bias)
        absent = matching.segment(features, prompts).presence
    assert fits.shape == (2, 2)
    assert (absent < -19.5).all() and (present > absent + 10).all()


def test_the_fit_is_a_scaled_cosine_of_a_vector_of_the_image_and_one_of_the_words(matching):
    image, prompts = torch.rand(2, 3, 40, 40), [Prompt.of("liver"), Prompt.of("knee")]
    with torch.no_grad():
        features = matching.encode(image)
        words = matching.match.words(matching._vectors(prompts))
        kind = features["maps"]["kind"][:2]
        expected = 10 * (kind @ words.T) / kind.norm(dim=1)[:, None] / words.norm(dim=1) + 0.25
        assert torch.allclose(matching.fits(features, prompts), expected, atol=1e-5)
        matching.train()
        assert matching.fits(matching.encode(image), prompts[:1]).shape == (2, 1)


def test_further_prompts_of_all_images_give_their_fit_for_each(matching):
    image, asked = torch.rand(2, 3, 40, 40), [["liver", "knee", "eye"], ["tooth", "liver", "knee"]]
    with torch.no_grad():
        result = matching(image, ["liver", "liver"], full=True, asked=asked)
        features = matching.encode(image)
        tooth = matching.fits(features, [Prompt.of("tooth")])
    assert result.aux["fits"].shape == (2, 6)
    assert torch.allclose(result.aux["fits"][:, 3:4], tooth)
    assert torch.allclose(result.aux["fits"][:, 0], result.aux["fits"][:, 4])


def test_a_network_without_kinds_says_that_it_compares_none():
    network = VLSM(**SMALL)
    with pytest.raises(InputError, match="VLSM does not compare the kind of image with the words; set asked"):
        network(torch.rand(1, 3, 40, 40), "liver", asked=[["knee"]])


def test_pooled_features_are_normalised_where_kinds_are_compared():
    x = torch.randn(2, 3, 4, 4) * torch.tensor([1.0, 1e4]).view(2, 1, 1, 1)
    plain, normalised = pool(x), pool(x, normalised=True)
    assert torch.equal(plain, torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1))
    expected = (plain - plain.mean(1, keepdim=True)) / plain.std(1, correction=0, keepdim=True)
    assert torch.allclose(normalised, expected, atol=1e-3)
    assert VLSM(**SMALL, kind=5).decoder.normalised and not VLSM(**SMALL).decoder.normalised


def test_a_mask_combines_the_guide_by_the_coefficients_of_each_block():
    coefficients, guide = torch.rand(2, 4, 5, 6), torch.rand(2, 3, 10, 12)
    near = coefficients.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = (near[:, :3] * guide).sum(1, keepdim=True) + near[:, 3:]
    assert torch.allclose(mix(coefficients, pixel_blocks(guide)), expected, atol=1e-6)


def test_words_go_with_the_weights_and_decide_which_prompts_are_known():
    network = VLSM(**SMALL)
    assert network.read(Prompt.of("teapot"))[1].refusal == ""  # before it was taught any
    network.learn(["liver in a CT scan"], {"ct": {"liver": []}})
    network.learn(["left kidney"], {"ct": {"left kidney": ["kidney, left"]}, "mri": {"womb": ["womb"]}})
    other = VLSM(**SMALL)
    other.load_state_dict(network.state_dict())
    assert other.lexicon.targets == {
        "ct": {"liver": [], "left kidney": ["kidney, left"]},
        "mri": {"womb": ["womb"]},
    }
    assert other.lexicon.taught == network.lexicon.taught >= {"liver", "kidney"}
    assert other.read(Prompt.of("the liver, please"))[1].refusal == ""
    assert other.read(Prompt.of("teapot"))[1].refusal == "names nothing that these weights know"
    assert other.read(Prompt(("teapot", "left kidney")))[1].refusal == ""  # one of an ensemble is enough
    assert VLSM(**SMALL).lexicon.taught == frozenset()


def test_every_weight_learns(network):
    network.train()
    image = torch.rand(2, 3, 32, 32)
    result = network(image, [Prompt.of("liver"), Prompt.of("left kidney")], full=True)
    (result.logits.square().mean() + result.presence.sum() + result.aux["coarse"].square().mean()).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # biases that a normalisation takes out again, or that one draw of ReLU-like units leaves unused, may be 0
    assert not [name for name in still if p_is_matrix(network, name)]


def p_is_matrix(network, name):
    return network.get_parameter(name).ndim > 1


def test_the_default_network_fits_its_weight_budget():
    network = VLSM()
    values = sum(t.numel() for t in network.state_dict().values())
    assert 2 * values <= 2.5e6  # bytes in fp16
