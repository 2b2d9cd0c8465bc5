"""How much a saliency method computes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from monai_ext.networks.encoders.vision_language import VisionLanguageEncoder
from monai_ext.saliency import SaliencyMethod

PRODUCTS = {torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm, torch.ops.aten.baddbmm}


class Products(TorchDispatchMode):
    """Counts matrix products, by name; a weight's gradient would be one."""

    def __init__(self) -> None:
        super().__init__()
        self.number: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in PRODUCTS:
            self.number[str(func.overloadpacket)] += 1
        return func(*args, **(kwargs or {}))


def work(method: SaliencyMethod, encoder: VisionLanguageEncoder) -> int:
    """Matrix products of one map of an encoded image, forward and backward."""
    features = method.encode(encoder, torch.rand(1, 3, *encoder.image_size))
    with Products() as products:
        method(encoder, features, features.embedding)
    return products.number.total()
