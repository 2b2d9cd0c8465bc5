"""M2IB against the same computation done the published way, and gScoreCAM against plain forwards; `make bench`.

Published, every step runs all blocks and the text tower, for ten copies, and gives all weights gradients. The bottleneck
lies at layer 7 of 12, as published; width (192) and image (112) are those of no public model, since a ViT-B/16
takes minutes on two cores. The text tower is smaller still, which favours the published way.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.saliency import M2IB, GScoreCAM
from tests.benchmarks.bench_clip_sam import clip
from tests.benchmarks.rounds import ratio, show

LAYER, BETA, STEPS, COPIES, SEED = 7, 0.1, 10, 10, 123
CHANNELS, BATCH = 64, 32
PROMPT = "left lung"
ROUNDS = 5


def published(encoder: VisionLanguageEncoder, image: Tensor) -> Tensor:
    """(1, 1, S, S) in [0, 1]."""
    visual, ids = encoder.model.visual, encoder.tokenizer([PROMPT]).expand(COPIES, -1)
    x = encoder.prepare(image).expand(COPIES, -1, -1, -1)
    places = visual.positional_embedding.shape
    alpha = torch.full((1, *places), 5.0, requires_grad=True)
    optimizer = torch.optim.Adam([alpha], lr=1.0)
    noise, capacity = torch.Generator().manual_seed(SEED), torch.zeros(())

    def bottleneck(_: object, __: object, state: Tensor) -> Tensor:
        nonlocal capacity
        share = alpha.sigmoid()
        mean, variance = share * state, (1 - share) ** 2
        capacity = -0.5 * (1 + variance.log() - mean**2 - variance)
        return mean + variance.sqrt() * torch.randn(COPIES, *places, generator=noise)

    hook = visual.transformer.resblocks[LAYER].register_forward_hook(bottleneck)
    for _ in range(STEPS):
        optimizer.zero_grad()
        cosine = F.cosine_similarity(encoder.model.encode_text(ids), encoder.model.encode_image(x))
        (BETA * capacity.mean() - cosine.mean()).backward()
        optimizer.step()
    hook.remove()
    grid = capacity.detach().mean(0).sum(-1)[1:].view(1, 1, *visual.grid_size)
    heat = F.interpolate(grid, encoder.image_size, mode="bilinear")
    return (heat - heat.min()) / (heat.max() - heat.min())


def bottleneck() -> None:
    encoder = clip(112, 16, 192, 12)
    image, method = torch.rand(1, 3, 200, 200), M2IB(LAYER, BETA, STEPS, copies=COPIES, seed=SEED)

    def ours() -> Tensor:
        features = method.encode(encoder, image)
        encoder._cache.clear()  # the text is read in every round
        with torch.no_grad():
            return method(encoder, features, encoder.encode_text([PROMPT]))

    difference = (ours() - published(encoder, image)).abs().max().item()
    name = f"M2IB, layer {LAYER} of 12 / published way (maps differ by {difference:.0e})"
    show(name, ratio(ours, partial(published, encoder, image), ROUNDS), "<= .30")
    if difference > 1e-3:
        raise SystemExit(f"the maps of the two ways differ by {difference:.1e}; 1e-3 is the most")


@torch.no_grad()
def scoring() -> None:
    for name, encoder in {
        "compact-clip-lite": VisionLanguageEncoder("compact-clip-lite").eval(),
        "ViT-S/16 of 3 layers, 224": clip(224, 16, 384, 3),
    }.items():
        image = encoder.prepare(torch.rand(1, 3, 200, 200))[0]
        channels, text = torch.rand(CHANNELS, 14, 14), encoder.encode_text([PROMPT])[0]
        method, images = GScoreCAM(batch_size=BATCH), image.expand(CHANNELS, -1, -1, -1).contiguous()

        def forward(encoder: VisionLanguageEncoder = encoder, images: Tensor = images) -> None:
            for part in images.split(BATCH):
                encoder.model.encode_image(part)

        scores = partial(method.scores, encoder, image, channels, text)
        show(
            f"{CHANNELS} forwards / gScoreCAM's scores of {CHANNELS} channels, {name}",
            ratio(forward, scores, ROUNDS),
            ">= .9",
        )


def main() -> None:
    torch.manual_seed(0)
    bottleneck()
    scoring()


if __name__ == "__main__":
    main()
