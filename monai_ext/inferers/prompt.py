"""Segment pictures and volumes by text: slices in display orientation, one encoding, many prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor, nn

from monai_ext.errors import InputError
from monai_ext.inferers.gating import case_presence, gated_probabilities
from monai_ext.inferers.observer import StageObserver
from monai_ext.inferers.perturbations import Perturbations
from monai_ext.inferers.traversal import SliceResults, SliceTraversal, Traversal
from monai_ext.inferers.uncertainty import Gating, UncertaintyObserver, uncertainty_meta
from monai_ext.io.slices import SliceView
from monai_ext.prompts.modalities import names_modality
from monai_ext.prompts.prompt import Prompt, as_prompts
from monai_ext.prompts.reading import Reading
from monai_ext.transforms.masks import mask_ranks


class PromptInferer(Inferer):
    """Probabilities of one or several text prompts for a batch of pictures or volumes.

    A :class:`~monai_ext.inferers.traversal.Traversal` leads through each case: it cuts the case into slices in
    radiological display orientation (a picture is one slice, shown as it is), and lets the network segment them. A
    batch of slices is encoded once and segmented by every prompt; batches never mix cases. Only one batch of slices at
    a time is on the network's device; the result stays on the device of the input. No gradient flows through the
    inferer (networks that need gradients at test time turn them on themselves): a training runs the network's
    `forward`, see :mod:`monai_ext.engines.tasks`.

    Probabilities of several prompts are many times as large as the volume. Where only masks and a label map are
    wanted, `mask_threshold` gives them as uint8 ranks, which hold both: see
    :func:`monai_ext.transforms.masks.mask_ranks`.

    Presence gates the result: a slice is zero where its presence is below the threshold, a case where its presence is.
    Presence of a case is the highest of its slices, each averaged with its neighbours, whose presence counts
    `neighbour_share`. A structure is so found in a few of hundreds of slices, even in one, while a doubtful slice that
    its neighbours contradict does not decide. A prompt is read
    first (:mod:`monai_ext.prompts.reading`); of one that is refused result and presence are 0.

    Args:
        prompt: prompts of every case; a string may hold several, separated by ";". The empty
            string is one prompt without words.
        batch_size, slice_axis: of :class:`~monai_ext.inferers.traversal.SliceTraversal`, where `traversal` is None.
        presence_threshold: lowest presence, in [0, 1], that keeps a slice and a case.
        neighbour_share: weight, in [0, 1], of the two neighbours of a slice in the presence of a case. At 0.4 a slice
            alone needs a presence of 0.83 to reach 0.5; at 2/3 three adjacent slices count alike.
        gate: False leaves absent structures in the result.
        mask_threshold: probability in [0, 1] that masks will be cut at: the result is then ranks.
        traversal: the way through a volume; slice by slice if None.
        observer: receives the stages of every case.
        perturbations: by which the uncertainty of every result is measured, see
            :mod:`monai_ext.inferers.uncertainty`; not measured if None or not enabled. The result stays the same.

    Raises:
        InputError: when a value is out of its range or there is no prompt.
    """

    def __init__(
        self,
        prompt: str | Sequence[str | Prompt] = "",
        batch_size: int = 8,
        presence_threshold: float = 0.5,
        neighbour_share: float = 0.4,
        slice_axis: int | None = None,
        gate: bool = True,
        mask_threshold: float | None = None,
        traversal: Traversal | None = None,
        observer: StageObserver | None = None,
        perturbations: Perturbations | None = None,
    ) -> None:
        if not 0 <= presence_threshold <= 1:
            raise InputError(f"presence_threshold is {presence_threshold}; it lies in [0, 1].")
        if not 0 <= neighbour_share <= 1:
            raise InputError(f"neighbour_share is {neighbour_share}; it lies in [0, 1].")
        if mask_threshold is not None and not 0 <= mask_threshold <= 1:
            raise InputError(f"mask_threshold is {mask_threshold}; it lies in [0, 1].")
        self.prompts = as_prompts(prompt)
        self.presence_threshold = presence_threshold
        self.neighbour_share = neighbour_share
        self.gate = gate
        self.mask_threshold = mask_threshold
        self.traversal = SliceTraversal(batch_size, slice_axis) if traversal is None else traversal
        self.observer = observer
        self.perturbations = perturbations

    def __call__(
        self,
        inputs: Tensor,
        network: Any,
        prompts: str | Sequence[str | Prompt] | None = None,
        *args: Any,
        perturbations: Perturbations | None = None,
        **kwargs: Any,
    ) -> MetaTensor:
        """Segment a batch of B cases by P prompts.

        Args:
            inputs: (B, 3, H, W) pictures or (B, 3, X, Y, Z) volumes, float in [0, 1], any device.
                Volumes are read along their affine, (4, 4) or (B, 4, 4) from voxel index to RAS.
            network: a :class:`~monai_ext.networks.segmenter.TextPromptedSegmenter`, wrapped or not.
            prompts: what to segment here instead of the prompts of the constructor.
            perturbations: instead of those of the constructor.

        Returns:
            (B, P, H, W) or (B, P, X, Y, Z) float32 probabilities, or uint8 ranks where there is a
            `mask_threshold`, indexed in array order (in memory X is fastest), with the input's metadata
            and ``meta["presence"]`` (B, P) and ``meta["slice_presence"]`` (B, P, D), both float32 in
            [0, 1], D in array order along the slice axis (padded with NaN where the cases of a batch have
            different numbers of slices), ``meta["unknown"]``, per case one line for each prompt: why it was
            refused, or nothing; and ``meta["reading"]``, per case a JSON list with an object for each prompt: what
            was ``asked``, ``notes`` on that, and in which ``modalities`` the network was taught it. Where uncertainty is
            measured there are also ``meta["quality"]`` (B, P) float32, the mean pairwise Dice of the members in [0, 1],
            NaN where there is no mask; ``meta["members"]`` and ``meta["members_found"]`` (B, P), the number of members,
            0 where a prompt was refused, and of those that found something; and ``meta["entropy"]``, uint8 in the shape of
            the result, the entropy of the mean probability of the members, 255 for one bit.

        Raises:
            InputError: when the shape, the channels, the affine or the prompts cannot be used.
        """
        if args or kwargs:
            raise TypeError(f"PromptInferer takes prompts and nothing else, got {args} {sorted(kwargs)}.")
        asked = self.prompts if prompts is None else as_prompts(prompts)
        segmenter = _unwrap(network)
        _check_images(inputs)
        modality = _stated_modality(inputs)
        questions = [segmenter.read(prompt, modality) for prompt in asked]
        reasons = [reading.refusal for _, reading in questions]
        known = [(p, prompt) for p, (prompt, _) in enumerate(questions) if not reasons[p]]
        images = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        picture = images.ndim == 4
        volumes = images[..., None] if picture else images
        perturbations = self.perturbations if perturbations is None else perturbations
        members, measured = {}, perturbations is not None and perturbations.enabled
        if perturbations is not None and measured:
            read = partial(segmenter.read, modality=modality)
            members = {p: perturbations.members(prompt, read, modality) for p, prompt in known}

        # Leaving inference mode lets test-time gradients be turned on again inside a network.
        with torch.inference_mode(False), torch.no_grad():
            dtype = torch.float32 if self.mask_threshold is None else torch.uint8
            result = _zeros(volumes, len(asked), dtype)
            entropy = _zeros(volumes, len(asked), torch.uint8) if measured else None
            presences, observed = [], []
            for case in range(volumes.shape[0]):
                view = SliceView(2, 0, 1) if picture else self._view(inputs, case)
                observer = self.observer
                if perturbations is not None and entropy is not None:
                    gating = self.presence_threshold, self.neighbour_share, self.gate, perturbations.threshold
                    observer = UncertaintyObserver(
                        volumes[case], view, segmenter, members, Gating(*gating), entropy[case], observer
                    )
                    observed.append(observer)
                if observer is not None:
                    observer.start_case(view, [not reason for reason in reasons])
                presences.append(
                    self._run_case(volumes[case], view, segmenter, known, result[case], observer)
                )
            of_cases = torch.stack([case_presence(p, self.neighbour_share) for p in presences])
            if self.gate:
                absent = of_cases < self.presence_threshold
                seen = torch.stack([p.amax(1) for p in presences]) >= self.presence_threshold
                for case, prompt in (absent & seen).nonzero().tolist():  # others hold zeros already
                    result[case, prompt] = 0

        output = MetaTensor(result[..., 0] if picture else result)
        if isinstance(inputs, MetaTensor):
            output.copy_meta_from(inputs)
        output.meta["presence"] = of_cases
        output.meta["slice_presence"] = _stack_padded(presences)
        # one string per case: a list per case would not come whole through decollation
        output.meta["unknown"] = ["\n".join(reasons)] * len(presences)
        output.meta["reading"] = [json.dumps([_described(reading) for _, reading in questions])] * len(
            presences
        )
        if entropy is not None:
            output.meta.update(uncertainty_meta(observed, entropy[..., 0] if picture else entropy))
        return output

    def _view(self, inputs: Tensor, case: int) -> SliceView:
        shape = inputs.shape[2:]
        if not isinstance(inputs, MetaTensor):
            return self.traversal.view(shape, None)
        affine = torch.as_tensor(inputs.affine).cpu()
        if affine.ndim == 3 and len(affine) != len(inputs):
            raise InputError(f"{len(affine)} affines for {len(inputs)} volumes; give one per volume.")
        try:
            one = affine[case] if affine.ndim == 3 else affine
            # collated cases have a row each, a case that was given a batch dimension by hand has none
            normals = np.asarray(inputs.meta.get("slice_normal", np.zeros(3))).reshape(-1, 3)
            normal = normals[case] if len(normals) == len(inputs) else normals[0]
            return self.traversal.view(shape, one.numpy(), normal)
        except InputError as error:
            raise InputError(f"volume {case + 1} of {len(inputs)}: {error}") from None

    def _run_case(
        self,
        volume: Tensor,
        view: SliceView,
        segmenter: Any,
        prompts: Sequence[tuple[int, Prompt]],
        result: Tensor,
        observer: StageObserver | None,
    ) -> Tensor:
        """Fill ``result`` (P, X, Y, Z), zeros, from ``volume`` (3, X, Y, Z); returns slice presences (P, D), CPU."""
        presence = torch.zeros((len(result), volume.shape[1 + view.axis]), dtype=torch.float32)
        for batch in self.traversal(volume, view, segmenter, prompts, observer):
            found = self._gated(batch, presence[:, batch.start : batch.stop])
            if self.mask_threshold is None:
                # one by one: fresh memory for all prompts would take as long as the network
                for p, scores in found:
                    view.restore(scores, result[p : p + 1], batch.start)
            else:
                shape = (len(result), batch.stop - batch.start, *batch.size)
                probabilities = torch.zeros(shape, device=batch.device)
                for p, scores in found:
                    probabilities[p] = scores[:, 0]
                # slice by slice: ranking takes memory
                for n, one in enumerate(probabilities.unbind(1)):
                    view.restore(mask_ranks(one, self.mask_threshold)[None], result, batch.start + n)
                del probabilities
            del batch, found  # before the next are made
        return presence

    def _gated(self, batch: SliceResults, presence: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Numbers of prompts and their (N, 1, H, W) probabilities in N slices.

        Prompts that are absent from all slices are left out. Fills ``presence`` (P, N).
        """
        for p, found in batch.results:
            presence[p], probabilities = gated_probabilities(found, self.presence_threshold, self.gate)
            if probabilities is not None:
                yield p, probabilities


