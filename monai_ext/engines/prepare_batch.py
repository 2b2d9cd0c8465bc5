"""From a collated batch to what MONAI's engines pass to the inferer and the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.engines import PrepareBatch
from torch import Tensor

from monai_ext.data.wording import split_texts
from monai_ext.errors import InputError
from monai_ext.prompts.prompt import GroupedPrompt, Prompt


class PrepareTextPrompts(PrepareBatch):
    """For evaluation with :class:`monai_ext.inferers.PromptInferer`: the item's own prompts, if it has any.

    Image and label stay where they are, since the inferer moves slices to the network's device batch by
    batch: ``device`` and the arguments of :meth:`torch.Tensor.to` are not used.

    Returns image, label (None where there is none), () and ``{"prompts": [...]}``, or no keywords for
    items without the key ``prompt``, which the inferer then segments by its own prompts. Items with ``texts``
    (see :func:`monai_ext.data.evaluation.evaluation_items`) ask for these ensembles.

    Raises:
        InputError: when the items of a batch ask for different prompts.
    """

    def __call__(
        self,
        batchdata: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None, tuple, dict[str, Any]]:
        images, labels = batchdata["image"], batchdata.get("label")
        if "prompt" not in batchdata:
            return images, labels, (), {}
        first, *others = item_prompts(batchdata, len(images))
        if any(other != first for other in others):
            raise InputError("items of one batch with different prompts: use a batch size of 1.")
        if "texts" in batchdata:
            return images, labels, (), {"prompts": _ensembles(batchdata, len(images))}
        return images, labels, (), {"prompts": first}


def _ensembles(batchdata: Mapping[str, Any], items: int) -> list[Prompt]:
    """The prompts of the first item as ensembles of texts by level, `oracle` where the words name the true subtype."""
    texts, targets, subtypes = (
        item_prompts(batchdata, items, key)[0] for key in ("texts", "target", "subtype")
    )
    prompts: list[Prompt] = []
    for text, target, subtype in zip(texts, targets, subtypes, strict=True):
        one, groups = split_texts(text)
        if groups:
            prompts.append(GroupedPrompt(one, target or None, bool(subtype), groups, verbatim=True))
        else:
            prompts.append(Prompt(one, target or None, bool(subtype), verbatim=True))
    return prompts


def item_prompts(batchdata: Mapping[str, Any], items: int, key: str = "prompt") -> list[list[str]]:
    """The prompts of each item of a collated batch, or another list of one string per prompt.

    Collation leaves strings in a list, one per item, but turns equally long lists of strings over: the
    first entry then holds the first prompt of every item.

    Raises:
        InputError: when there is no such key or it does not fit the number of items.
    """
    collated: Sequence[str | Sequence[str]] = batchdata.get(key, ())
    if isinstance(collated, str):
        raise InputError(f"the key '{key}' of a batch holds {collated!r}; one prompt per item is needed.")
    if collated and all(isinstance(entry, str) for entry in collated):
        prompts = [[str(entry)] for entry in collated]
    else:
        prompts = [list(one) for one in zip(*collated)]
    if len(prompts) != items:
        raise InputError(f"prompts for {len(prompts)} of {items} items in the key '{key}' of a batch.")
    return prompts
