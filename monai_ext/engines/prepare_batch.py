"""From a collated batch to what MONAI's engines pass to the inferer and the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.engines import PrepareBatch, default_prepare_batch
from torch import Tensor

from monai_ext.data.evaluation import joined_texts
from monai_ext.errors import InputError
from monai_ext.prompts.prompt import GroupedPrompt, Prompt


def prepare_text_prompt_batch(
    batchdata: Mapping[str, Any],
    device: str | torch.device | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | dict[str, Tensor], tuple, dict[str, Any]]:
    """For training with :class:`monai.inferers.SimpleInferer`: a label for each prompt of an image.

    Args:
        batchdata: ``image`` (B, 3, H, W), ``label`` (B, P, H, W), and ``prompt``: a list of P strings, or
            one string where P is 1, for each of the B items; maybe ``medical`` (B,), see the loss.
        device: where image and label move.
        non_blocking: see :meth:`torch.Tensor.to`.
        kwargs: other arguments of :meth:`torch.Tensor.to`.

    Returns:
        image, label (``{"label", "medical"}`` where the batch holds both), () and
        ``{"prompt": [B strings, or B lists of P], "full": True}``: the network returns
        one :class:`~monai_ext.networks.segmenter.Segmentation`, or a list of P, which the loss reads. They
        cannot be decollated: build the trainer with ``decollate=False``.

    Raises:
        InputError: when an item has no prompt, there is no label, or one is not for every prompt.
    """
    images, labels = default_prepare_batch(dict(batchdata), device, non_blocking, **kwargs)
    if labels is None:
        raise InputError("training batch without the key 'label'; every training item needs one.")
    prompts = item_prompts(batchdata, len(images))
    if any(len(one) != labels.shape[1] for one in prompts):
        raise InputError(
            f"training items with {sorted({len(one) for one in prompts})} prompts and {labels.shape[1]} label "
            "channels; one channel per prompt is needed."
        )
    alone = labels.shape[1] == 1
    target: Tensor | dict[str, Tensor] = labels
    if "medical" in batchdata:
        target = {"label": labels, "medical": batchdata["medical"].to(labels)}
    return images, target, (), {"prompt": [one[0] for one in prompts] if alone else prompts, "full": True}


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
        one, groups = joined_texts(text)
        if groups:
            prompts.append(GroupedPrompt(one, target or None, bool(subtype), groups))
        else:
            prompts.append(Prompt(one, target or None, bool(subtype)))
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