def _zeros(volumes: Tensor, prompts: int, dtype: torch.dtype) -> Tensor:
    """(B, P, X, Y, Z), of volumes with X fastest in memory: axial slices and files are then contiguous."""
    cases, _, *shape = volumes.shape
    picture = shape[2] == 1
    whole = (cases, prompts, *(shape if picture else reversed(shape)))
    if volumes.is_cpu:
        # NumPy's zeros take no memory, and no time, until they are written: most prompts are often absent
        zeros = torch.from_numpy(np.zeros(whole, np.float32 if dtype == torch.float32 else np.uint8))
    else:
        zeros = torch.zeros(whole, dtype=dtype, device=volumes.device)
    return zeros if picture else zeros.permute(0, 1, 4, 3, 2)


def _stated_modality(inputs: Tensor) -> str | None:
    """The modality that the files of a batch state, or that was recognised in all of them; None if they differ."""
    if not isinstance(inputs, MetaTensor):
        return None
    for key in ("modality", "recognised_as"):
        stated = inputs.meta.get(key, "")
        values = {stated} if isinstance(stated, str) else set(stated)
        if len(values) == 1 and (found := names_modality(values.pop())):
            return found
    return None


def _described(reading: Reading) -> dict[str, Any]:
    return {"asked": reading.text, "notes": list(reading.notes), "modalities": list(reading.modalities)}


