"""The interface itself, on a network that paints the boxes it is given."""

import pytest
import torch

from monai_ext.networks.decoders.base import EncodedImages, VisualPromptDecoder
from monai_ext.networks.decoders.letterbox import Letterbox


class Painter(VisualPromptDecoder):
    """Paints boxes: logit 10 inside and -10 outside, plus the mean of the image and the sum of the tokens.

    One pixel of the low resolution is two of the square.
    """

    image_size, mask_size, token_size = 64, 32, 2

    def __init__(self, letterbox):
        super().__init__()
        self.letterbox = letterbox

    def encode(self, image):
        placed = self.letterbox(*image.shape[-2:], self.image_size)
        mean = image.mean((1, 2, 3), keepdim=True)
        return EncodedImages((mean.expand(-1, 1, 4, 4),), placed)

    def predict_flat(self, maps, prompts, multimask):
        centre = 2 * torch.arange(32) + 1.0
        x0, y0, x1, y1 = prompts.boxes.T[..., None]
        across = (centre > x0) & (centre < x1)
        down = (centre > y0) & (centre < y1)
        low = (down[:, :, None] & across[:, None, :]).float()[:, None] * 20 - 10
        if prompts.tokens is not None:
            low = low + prompts.tokens.sum((1, 2))[:, None, None, None]
        low = low + maps[-1].mean((1, 2, 3))[:, None, None, None]
        low = low.repeat(1, 3 if multimask else 1, 1, 1)
        return low, low.mean((2, 3))


LETTERBOXES = [Letterbox.squash, Letterbox.longest_side, Letterbox.centred]


@pytest.mark.parametrize("letterbox", LETTERBOXES)
@pytest.mark.parametrize(("height", "width"), [(64, 128), (48, 32), (64, 64), (32, 48)])
def test_a_box_is_painted_where_it_was_drawn(letterbox, height, width):
    network = Painter(letterbox)
    drawn = torch.tensor(
        [[[12.0, 0.0, 24.0, 24.0], [0.0, 12.0, 12.0, 24.0]]]
    )  # whole pixels of the low resolution
    logits, iou = network(torch.zeros(1, 3, height, width), boxes=drawn)
    assert logits.shape == (1, 2, 1, height, width)
    assert iou.shape == (1, 2, 1)
    for one, (x0, y0, x1, y1) in zip(logits[0, :, 0] > 0, drawn[0].int().tolist()):
        wanted = torch.zeros(height, width, dtype=torch.bool)
        wanted[y0:y1, x0:x1] = True
        assert int((one != wanted).sum()) <= 4  # bilinear enlargement may round the four corners
        assert torch.equal(one.any(0), wanted.any(0))
        assert torch.equal(one.any(1), wanted.any(1))


def test_every_prompt_reads_its_own_image():
    image = torch.stack([torch.full((3, 64, 64), level) for level in (0.0, 0.5, 1.0)])
    box = torch.zeros(3, 2, 4)
    low, _ = Painter(Letterbox.squash).predict(Painter(Letterbox.squash).encode(image), boxes=box)
    assert low.mean((2, 3, 4)).tolist() == [[-10.0] * 2, [-9.5] * 2, [-9.0] * 2]


def test_a_token_belongs_to_its_prompt():
    network = Painter(Letterbox.squash)
    features = network.encode(torch.zeros(1, 3, 64, 64))
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    one, _ = network.predict(features, boxes=torch.zeros(1, 2, 4), tokens=tokens)
    two, _ = network.predict(
        features, boxes=torch.zeros(1, 2, 4), tokens=tokens[:, :, None].repeat(1, 1, 2, 1)
    )
    assert one.mean((2, 3, 4)).tolist() == [[-7.0, -3.0]]
    assert two.mean((2, 3, 4)).tolist() == [[-4.0, 4.0]]
