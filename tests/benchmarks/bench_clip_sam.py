"""CLIP-SAM: 100 candidate masks embedded against one forward of a batch of 100, and many prompts against one; `make bench`.

The views are of a 512 x 512 image and masks of all sizes. One image tower has the width of ViT-S/16 at 224 and a quarter of
its layers: a whole ViT-B/16 takes minutes on two cores, and hides what the views cost. The other one
is the embedded encoder's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from segment_anything.utils.amg import batched_mask_to_box

from monai_ext.masks import Candidates, MaskedImages, MaskGenerator
from monai_ext.masks.masked_images import FILLS
from monai_ext.networks.clip_sam import ClipSAM
from monai_ext.networks.decoders.compact_sam import CompactSAM
from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.networks.language.tokenizer import WordPieceTokenizer
from monai_ext.prompts.prompt import Prompt
from tests.benchmarks.rounds import ratio, show

SIDE, MASKS, PROMPTS = 512, 100, 10


def clip(image_size: int, patch: int, width: int, layers: int) -> VisionLanguageEncoder:
    text = {
        "context_length": 20,
        "vocab_size": len(WordPieceTokenizer()),
        "width": 64,
        "heads": 2,
        "layers": 2,
    }
    vision = {
        "image_size": image_size,
        "patch_size": patch,
        "width": width,
        "layers": layers,
        "head_width": 64,
    }
    config: dict[str, Any] = {
        "embed_dim": 128,
        "vision_cfg": vision,
        "text_cfg": {**text, "tokenizer": "wordpiece", "pool_type": "eos"},
    }
    return VisionLanguageEncoder(config).eval()


def candidates() -> Candidates:
    """Rectangles from a hundredth to nearly all of the image."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(MASKS, SIDE, SIDE, dtype=torch.bool)
    for mask in masks:
        height, width = (SIDE * (0.1 + 0.85 * torch.rand(2, generator=generator))).long().tolist()
        top, left = (int(torch.randint(SIDE - one, (1,), generator=generator)) for one in (height, width))
        mask[top : top + height, left : left + width] = True
    boxes = batched_mask_to_box(masks)
    return Candidates(masks, torch.ones(MASKS), torch.ones(MASKS), boxes, boxes[:, :2].float())


def main() -> None:
    torch.manual_seed(0)
    image, found = torch.rand(1, 3, SIDE, SIDE), candidates()
    towers = {
        "compact-clip-lite": VisionLanguageEncoder("compact-clip-lite").eval(),
        "ViT-S/16 of 3 layers, 224": clip(224, 16, 384, 3),
    }
    generator = MaskGenerator(8, -10.0, 0.0, nms_threshold=0.95)
    for name, encoder in towers.items():
        batch = encoder.prepare(torch.rand(MASKS, 3, *encoder.image_size))

        def forward(encoder: VisionLanguageEncoder = encoder, batch: torch.Tensor = batch) -> None:
            with torch.no_grad():
                encoder.model.encode_image(batch)

        for fill in FILLS:
            network = ClipSAM(encoder, CompactSAM(), generator, MaskedImages(fill))
            embed = torch.no_grad()(partial(network.embed, image, found))
            show(
                f"{MASKS} masks embedded, {fill} / a batch of {MASKS}, {name}",
                ratio(embed, forward),
                "<= 1.1",
            )

    network = ClipSAM(towers["compact-clip-lite"], CompactSAM(), generator, MaskedImages())
    prompts = [Prompt((f"structure {number}",)) for number in range(PROMPTS)]

    def asked(number: int) -> None:
        features = network.encode(image)
        list(network.segment_all(features, prompts[:number], 1))

    show(
        f"{PROMPTS} prompts / one prompt on one image",
        ratio(partial(asked, PROMPTS), partial(asked, 1)),
        "",
    )


if __name__ == "__main__":
    main()
