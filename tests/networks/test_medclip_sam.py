"""MedCLIP-SAM cuts, asks and joins as it says, from parts whose answers are known."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_ext.errors import InputError
from monai_ext.masks import ThresholdMask, VisualPrompts, count_components
from monai_ext.networks.blocks.content_crop import OUTSIDE_LOGIT
from monai_ext.networks.encoders.text_presence import ABSENT_LOGIT, TextPresence
from monai_ext.networks.medclip_sam import MedCLIPSAM
from monai_ext.networks.segmenter import ensembled
from monai_ext.prompts.prompt import GroupedPrompt, Prompt

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
}
SIZE = 24


class Words(nn.Module):
    """A text is the colour that it names."""

    def encode_text(self, prompts):
        asked = [Prompt.of(prompt) for prompt in prompts]
        vectors = {
            text: F.normalize(torch.tensor(COLOURS[text]), dim=0) for one in asked for text in one.texts
        }
        return ensembled(asked, vectors)


class Colour:
    """A saliency map at half the size: how much of the text's colour is in each place."""

    def __init__(self):
        self.images = 0

    def encode(self, encoder, image):
        self.images += len(image)
        return SimpleNamespace(embedding=F.normalize(image.mean((2, 3)), dim=-1), image=image)

    def __call__(self, encoder, features, text):
        cosine = torch.einsum("bchw,bc->bhw", features.image, text)[:, None].clamp(0, 1)
        return F.interpolate(cosine, scale_factor=0.5, mode="area")


@dataclass
class Asked:
    boxes: Tensor | None
    points: tuple[Tensor, Tensor] | None


