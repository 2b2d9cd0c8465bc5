"""CLIP-SAM picks the candidate that the text names, with an encoder and a decoder whose answers are known."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from segment_anything.utils.amg import batched_mask_to_box
from torch import nn

from monai_ext.errors import InputError
from monai_ext.masks import Candidates, MaskedImages, MaskGenerator
from monai_ext.networks.blocks.content_crop import OUTSIDE_LOGIT
from monai_ext.networks.clip_sam import ClipSAM, cover, soft_iou
from monai_ext.networks.decoders.compact_sam import CompactSAM
from monai_ext.networks.encoders.text_presence import ABSENT_LOGIT, TextPresence
from monai_ext.networks.encoders.vision_language import ImageFeatures, VisionLanguageEncoder
from monai_ext.networks.segmenter import ensembled
from monai_ext.prompts.prompt import Prompt
from tests.networks.encoders.small_clip import CONFIGS

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "scarlet": (0.99, 0.14, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
}
IOU = torch.tensor([0.9, 0.8, -0.5])


class ColourEncoder(nn.Module):
    """An image is its mean colour, a text the colour that it names; counts images and calls."""

    image_size = (16, 16)

    def __init__(self):
        super().__init__()
        self.images, self.calls = 0, 0

    def prepare(self, image):
        return F.interpolate(image, self.image_size, mode="bilinear", antialias=True)

    def encode_prepared(self, x):
        self.images += len(x)
        self.calls += 1
        return ImageFeatures(F.normalize(x.mean((2, 3)), dim=-1), None, {})

    def encode_text(self, prompts):
        asked = [Prompt.of(prompt) for prompt in prompts]
        vectors = {
            text: F.normalize(torch.tensor(COLOURS[text]), dim=0) for prompt in asked for text in prompt.texts
        }
        return ensembled(asked, vectors)


class ColourDecoder(nn.Module):
    """Its features are the image; counts the images."""

    def __init__(self):
        super().__init__()
        self.images = 0

    def encode(self, image):
        self.images += len(image)
        return image


def by_colour(decoder, image):
    """A generator: one candidate for each colour that the image has, the red one first."""
    masks = image[0] > 0.5
    there = masks.flatten(1).any(1)
    masks = masks[there]
    boxes = batched_mask_to_box(masks)
    return Candidates(masks, IOU[there], torch.ones(len(masks)), boxes, boxes[:, :2].float())


def picture(*squares):
    """(1, 3, 32, 32), black, with squares of (channel, first row, side), each in columns of its own."""
    image = torch.zeros(1, 3, 32, 32)
    for channel, row, side in squares:
        image[0, channel, row : row + side, 11 * channel : 11 * channel + side] = 1
    return image


def network(fill="black", **settings):
    return ClipSAM(ColourEncoder(), ColourDecoder(), by_colour, MaskedImages(fill, crop_margin=0), **settings)


THREE = picture((0, 0, 8), (1, 8, 8), (2, 16, 8))


@pytest.mark.parametrize("fill", ["black", "crop", "blur"])
def test_the_most_similar_candidate_is_the_mask(fill):
    result = network(fill)(torch.cat([THREE] * 3), ["red", "green", "blue"], full=True)
    assert torch.equal(result.logits[:, 0] > 0, THREE[0] > 0.5)
    assert result.logits.dtype == torch.float32 and result.logits.shape == (3, 1, 32, 32)
    assert [chosen.tolist() for chosen in result.stages["chosen"]] == torch.eye(3).bool().tolist()
    assert torch.equal(result.aux["iou"], IOU)


def test_logits_are_those_of_the_predicted_iou_inside_and_low_outside():
    logits = network()(torch.cat([THREE] * 3), ["red", "green", "blue"])
    probability = logits.sigmoid().amax((1, 2, 3))
    # (1 + IoU) / 2; a bad mask still passes at one half
    assert probability.tolist() == pytest.approx([0.95, 0.9, 0.51], abs=1e-6)
    assert logits.amin((1, 2, 3)).tolist() == [OUTSIDE_LOGIT] * 3


def test_a_union_holds_what_lies_within_the_margin():
    # to yellow, red and green are 0.7071 alike and blue is 0
    masks = THREE[0] > 0.5
    best, union, all_three = (
        network(**settings)(THREE, "yellow", full=True)
        for settings in ({}, {"select": "union", "margin": 0.01}, {"select": "union", "margin": 0.8})
    )
    assert torch.equal(best.logits[0, 0] > 0, masks[0])
    assert torch.equal(union.logits[0, 0] > 0, masks[0] | masks[1])
    assert torch.equal(all_three.logits[0, 0] > 0, masks.any(0))
    assert all_three.stages["similarities"][0].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0])
    # each pixel of a union has its own mask's confidence, and the IoU is that of the best
    assert union.logits[0, 0].sigmoid()[masks[1]].unique().item() == pytest.approx(0.9, abs=1e-6)
    assert union.aux["iou"].item() == pytest.approx(0.9)


def test_presence_is_the_margin_over_the_nearest_contrast_text():
    settings = {"scale": 10.0, "offset": 0.25}
    plain = network(presence=TextPresence(**settings))(THREE, "yellow", full=True).presence.item()
    assert plain == pytest.approx(10 * (0.5**0.5 - 0.25), abs=1e-5)
    contrasted = network(presence=TextPresence(["blue", "red", "green"], **settings))
    for prompt, margin in (("yellow", 0.5**0.5 - 1), ("red", 1 - 0)):  # red itself means the same as red
        presence = contrasted(THREE, prompt, full=True).presence.item()
        assert presence == pytest.approx(10 * (margin - 0.25), abs=1e-5), prompt
    for alike, margin in ((0.9, 1.0), (0.999, 1 - 0.99 / (0.99**2 + 0.14**2) ** 0.5)):
        one = network(presence=TextPresence(["scarlet", "green"], alike, **settings))
        assert one(THREE, "red", full=True).presence.item() == pytest.approx(10 * (margin - 0.25), abs=1e-5)


def test_no_candidate_is_an_empty_mask_and_no_presence():
    for fill in ("black", "crop", "blur"):
        clip_sam = network(fill, presence=TextPresence(["green"]))
        clip_sam.encoder.config = type("Config", (), {"model": {"embed_dim": 3}})
        result = clip_sam(torch.cat([THREE, torch.zeros_like(THREE)]), "red", full=True)
        assert (result.logits[0] > 0).any() and (result.logits[1] == OUTSIDE_LOGIT).all()
        assert result.presence[0] > 0 and result.presence[1].item() == ABSENT_LOGIT
        assert len(result.stages["chosen"][1]) == len(result.stages["similarities"][1]) == 0
        assert result.aux["iou"][1] == 0


def test_candidates_too_small_or_too_large_are_left_out():
    image = picture((0, 0, 2), (1, 8, 8), (2, 0, 10))  # 4, 64 and 100 of 1024 pixels
    for least, most, kept in ((0, 1, 3), (4 / 1024, 64 / 1024, 2), (5 / 1024, 1, 2), (0.05, 0.07, 1)):
        found = network(min_area=least, max_area=most).encode(image)["candidates"][0]
        assert len(found) == len(found.iou) == kept, (least, most)


def test_images_and_candidates_are_encoded_once_for_all_prompts():
    clip_sam = network(batch_size=2)
    features = clip_sam.encode(torch.cat([THREE, THREE]))
    results = list(clip_sam.segment_all(features, [Prompt((c,)) for c in ("red", "green", "blue")], 2))
    assert [int(one.stages["chosen"][1].nonzero()) for one in results] == [0, 1, 2]
    assert clip_sam.decoder.images == 2
    assert (clip_sam.encoder.images, clip_sam.encoder.calls) == (6, 4)  # 3 masks of an image, 2 in a call


def test_an_ensemble_of_texts_is_its_mean():
    clip_sam = network()
    one, other = (
        clip_sam(THREE, prompt, full=True).stages["similarities"][0]
        for prompt in (Prompt(("red", "green")), "yellow")
    )
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "wrong",
    [
        {"select": "first"},
        {"select": "cover"},  # needs patch tokens
        {"min_area": -0.1},
        {"min_area": 0.5, "max_area": 0.4},
        {"margin": -1.0},
        {"batch_size": 0},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        network(**wrong)


def test_a_scale_of_presence_that_is_not_above_0_is_refused():
    with pytest.raises(InputError, match=r"scale is 0\.0"):
        TextPresence(scale=0.0)


@pytest.fixture(scope="module")
def real():
    """Of the package's own modules, small, with random weights."""
    torch.manual_seed(0)
    decoder = CompactSAM(image_size=64, channels=(4, 4, 8, 8, 8), context=1, dim=16, decoder={"num_heads": 2})
    generator = MaskGenerator(6, -10.0, 0.0, nms_threshold=0.9)
    encoder = VisionLanguageEncoder(CONFIGS["ViT"])
    return ClipSAM(encoder, decoder, generator, MaskedImages("blur"), TextPresence(["liver", "background"]))


