"""The interface of a training task, which :class:`monai_ext.engines.TaskTrainer` trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

import torch
from torch import Tensor, nn

from monai_ext.weights.load import is_extra

Move = Callable[[Tensor], Tensor]


class TrainingTask(nn.Module, ABC):
    """What one training step is: which network learns, from what of a batch, by which loss.

    The step from batch to loss is the `forward` of one module, as in open_clip's tasks: DistributedDataParallel hooks
    `forward` and nothing else, so that any number of calls of the network, a frozen reference and a loss with weights of
    its own train on several processes as on one. A kind of learning is a subclass: segmentation by text, masks by boxes,
    images and captions, preferences against a reference, a language model.

    Args:
        network: learns.
        reference: stays as it is and in evaluation mode, for losses that compare the network with it; None: there is
            none. ``copy.deepcopy(network)`` starts a preference training.
        module: where the network is a module of a bundle's network, its name there, such as "encoder", by which names
            of the state dict then begin.

    Its state dict is what the processes or sites of a training exchange: tensors of the same shape everywhere, which can be
    averaged. The words that a network was taught (an extra state, see :class:`~monai_ext.networks.language.taught.Taught`)
    cannot: each keeps its own.

    Attributes:
        find_unused_parameters: True where some weights take no part in some steps; DistributedDataParallel then looks for
            them, which costs a walk through the graph.
    """

    find_unused_parameters = False

    def __init__(self, network: nn.Module, reference: nn.Module | None = None, module: str = "") -> None:
        super().__init__()
        self.network = network
        self._prefix = f"{module}." if module else ""
        self.reference = None if reference is None else reference.requires_grad_(False).eval()

    @abstractmethod
    def prepare_batch(self, batchdata: Mapping[str, Any], move: Move) -> dict[str, Any]:
        """What :meth:`forward` takes of a collated batch.

        Args:
            batchdata: of the data loader.
            move: brings a tensor to the trainer's device.

        Raises:
            InputError: when the batch lacks what the task needs.
        """

    @abstractmethod
    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Scalars by name of a prepared batch; the one called ``loss`` is minimised, a mean over the batch.

        The network runs in the precision of the trainer's inferer, the loss in full precision (:func:`full_precision`).
        """

    def train(self, mode: bool = True) -> Self:
        """Switch the network to training or evaluation mode; the reference stays in evaluation mode."""
        super().train(mode)
        if self.reference is not None:
            self.reference.eval()
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The network's tensors, by the names that they have in the bundle's network: what has been learnt."""
        state = self.network.state_dict(*args, **kwargs)
        return {self._prefix + key: value for key, value in state.items() if not is_extra(key)}

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Into the network, whose extra states stay."""
        state = {key.removeprefix(self._prefix): value for key, value in state_dict.items()}
        own = {key: value for key, value in self.network.state_dict().items() if is_extra(key)}
        return self.network.load_state_dict({**state, **own}, *args, **kwargs)


def full_precision(device: torch.device) -> AbstractContextManager:
    """Switch autocast off on a device, as losses need it."""
    return torch.autocast(device.type, enabled=False)
