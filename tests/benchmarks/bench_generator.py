"""Segment everything: our mask generator against segment_anything's on the same weights; `make bench` prints the ratio.

Decoder, square and features are those of SAM ViT-B. The image encoder, which both call once, is a small one: at full size
it would hide the difference behind half a minute that is the same for both.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam

from monai_ext.masks import MaskGenerator
from monai_ext.networks.decoders.sam import SAM
from tests.benchmarks.rounds import ratio, show

SIDE = 8  # points per side
ROUNDS = 3
ENCODER = {"embed_dim": 64, "depth": 1, "num_heads": 2, "global_attn_indexes": ()}


def main() -> None:
    torch.manual_seed(0)
    network = SAM(encoder=ENCODER, image_size=1024, dim=256).eval()
    sam = Sam(network.image_encoder, network.prompt_encoder, network.mask_decoder).eval()
    levels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    image = torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 255
    for kept, threshold in (("none kept", 10.0), ("all kept", -10.0)):
        generator = MaskGenerator(SIDE, threshold, 0.0)
        reference = SamAutomaticMaskGenerator(
            sam, SIDE, pred_iou_thresh=threshold, stability_score_thresh=0.0
        )

        def ours(generator: MaskGenerator = generator) -> None:
            with torch.no_grad():
                generator(network, network.encode(image))

        values = ratio(ours, partial(reference.generate, levels), ROUNDS)
        show(f"mask generator / segment_anything's, {SIDE * SIDE} points, {kept}", values, "<= .85")


if __name__ == "__main__":
    main()
