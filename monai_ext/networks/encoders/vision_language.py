"""Vision-language encoders behind one interface: images and texts to unit vectors of a joint space.

The models are open_clip's (Radford et al. 2021, Cherti et al. 2023; BiomedCLIP: Zhang et al. 2023). This module adds
what the methods of this package need: images in display range, the grid of patch tokens, any layer, and a cache of text
embeddings. Nothing is downloaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from monai_ext.losses.image_text import ImageTextLogits
from monai_ext.networks.encoders.clip_config import ClipConfig, build_clip, clip_config, is_file
from monai_ext.networks.encoders.clip_text import Tokenizer, read_tokenizer
from monai_ext.networks.encoders.clip_towers import ImageTower, image_tower, layer_indices
from monai_ext.networks.language.taught import Taught
from monai_ext.networks.segmenter import ensembled
from monai_ext.prompts.prompt import Prompt
from monai_ext.weights.formats import SETTINGS, without_prefix
from monai_ext.weights.load import copy_into

CACHE_SIZE = 4096  # texts; 8 MB at 512 channels

# Entries of public files that today's networks lack: positions that transformers computes, sizes that OpenAI adds.
OBSOLETE_KEYS = ("text.transformer.embeddings.position_ids", *SETTINGS)


@dataclass
class ImageFeatures:
    """What an image tower computes of B images.

    Attributes:
        embedding: (B, D) unit vectors, float32.
        tokens: (B, D, h, w), a unit vector for each patch token, the first row at the top of the image; None where
            the pooling of the architecture mixes the patch tokens.
        layers: the requested layers as (B, C, h, w), neither projected nor normalised, without prefix tokens.
    """

    embedding: Tensor
    tokens: Tensor | None
    layers: dict[int, Tensor]


class VisionLanguageEncoder(Taught):
    """An open_clip model; its weights are random until some are loaded (:meth:`load`).

    Args:
        model: a name ("OA-ViT-B", "BiomedCLIP", "ViT-B-16", …), a config file, its folder or its content:
            see :func:`~monai_ext.networks.encoders.clip_config.clip_config`.
        pretrained: with a name of open_clip, the tag of the weights that will be loaded.
        text_files: folder with the files of a Hugging Face tokenizer, and with the text tower's config where this
            package has none. If None, a folder given as `model`. Without it BiomedCLIP encodes images but no texts.

    Raises:
        InputError: when the model is unknown or cannot be built.
        WeightsError: when files of the text tower or the tokenizer are missing or damaged.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: str | Path | Mapping[str, Any],
        pretrained: str | None = None,
        text_files: str | Path | None = None,
    ) -> None:
        super().__init__()
        if text_files is None and not isinstance(model, Mapping) and is_file(model) and Path(model).is_dir():
            text_files = model
        self.text_files = None if text_files is None else Path(text_files)
        self.config: ClipConfig = clip_config(model, pretrained, self.text_files)
        self.model: Any = build_clip(self.config)
        for name in ("mean", "std"):
            value = torch.tensor(getattr(self.config, name), dtype=torch.float32)[:, None, None]
            self.register_buffer(name, value, persistent=False)
        self._tokenizer: Tokenizer | None = None
        if self.text_files is not None:
            self._tokenizer = read_tokenizer(self.config, self.text_files)
        self._cache: dict[str, Tensor] = {}
        self._cached_weights: list[tuple[Any, ...]] = []

    @property
    def tower(self) -> ImageTower:
        """The image tower in steps, for methods that read or change the state between two blocks."""
        return image_tower(self.model.visual)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels of the image tower's input."""
        size = self.model.visual.image_size
        return (size, size) if isinstance(size, int) else tuple(size)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the text tower, read on first use.

        Raises:
            WeightsError: when its files are missing.
        """
        if self._tokenizer is None:
            self._tokenizer = read_tokenizer(self.config, self.text_files)
        return self._tokenizer

    def load(self, state: Mapping[str, Tensor], description: str) -> None:
        """Copy weights in the layout of open_clip's public files into the model; all must fit.

        Args:
            state: tensors by name, with or without this module's own prefix "model.".
            description: what messages call the weights.

        Raises:
            WeightsError: naming the keys that do not fit.
        """
        from open_clip.model import convert_to_custom_text_state_dict

        state = dict(state)
        lexicon = state.pop("_extra_state", None)
        state = without_prefix(state, "model.")
        state = {key: value for key, value in state.items() if key not in OBSOLETE_KEYS}
        if "positional_embedding" in state and hasattr(self.model, "text"):
            state = convert_to_custom_text_state_dict(state)
        copy_into(self.model, state, description)
        if lexicon is not None:
            self.set_extra_state(lexicon)

    def prepare(self, image: Tensor) -> Tensor:
        """Images as the image tower takes them: squashed to its input size and normalised.

        open_clip crops the centre of an image that is not square; a segmenter needs the whole image.

        Args:
            image: (B, 3, H, W) in [0, 1].

        Returns:
            (B, 3, S, S) in the type of the weights.

        Raises:
            ValueError: when images have another shape.
        """
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"images are (B, 3, H, W), got {tuple(image.shape)}.")
        x = image.float()
        if x.shape[-2:] != self.image_size:
            x = F.interpolate(x, self.image_size, mode=self.config.interpolation, antialias=True).clamp(0, 1)
        return ((x - self.mean) / self.std).to(next(self.model.visual.parameters()).dtype)

    def encode_image(self, image: Tensor, layers: Sequence[int] = ()) -> ImageFeatures:
        """Embedding, patch tokens and layers of images.

        Args:
            image: (B, 3, H, W) in [0, 1].
            layers: 0-based blocks whose output is returned, negative ones from the end; a ResNet has four.

        Raises:
            ValueError: when images have another shape, or there is no such layer.
        """
        return self.encode_prepared(self.prepare(image), layers)

    def encode_prepared(self, x: Tensor, layers: Sequence[int] = ()) -> ImageFeatures:
        """:meth:`encode_image` for images (B, 3, S, S) that :meth:`prepare` returned, perhaps masked since then."""
        tower = self.tower
        requested, kept = layer_indices(tower, layers), {}
        state = tower.stem(x)
        for index, block in enumerate(tower.blocks):
            state = block(state)
            if index in requested.values():
                kept[index] = tower.as_map(state)
        pooled, tokens = tower.finish(state)
        return ImageFeatures(
            F.normalize(pooled.float(), dim=-1),
            None if tokens is None else F.normalize(tokens.float(), dim=1),
            {layer: kept[index] for layer, index in requested.items()},
        )

    def encode_text(self, prompts: Sequence[Prompt | str]) -> Tensor:
        """(N, D) float32 unit vectors of N prompts; an ensemble is the mean of its unit vectors, normalised.

        Each text is embedded once and cached until the weights of the text tower change or move (a change through
        ``weight.data``, which PyTorch does not count, is not noticed). While they are trained (they require gradients,
        and this module is in training mode or gradients are on) nothing is cached. A text longer than the context is
        truncated, with a warning.

        Raises:
            WeightsError: when the tokenizer's files are missing.
        """
        text_prompts = [Prompt.of(prompt) for prompt in prompts]
        texts = list(dict.fromkeys(text for prompt in text_prompts for text in prompt.texts))
        trained = any(weight.requires_grad for weight in self._text_weights())
        if trained and (self.training or torch.is_grad_enabled()):
            vectors = dict(zip(texts, self._embed(texts), strict=True))
        else:
            vectors = self._cached(texts)
        return ensembled(text_prompts, vectors)

    def similarity(self, image: Tensor, text: Tensor) -> Tensor:
        """(..., T) logits of (..., D) image and (T, D) text unit vectors: cosines times the learnt scale, plus the bias."""
        return self._logits(image @ text.T)

    def text_map(self, tokens: Tensor, text: Tensor) -> Tensor:
        """(h, w) logits, as :meth:`similarity`, of the (D, h, w) patch tokens of an image with one (D,) text vector."""
        cosines = (tokens * text[:, None, None]).sum(0)  # a sum, since autocast would round a matrix product
        return self._logits(cosines)

    def _logits(self, cosine: Tensor) -> Tensor:
        bias = self.model.logit_bias
        logits = self.model.logit_scale.exp() * cosine
        return logits if bias is None else logits + bias

    def forward(self, image: Tensor, captions: Sequence[Sequence[str]]) -> ImageTextLogits:
        """Logits of (B, 3, H, W) images in [0, 1] with P captions for each; training calls this.

        Raises:
            ValueError: when the architecture has no patch tokens, or images differ in their number of captions.
        """
        features = self.encode_image(image)
        if features.tokens is None:
            raise ValueError(f"{self.config.name} has no token grid to compare with captions.")
        if len({len(row) for row in captions}) != 1 or len(captions) != len(image):
            raise ValueError(f"{len(image)} images need one list of captions each, all of the same length.")
        text = self.encode_text([one for row in captions for one in row])
        pairs = self.similarity(features.embedding, text).unflatten(1, (len(captions), -1))
        own = text.unflatten(0, pairs.shape[1:])
        return ImageTextLogits(pairs, self._logits(torch.einsum("bdhw,bpd->bphw", features.tokens, own)))

    def _text_weights(self) -> Iterator[nn.Parameter]:
        for name, weight in self.model.named_parameters():
            if not name.startswith(("visual.", "logit_", "text_decoder.")):
                yield weight

    def _embed(self, texts: Sequence[str]) -> Tensor:
        """(N, D) unit vectors. A Hugging Face tower masks the padding, so texts are padded to the longest only."""
        for text in texts:
            if truncated := self.tokenizer.overflow(text):
                warnings.warn(
                    f"{self.config.name} reads {self.config.context_length} tokens; cut from a prompt: {truncated!r}.",
                    stacklevel=3,
                )
        ids = self.tokenizer(texts)
        if "hf_config" in self.config.text:
            used = (ids != self.model.text.config.pad_token_id).any(0)
            ids = ids[:, : int(used.nonzero().max()) + 1]
        ids = ids.to(next(self._text_weights()).device)
        return F.normalize(self.model.encode_text(ids).float(), dim=-1)

    def _cached(self, texts: Sequence[str]) -> dict[str, Tensor]:
        weights = [(w.data_ptr(), w._version, w.dtype, w.device) for w in self._text_weights()]
        if weights != self._cached_weights or len(self._cache) > CACHE_SIZE:
            self._cache.clear()
            self._cached_weights = weights
        vectors = {}
        for text in texts:
            if text not in self._cache:
                with _evaluation(self.model):  # one text at a time: a vector must not depend on its batch
                    self._cache[text] = self._embed([text])[0]
            vectors[text] = self._cache[text]
        return vectors

    def _apply(self, fn: Any, recurse: bool = True) -> VisionLanguageEncoder:
        self._cache.clear()
        return super()._apply(fn, recurse)


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Run a module without dropout, gradients and autocast.

    Inference mode is left, too: no later gradient could pass through tensors that were made in it.
    """
    modes = [(m, m.training) for m in module.modules()]
    device = next(module.parameters()).device.type
    module.eval()
    try:
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
            yield
    finally:
        for m, training in modes:
            m.training = training
