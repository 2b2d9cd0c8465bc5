"""The image towers of open_clip models, block by block.

One interface to several architectures: a method can read any layer, or run the first blocks once and the others many
times, as an information bottleneck does. Modules and weights stay open_clip's; a tower only calls them in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn


class ImageTower(ABC):
    """An image tower in steps: stem, blocks, pooling; (B, 3, S, S) normalised images to one embedding each.

    ``tower.finish(tower.advance(tower.stem(x)))[0]`` equals ``visual(x)`` for every tower. The tensor between the steps
    is the *state*: (B, C, h, w) in a convolutional tower, (B, prefix + h * w, C) in a transformer.

    Args:
        visual: ``model.visual`` of an open_clip model.
    """

    def __init__(self, visual: Any) -> None:
        self.visual = visual

    @property
    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """The modules that map a state to the next, in order; layer i is the output of block i."""

    @property
    @abstractmethod
    def cam_layer(self) -> nn.Module | None:
        """The module whose output class activation methods take; None where they cannot be used.

        It is the last one whose output moves the embedding at every position. In a transformer that is the first norm
        of the last block, since only the class token of that block's own output is read.
        """

    @property
    @abstractmethod
    def pooled_tokens(self) -> slice | None:
        """The tokens of the last state whose mean becomes the embedding: the class token or all patch tokens.

        None where pooling is no mean.
        """

    @abstractmethod
    def stem(self, x: Tensor) -> Tensor:
        """Normalised images to the state before the first block."""

    def advance(self, state: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """The state after blocks[first:last]."""
        for block in self.blocks[first:last]:
            state = block(state)
        return state

    def as_map(self, state: Tensor) -> Tensor:
        """A state as (B, C, h, w), without prefix tokens."""
        return state

    def values_as_map(self, values: Tensor, state: Tensor) -> Tensor:
        """One number for each token of a state, (B, N), as (B, h, w), without prefix tokens."""
        return values.unflatten(1, state.shape[-2:])

    @abstractmethod
    def finish(self, state: Tensor) -> tuple[Tensor, Tensor | None]:
        """The state after the last block to embeddings.

        Returns:
            the image's embedding (B, D), not of unit length; and that of each patch token, (B, D, h, w), None where the
            architecture mixes the patch tokens in its pooling.
        """


class OpaqueTower(ImageTower):
    """An architecture of timm that is run as a whole: it has no layers and no patch tokens to offer."""

    @property
    def blocks(self) -> list[nn.Module]:
        return []

    @property
    def cam_layer(self) -> None:
        return None

    @property
    def pooled_tokens(self) -> None:
        return None

    def stem(self, x: Tensor) -> Tensor:
        return self.visual.trunk.forward_features(x)

    def finish(self, state: Tensor) -> tuple[Tensor, None]:
        return self.visual.head(self.visual.trunk.forward_head(state)), None


class ResNetTower(ImageTower):
    """ModifiedResNet: four stages, then attention pooling.

    The embedding of a patch token is its projected value in that pooling (MaskCLIP, Zhou et al. 2022).
    """

    @property
    def blocks(self) -> list[nn.Module]:
        return [self.visual.layer1, self.visual.layer2, self.visual.layer3, self.visual.layer4]

    @property
    def cam_layer(self) -> nn.Module:
        return self.visual.layer4[-1]

    @property
    def pooled_tokens(self) -> None:
        return None

    def stem(self, x: Tensor) -> Tensor:
        return self.visual.stem(x)

    def finish(self, state: Tensor) -> tuple[Tensor, Tensor]:
        pool = self.visual.attnpool
        tokens = pool.c_proj(pool.v_proj(state.permute(0, 2, 3, 1)))
        return pool(state), tokens.permute(0, 3, 1, 2)


class TokenTower(ImageTower):
    """What transformers have in common: their tokens are `prefix` others, then the patch tokens, row by row.

    Args:
        visual: ``model.visual`` of an open_clip model.
        prefix: number of tokens before the patch tokens: class and register tokens.
        grid: (h, w) of the patch tokens.
    """

    def __init__(self, visual: Any, prefix: int, grid: tuple[int, int]) -> None:
        super().__init__(visual)
        self.prefix = prefix
        self.grid = grid

    def as_map(self, state: Tensor) -> Tensor:
        return state[:, self.prefix :].transpose(1, 2).unflatten(2, self.grid)

    def values_as_map(self, values: Tensor, state: Tensor) -> Tensor:
        return values[:, self.prefix :].unflatten(1, self.grid)


class ViTTower(TokenTower):
    """open_clip's own VisionTransformer. A patch token's embedding is its last state, normalised and projected."""

    def __init__(self, visual: Any) -> None:
        super().__init__(visual, 1, visual.grid_size)

    @property
    def pooled_tokens(self) -> slice | None:
        if self.visual.attn_pool is not None:  # CoCa
            return None
        return {"tok": slice(0, 1), "avg": slice(1, None)}.get(self.visual.pool_type)

    @property
    def blocks(self) -> list[nn.Module]:
        return list(self.visual.transformer.resblocks)

    @property
    def cam_layer(self) -> nn.Module:
        return self.visual.transformer.resblocks[-1].ln_1

    def stem(self, x: Tensor) -> Tensor:
        return self.visual._embeds(x)

    def finish(self, state: Tensor) -> tuple[Tensor, Tensor | None]:
        visual = self.visual
        pooled = visual._pool(state)[0] @ visual.proj
        if visual.attn_pool is not None:  # CoCa
            return pooled, None
        return pooled, self.as_map(visual.ln_post(state) @ visual.proj)


class TimmViTTower(TokenTower):
    """A VisionTransformer of timm, as in BiomedCLIP."""

    def __init__(self, visual: Any) -> None:
        super().__init__(visual, visual.trunk.num_prefix_tokens, visual.trunk.patch_embed.grid_size)

    @property
    def pooled_tokens(self) -> slice | None:
        if self.visual.trunk.attn_pool is not None:  # SigLIP
            return None
        return {"token": slice(0, 1), "avg": slice(self.prefix, None)}.get(self.visual.trunk.global_pool)

    @property
    def blocks(self) -> list[nn.Module]:
        return list(self.visual.trunk.blocks)

    @property
    def cam_layer(self) -> nn.Module:
        return self.visual.trunk.blocks[-1].norm1

    def stem(self, x: Tensor) -> Tensor:
        trunk = self.visual.trunk
        return trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(x))))

    def finish(self, state: Tensor) -> tuple[Tensor, Tensor | None]:
        visual, trunk = self.visual, self.visual.trunk
        state = trunk.norm(state)
        pooled = visual.head(trunk.forward_head(state))
        if trunk.attn_pool is not None:  # SigLIP
            return pooled, None
        return pooled, self.as_map(visual.head(trunk.head(trunk.fc_norm(state))))


class CompactTower(ImageTower):
    """The embedded trunk. Each position of its map is projected; the image's embedding is the mean of these."""

    @property
    def pooled_tokens(self) -> slice:
        return slice(None)

    @property
    def blocks(self) -> list[nn.Module]:
        return list(self.visual.trunk.blocks)

    @property
    def cam_layer(self) -> nn.Module:
        return self.visual.trunk.blocks[-1]

    def stem(self, x: Tensor) -> Tensor:
        return self.visual.trunk.stem(x)

    def finish(self, state: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.visual.head(self.visual.trunk.norm(state).permute(0, 2, 3, 1))
        return tokens.mean((1, 2)), tokens.permute(0, 3, 1, 2)


def image_tower(visual: nn.Module) -> ImageTower:
    """The tower of ``model.visual``."""
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.transformer import VisionTransformer
    from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer

    from monai_ext.networks.encoders.compact_trunk import CompactTrunk

    if isinstance(getattr(visual, "trunk", None), CompactTrunk):
        return CompactTower(visual)
    if isinstance(visual, ModifiedResNet):
        return ResNetTower(visual)
    if isinstance(visual, VisionTransformer):
        return ViTTower(visual)
    if (
        type(getattr(visual, "trunk", None)) is TimmVisionTransformer
    ):  # subclasses change the order of their modules
        return TimmViTTower(visual)
    return OpaqueTower(visual)


def layer_indices(tower: ImageTower, layers: Iterable[int]) -> dict[int, int]:
    """The index of the block for each requested layer; negative layers count from the end.

    Raises:
        ValueError: when there is no such layer.
    """
    depth = len(tower.blocks)
    for layer in layers:
        if not -depth <= layer < depth:
            has = f"layers 0 to {depth - 1}" if depth else "no layers that can be asked for"
            raise ValueError(f"no layer {layer}: {type(tower.visual).__name__} has {has}.")
    return {layer: layer % depth for layer in layers}
