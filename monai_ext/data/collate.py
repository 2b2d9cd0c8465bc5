"""Batches of one case, made without copying its voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.data import MetaTensor, list_data_collate


def collate_single_case(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch of one case, as MONAI's ``list_data_collate`` makes it, whose MetaTensors share the case's memory.

    Stacking would copy the voxels, and those of a grey image three times, although its channels share one memory
    (:class:`monai_ext.transforms.DisplayRange`): nearly a gigabyte for 512 x 512 x 300 voxels.

    Args:
        items: one dict; a (C, ...) MetaTensor in it becomes (1, C, ...).
    """
    (item,) = items
    images = {key: value for key, value in item.items() if isinstance(value, MetaTensor) and value.ndim}
    # MONAI collates everything but the voxels
    batch = list_data_collate([{**item, **{key: image[..., :0] for key, image in images.items()}}])
    for key, image in images.items():
        whole = MetaTensor(image.as_tensor()[None])
        whole.copy_meta_from(batch[key])
        batch[key] = whole
    return batch