class Filling(nn.Module):
    """Fills each box, and a square of three around each point; a single pixel in a corner comes on top."""

    def __init__(self):
        super().__init__()
        self.images, self.asked = 0, []

    def encode(self, image):
        self.images += len(image)
        return image

    def decode(self, features, boxes=None, points=None):
        self.asked.append(Asked(boxes, points))
        count = boxes.shape[1] if boxes is not None else points[0].shape[1]
        logits = torch.full((1, count, 1, SIZE, SIZE), -3.0)
        logits[..., -1, -1] = 1.0
        for n in range(count):
            if boxes is not None:
                x0, y0, x1, y1 = boxes[0, n].int().tolist()
                logits[0, n, 0, y0 : y1 + 1, x0 : x1 + 1] = 4.0
            elif points is not None:
                for x, y in points[0][0, n].int().tolist():
                    logits[0, n, 0, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 2.0
        return logits, torch.ones(1, count, 1)


def picture(*squares):
    """(1, 3, 24, 24), black, with squares of (channel, first row, first column, side)."""
    image = torch.zeros(1, 3, SIZE, SIZE)
    for channel, row, column, side in squares:
        image[0, channel, row : row + side, column : column + side] = 1
    return image


TWO = picture((0, 2, 2, 4), (0, 12, 4, 8), (1, 2, 14, 6))


def network(kind="boxes", decoder=True, level=0.5, count=3, **settings):
    visual = VisualPrompts(kind, count=count)
    return MedCLIPSAM(
        Words(), Colour(), ThresholdMask(level), Filling() if decoder else None, visual, **settings
    )


def test_each_component_is_a_box_and_their_masks_are_joined():
    found = network()(TWO, "red", full=True)
    assert torch.equal(found.stages["masks"]["coarse"][0, 0], TWO[0, 0] > 0.5)
    assert found.stages["boxes"][0].tolist() == [[2, 2, 5, 5], [4, 12, 11, 19]]
    assert torch.equal(found.logits[0, 0] > 0, TWO[0, 0] > 0.5)  # the decoder's third island is gone
    assert found.logits[0, 0, -1, -1] == OUTSIDE_LOGIT
    assert found.logits.unique().tolist() == [OUTSIDE_LOGIT, -3, 4]
    assert found.stages["saliency"].shape == (1, 1, SIZE // 2, SIZE // 2)


def test_components_are_kept_by_number_by_touch_or_all():
    line = torch.zeros(1, 3, SIZE, SIZE)
    line[0, 0, 2:, 4:6] = 1  # one component, of whose points the decoder makes two islands, and a corner
    kept = {
        choice: network("points", count=4, components=choice)(line, "red")[0, 0] > 0
        for choice in ("as_many", "touching", "all")
    }
    assert {choice: count_components(mask) for choice, mask in kept.items()} == {
        "as_many": 1,
        "touching": 2,
        "all": 3,
    }
    assert kept["all"][-1, -1] and not kept["touching"][-1, -1]
    assert not (kept["as_many"] & ~kept["touching"]).any()


def test_other_words_find_other_things_and_images_are_encoded_once_for_all():
    medclip_sam = network()
    features = medclip_sam.encode(torch.cat([TWO, picture((1, 0, 0, 6))]))
    masks = [
        one.logits > 0 for one in medclip_sam.segment_all(features, [Prompt(("red",)), Prompt(("green",))], 2)
    ]
    assert torch.equal(masks[1][0, 0], TWO[0, 1] > 0.5)
    assert int(masks[0][1].sum()) == 0 and int(masks[1][1].sum()) == 36
    assert (medclip_sam.saliency.images, medclip_sam.decoder.images) == (2, 2)


def test_nothing_salient_is_an_empty_mask_and_no_presence():
    found = network()(torch.zeros_like(TWO), "red", full=True)
    assert (found.logits == OUTSIDE_LOGIT).all() and found.presence.tolist() == [ABSENT_LOGIT]
    assert found.stages["boxes"][0].shape == (0, 4) and found.stages["points"][0].shape == (0, 2)
    assert not found.stages["masks"]["coarse"].any()


def test_presence_is_the_similarity_of_the_image():
    found = network(presence=TextPresence(scale=10.0, offset=0.5))(picture((0, 0, 0, 8)), "yellow", full=True)
    assert found.presence.item() == pytest.approx(10 * (0.5**0.5 - 0.5), abs=1e-5)


def test_without_a_decoder_the_coarse_mask_is_the_result():
    half = 0.8 * picture((0, 4, 4, 8))
    found = network(decoder=False)(half, "red", full=True)
    assert torch.equal(found.logits > 0, found.stages["masks"]["coarse"])
    assert found.logits[0, 0, 7, 7].sigmoid().item() == pytest.approx(0.9)


def test_points_are_one_prompt_and_the_same_whatever_the_batch():
    medclip_sam = network("points")
    first = medclip_sam(TWO, "red", full=True)
    points, labels = medclip_sam.decoder.asked[-1].points
    assert medclip_sam.decoder.asked[-1].boxes is None and points.shape == (1, 1, 3, 2)
    assert labels.tolist() == [[[1, 1, 1]]]
    again = medclip_sam(torch.cat([picture((0, 0, 0, 9)), TWO]), "red", full=True)
    assert torch.equal(again.stages["points"][1], first.stages["points"][0])
    assert torch.equal(again.logits[1:], first.logits)


def test_points_beside_boxes_belong_to_the_box_that_they_lie_in():
    medclip_sam = network("boxes_and_points", count=80)
    medclip_sam(TWO, "red")
    asked = medclip_sam.decoder.asked[-1]
    assert asked.boxes.shape == (1, 2, 4)
    assert [(one == 1).sum().item() for one in asked.points[1][0]] == [16, 64]
    assert set(asked.points[1].unique().tolist()) == {-1, 1}


def test_runs_average_what_other_points_give():
    medclip_sam = network("points", runs=5)
    found = medclip_sam(TWO, "red", full=True)
    asked = [tuple(one.points[0].flatten().tolist()) for one in medclip_sam.decoder.asked]
    assert len(asked) == 5 == len(set(asked)) and found.stages["points"][0].shape == (15, 2)
    each = torch.stack([network_run(one.points) for one in medclip_sam.decoder.asked]).mean(0)
    kept = found.logits[0, 0] > 0
    torch.testing.assert_close(found.logits[0, 0].sigmoid()[kept], each[kept], atol=1e-5, rtol=0)


def network_run(points):
    return Filling().decode(None, points=points)[0][0, 0, 0].sigmoid()


def test_several_texts_are_joined_before_the_encoder_before_or_after_the_decoder():
    prompt = Prompt(("red", "green"))
    embeddings = network(level=0.3)(TWO, prompt, full=True)  # both colours lie at a cosine of .71 of the mean
    assert int(embeddings.stages["masks"]["coarse"].sum()) == 16 + 64 + 36
    before, after = (network(ensemble=name)(TWO, prompt, full=True) for name in ("before", "after"))
    assert int(before.stages["masks"]["coarse"].sum()) == 16 + 64 + 36  # one of two texts is half of them
    assert before.logits.max() == 4
    assert int((after.logits > 0).sum()) == 16 + 64 + 36 and after.logits.max() == 4
    assert len(after.stages["boxes"][0]) == 3


def masks_of(logits):
    """A network whose three members have these logits, one row of the image each."""
    medclip_sam, rows = network(ensemble="after"), iter(logits)

    def refined(features, coarse, saliency):
        row = torch.full_like(saliency, OUTSIDE_LOGIT)
        row[0, 0, 0, :4] = torch.tensor(next(rows))
        return row, torch.zeros(0, 4), torch.zeros(0, 2)

    medclip_sam._refined = refined
    found = medclip_sam(TWO, Prompt(tuple(COLOURS)[: len(logits)]), full=True)
    return found.logits[0, 0, 0, :4].tolist()


def test_refined_masks_are_joined_by_majority_whatever_their_probabilities():
    # the mean probability of the first column is .67, and of the second .35
    assert masks_of([[9.0, 0.1, 1.0, -2.0], [9.0, 0.1, 2.0, -4.0], [-0.1, -9.0, 3.0, -1.0]]) == [
        pytest.approx(one) for one in (9.0, 0.1, 2.0, -2.0)
    ]
    assert masks_of([[9.0, 0.1, -1.0, -1.0], [-0.1, -9.0, -2.0, 2.0], [-0.1, 0.1, 5.0, -3.0]]) == [
        pytest.approx(one) for one in (-0.1, 0.1, -1.0, -1.0)
    ]
    # one of two is half of them, as with coarse masks
    assert masks_of([[9.0, -3.0, 1.0, -1.0], [-0.1, 0.1, 2.0, -2.0]]) == [
        pytest.approx(one) for one in (9.0, 0.1, 2.0, -1.0)
    ]


@pytest.mark.parametrize(
    ("texts", "present"), [(("red", "green"), True), (("red", "blue", "blue"), False), (("red",), True)]
)
def test_presence_is_none_only_where_more_than_half_of_the_coarse_masks_are_empty(texts, present):
    image = picture((0, 2, 2, 6))
    found = network(ensemble="after")(image, Prompt(texts), full=True)
    assert bool((found.logits > 0).any()) == present
    assert (found.presence.item() == ABSENT_LOGIT) != present


def test_masks_that_agree_are_not_emptied_where_the_coarse_ones_have_no_pixel_in_common():
    image = picture((0, 2, 2, 4), (1, 12, 12, 4), (2, 2, 14, 4))
    medclip_sam = network(ensemble="after", components="all")  # the decoder's corner is in all three
    found = medclip_sam(image, Prompt(("red", "green", "blue")), full=True)
    assert not found.stages["masks"]["coarse"].any()
    assert (found.logits > 0).nonzero().tolist() == [[0, 0, SIZE - 1, SIZE - 1]]
    assert found.presence.item() > ABSENT_LOGIT


def test_the_parts_of_an_ensemble_have_one_mask_each():
    prompt = GroupedPrompt(("red", "red", "green"), groups=(2, 1))
    found = network(ensemble="after")(TWO, prompt, full=True)
    assert len(found.stages["boxes"][0]) == 3  # of three texts on their own it would be five
    assert len(network(ensemble="after")(TWO, Prompt(prompt.texts), full=True).stages["boxes"][0]) == 5


def test_gradients_are_off_and_training_changes_nothing():
    medclip_sam = network().train()
    assert not medclip_sam.training and not any(p.requires_grad for p in medclip_sam.parameters())
    assert not medclip_sam(TWO, "red").requires_grad


@pytest.mark.parametrize("wrong", [{"ensemble": "masks"}, {"runs": 0}, {"components": "most"}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        network(**wrong)