def test_results_do_not_depend_on_batch_or_order(real):
    torch.manual_seed(1)
    images, prompts = torch.rand(3, 3, 50, 70), ["lungs", "heart", "a polyp"]
    together = real(images, prompts, full=True)
    assert all(len(found) > 3 for found in together.stages["candidates"])
    order = [2, 0, 1]
    turned = real(images[order], [prompts[k] for k in order], full=True)
    for position, k in enumerate(order):
        alone = real(images[k : k + 1], prompts[k], full=True)
        for other, row in ((alone, 0), (turned, position)):
            torch.testing.assert_close(other.logits[row], together.logits[k], atol=1e-5, rtol=0)
            torch.testing.assert_close(other.presence[row], together.presence[k], atol=1e-5, rtol=0)


def test_it_stays_in_evaluation_and_without_gradients(real):
    before = {key: value.clone() for key, value in real.state_dict().items()}
    assert not any(module.training for module in real.train().modules())
    logits = real(torch.rand(1, 3, 40, 40, requires_grad=True))  # the default prompt
    assert logits.shape == (1, 1, 40, 40) and not logits.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in real.state_dict().items())


def test_several_prompts_of_an_image_share_one_encoding(real, monkeypatch):
    calls, encode = [], real.encode
    monkeypatch.setattr(real, "encode", lambda image: calls.append(len(image)) or encode(image))
    logits = real(torch.rand(2, 3, 40, 40), [["lungs", "heart"], ["liver", "spleen"]])
    assert logits.shape == (2, 2, 40, 40) and calls == [2]