def _check_images(inputs: Tensor) -> None:
    if inputs.ndim not in (4, 5):
        raise InputError(
            f"images of shape {tuple(inputs.shape)}: a batch of pictures (B, 3, H, W) "
            "or of volumes (B, 3, X, Y, Z) is needed."
        )
    if inputs.shape[1] != 3:
        raise InputError(
            f"images of {inputs.shape[1]} channels, shape {tuple(inputs.shape)}: 3 are needed; repeat a "
            "single one, or choose three."
        )
    if 0 in inputs.shape:
        raise InputError(f"images of shape {tuple(inputs.shape)} hold no voxels.")


def _unwrap(network: Any) -> Any:
    """The segmenter inside DistributedDataParallel and its like, whose wrappers only know ``forward``."""
    inner = network
    while not hasattr(inner, "encode") and isinstance(getattr(inner, "module", None), nn.Module):
        inner = inner.module
    if not (hasattr(inner, "encode") and hasattr(inner, "segment")):
        raise InputError(
            f"network {type(network).__name__} has no encode and segment; use a TextPromptedSegmenter."
        )
    return inner


def _stack_padded(rows: Sequence[Tensor]) -> Tensor:
    """(P, D_i) tensors as (B, P, max D), NaN behind the shorter ones."""
    stacked = torch.full((len(rows), rows[0].shape[0], max(r.shape[1] for r in rows)), torch.nan)
    for target, row in zip(stacked, rows):
        target[:, : row.shape[1]] = row
    return stacked
