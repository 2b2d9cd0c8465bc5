"""The interface of whatever keeps the stages of a result: a metric that scores them, a picture that shows them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from monai_ext.io.slices import SliceView
from monai_ext.networks.segmenter import Features, Segmentation


class StageObserver(ABC):
    """Receives the stages of each case from :class:`monai_ext.inferers.PromptInferer`.

    The inferer calls :meth:`start_case` once for a case, then :meth:`encoded` for each batch of slices, followed by
    :meth:`segmented` for each prompt that the network is asked. The arguments belong to the network; an observer copies
    what it keeps.
    """

    @abstractmethod
    def start_case(self, view: SliceView, asked: Sequence[bool]) -> None:
        """A case begins.

        Args:
            view: how it is cut into slices.
            asked: for each prompt whether the network is asked it; False where it does not know the words.
        """

    @abstractmethod
    def encoded(self, features: Features, start: int, stop: int) -> None:
        """The slices from `start` to `stop`, the first one after them, are encoded."""

    @abstractmethod
    def segmented(self, prompt: int, result: Segmentation) -> None:
        """The slices that were encoded last are segmented by the prompt of this number."""