class PatchEncoder(ColourEncoder):
    """Its 8 x 8 patch tokens are the colours of the patches, and it was trained with a bias."""

    model = SimpleNamespace(logit_bias=torch.tensor(-10.0))

    def encode_image(self, image):
        self.calls += len(image)
        patches = F.interpolate(image, (8, 8), mode="area") + 1e-6
        return ImageFeatures(F.normalize(image.mean((2, 3)), dim=-1), F.normalize(patches, dim=1), {})

    def text_map(self, tokens, text):
        return 40 * (tokens * text[:, None, None]).sum(0) - 32


def by_patch_tokens(**settings):
    settings = {"compare": "patch_tokens", **settings}
    return ClipSAM(PatchEncoder(), ColourDecoder(), by_colour, MaskedImages(), **settings)


def test_by_patch_tokens_the_candidate_that_overlaps_with_the_text_map_is_the_mask():
    network = by_patch_tokens()
    result = network(torch.cat([THREE] * 3), ["red", "green", "blue"], full=True)
    assert torch.equal(result.logits[:, 0] > 0, THREE[0] > 0.5)
    assert network.encoder.images == 0  # nothing is masked
    assert network.encoder.calls == 3  # each image once
    for row, similarities in enumerate(result.stages["similarities"]):
        assert float(similarities[row]) > 0.5
        assert float(similarities.sum() - similarities[row]) < 0.05


def test_a_cover_adds_candidates_as_long_as_their_union_is_more_like_the_map():
    masks = torch.zeros(4, 4, 6)
    masks[0, :, 0], masks[1, :, 2:4], masks[2, :, 4:] = 1, 1, 1  # of 4, 8 and 8 patches
    masks[3, :, 3:5] = 1  # lies across two others
    text_map = torch.zeros(4, 6)
    text_map[:, 2:] = 1
    assert soft_iou(masks, text_map).tolist() == pytest.approx([0, 0.5, 0.5, 0.5])
    assert cover(masks, text_map, 0.0).tolist() == [False, True, True, False]
    assert cover(masks, text_map, 0.49).tolist() == [False, True, True, False]
    assert cover(masks, text_map, 0.5).tolist() == [False, True, False, False]
    text_map[:, 0] = 0.5  # of 18 in all: 16 / 18 without the first candidate, 18 / 20 with it
    assert cover(masks, text_map, 0.0).tolist() == [True, True, True, False]
    assert cover(masks, text_map, 0.02).tolist() == [False, True, True, False]
    assert cover(masks[:1], 0 * text_map, 0.0).tolist() == [True]  # never none


def test_by_patch_tokens_a_cover_joins_the_candidates_that_the_text_names():
    masks = THREE[0] > 0.5

    def asked(select):
        network = by_patch_tokens(select=select)
        network.encoder.text_map = lambda tokens, _: 20 * tokens[:2].amax(0) - 16  # red or green
        return network(THREE, "yellow", full=True)

    best, both = asked("best"), asked("cover")
    assert int(best.stages["chosen"][0].sum()) == 1
    assert torch.equal(both.logits[0, 0] > 0, masks[0] | masks[1])
    assert both.stages["chosen"][0].tolist() == [True, True, False]
    torch.testing.assert_close(both.stages["similarities"][0], best.stages["similarities"][0])


def test_by_patch_tokens_presence_is_that_of_the_image():
    logits = by_patch_tokens(presence=TextPresence(scale=10.0))(THREE, "red", full=True).presence
    assert float(logits) == pytest.approx(10 / 3**0.5, abs=1e-3)  # its mean colour is grey
    empty = by_patch_tokens()(torch.zeros(1, 3, 32, 32), "red", full=True)
    assert not bool((empty.logits > 0).any())
    assert float(empty.presence) < -20


def test_by_patch_tokens_asks_for_an_encoder_that_can():
    with pytest.raises(InputError, match="nearest"):
        by_patch_tokens(compare="nearest")
    plain = VisionLanguageEncoder(CONFIGS["ViT"])
    with pytest.raises(InputError, match="not trained with a sigmoid loss; use 'masked_images'"):
        ClipSAM(plain, ColourDecoder(), by_colour, MaskedImages(), compare="patch_tokens")
