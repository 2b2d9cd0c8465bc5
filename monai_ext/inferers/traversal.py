"""The way that an inferer takes through a volume: which slices are shown to the network, and in which order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from monai_ext.errors import InputError
from monai_ext.inferers.observer import StageObserver
from monai_ext.io.slices import SliceView, slice_view
from monai_ext.networks.segmenter import Segmentation, TextPromptedSegmenter
from monai_ext.prompts.prompt import Prompt


@dataclass(frozen=True)
class SliceResults:
    """What the network finds in slices that follow each other.

    Attributes:
        start, stop: number of the first slice, and of the first one after them.
        size: (H, W) of a slice as it is shown.
        device: of the network.
        results: number of each prompt with its :class:`~monai_ext.networks.segmenter.Segmentation` of these slices,
            computed one after the other as they are taken.
    """

    start: int
    stop: int
    size: tuple[int, int]
    device: torch.device
    results: Iterator[tuple[int, Segmentation]]


class Traversal(ABC):
    """A way through one case. A traversal decides what the network sees; gating and assembly are the inferer's."""

    @abstractmethod
    def view(
        self, shape: Sequence[int], affine: np.ndarray | None, normal: np.ndarray | None = None
    ) -> SliceView:
        """How a volume (X, Y, Z) is cut.

        Args:
            shape: voxels along each axis.
            affine: (4, 4) from voxel index to RAS in mm, if the volume has one.
            normal: (3,) RAS, across the slices that its file states; zeros or None if it states none.

        Raises:
            InputError: when the affine cannot be used.
        """

    @abstractmethod
    def __call__(
        self,
        volume: Tensor,
        view: SliceView,
        network: TextPromptedSegmenter,
        prompts: Sequence[tuple[int, Prompt]],
        observer: StageObserver | None,
    ) -> Iterator[SliceResults]:
        """Results of all slices; every slice comes once.

        Args:
            volume: (3, X, Y, Z), float in [0, 1]; a picture is a volume of one slice.
            view: of :meth:`view`.
            network: not wrapped.
            prompts: those that the network is asked, each with its number.
            observer: receives every encoding and segmentation.
        """


class SliceTraversal(Traversal):
    """Slice by slice: each is segmented by itself.

    Args:
        batch_size: slices per encoder call, 1 or more; it changes memory and time, not results.
        slice_axis: spatial array axis (0, 1, 2) to cut across; chosen by geometry if None.

    Raises:
        InputError: when a value is out of its range.
    """

    def __init__(self, batch_size: int = 8, slice_axis: int | None = None) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; at least one slice per encoder call is needed.")
        if slice_axis not in (None, 0, 1, 2):
            raise InputError(f"slice_axis is {slice_axis}; it is 0, 1, 2 or null.")
        self.batch_size = batch_size
        self.slice_axis = slice_axis

    def view(
        self, shape: Sequence[int], affine: np.ndarray | None, normal: np.ndarray | None = None
    ) -> SliceView:
        return slice_view(shape, affine, self.slice_axis, normal)

    def __call__(
        self,
        volume: Tensor,
        view: SliceView,
        network: TextPromptedSegmenter,
        prompts: Sequence[tuple[int, Prompt]],
        observer: StageObserver | None,
    ) -> Iterator[SliceResults]:
        depth = volume.shape[1 + view.axis]
        device = device_of(network, volume.device)
        for start in range(0, depth, self.batch_size):
            stop = min(start + self.batch_size, depth)
            # A copy: the network may write into it, and may need it in a graph of its own.
            slices = view.show(volume, start, stop).to(
                device, torch.float32, copy=True, memory_format=torch.contiguous_format
            )
            size = (slices.shape[2], slices.shape[3])
            results = _segmented(slices, start, network, prompts, observer)
            yield SliceResults(start, stop, size, device, results)
            del slices, results  # before the next are made


def _segmented(
    slices: Tensor,
    start: int,
    network: TextPromptedSegmenter,
    prompts: Sequence[tuple[int, Prompt]],
    observer: StageObserver | None,
) -> Iterator[tuple[int, Segmentation]]:
    """Number and result of each prompt in ``slices`` (N, 3, H, W), which are encoded when the first is taken."""
    if not prompts:
        return
    features = network.encode(slices)
    if observer is not None:
        observer.encoded(features, start, start + len(slices))
    asked = [prompt for _, prompt in prompts]
    results = network.segment_all(features, asked, len(slices))
    for (number, _), result in zip(prompts, results, strict=True):
        if result.logits.shape != (len(slices), 1, *slices.shape[2:]):
            raise ValueError(
                f"{type(network).__name__} returned logits {tuple(result.logits.shape)} "
                f"for slices {tuple(slices.shape)}; (slices, 1, H, W) is the contract."
            )
        if observer is not None:
            observer.segmented(number, result)
        yield number, result


def device_of(network: nn.Module, default: torch.device) -> torch.device:
    """Where the weights of a network lie; `default` if it has none."""
    tensor = next(chain(network.parameters(), network.buffers()), None)
    return default if tensor is None else tensor.device
