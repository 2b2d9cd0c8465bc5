"""Configurations of vision-language models by name or file, and the networks that open_clip builds of them.

Nothing is downloaded: a config comes from open_clip's own list, from this package, or from the caller. open_clip is
imported on use, so that the table of names can be read without it.
"""

from __future__ import annotations

import difflib
import json
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from monai_ext.errors import InputError, WeightsError

if TYPE_CHECKING:
    from torch import nn

HUB = "hf-hub:"
CONFIG_FILE = "open_clip_config.json"  # what a folder fetched from the Hugging Face hub calls its config
BIOMEDCLIP = Path(__file__).with_name("biomedclip.json")
EMBEDDED = {
    name: Path(__file__).with_name(f"{name.replace('-', '_')}.json")
    for name in ("compact-clip-lite", "compact-clip")
}
"""Models of this package: of the embedded weights, and of those before, which bundles made with them still hold."""
INTERPOLATIONS = ("bicubic", "bilinear")


class Published(NamedTuple):
    """A published model.

    Attributes:
        architecture: name in open_clip, or "BiomedCLIP" for the config in this package.
        quick_gelu: whether its weights were trained with the activation x * sigmoid(1.702 x) of OpenAI's CLIP.
        weights: a pretrained tag of open_clip, or ``hf-hub:`` and a repository of the Hugging Face hub.
    """

    architecture: str
    quick_gelu: bool
    weights: str


PUBLISHED = {
    "OA-RN50": Published("RN50", True, "openai"),
    "OA-RN101": Published("RN101", True, "openai"),
    "OA-ViT-B": Published("ViT-B-16", True, "openai"),
    "OA-ViT-L": Published("ViT-L-14", True, "openai"),
    "CC-RN50": Published("RN50", True, "cc12m"),
    "LA-ViT-B": Published("ViT-B-16", False, "laion400m_e32"),
    "BC-ViT-B": Published("ViT-B-16", False, "hf-hub:imageomics/bioclip"),  # BioCLIP, not BiomedCLIP
    "BiomedCLIP": Published(
        "BiomedCLIP", False, "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
    ),
}
"""Models by their names in the tables of the CLIP-SAM paper; BiomedCLIP is not one of the paper's."""

_RENAMED = {"proj": "hf_proj_type", "pooler_type": "hf_pooler_type"}  # text_cfg of some revisions on the hub


@dataclass(frozen=True)
class ClipConfig:
    """A complete description of a vision-language model.

    Attributes:
        name: what messages call the model.
        model: what open_clip calls model_cfg. A Hugging Face text tower carries its own config as
            ``text_cfg["hf_config"]``; ``text_cfg["tokenizer"] = "wordpiece"`` asks for this package's tokenizer.
        mean, std: of the RGB channels in [0, 1].
        interpolation: "bicubic" or "bilinear".
    """

    name: str
    model: dict[str, Any]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str

    @property
    def text(self) -> dict[str, Any]:
        return self.model["text_cfg"]

    @property
    def context_length(self) -> int:
        """Number of tokens of a text, special ones included."""
        return self.text.get("context_length", 77)


def clip_config(
    model: str | Path | Mapping[str, Any],
    pretrained: str | None = None,
    text_files: str | Path | None = None,
) -> ClipConfig:
    """The config of a model.

    Args:
        model: a name of :data:`EMBEDDED` or :data:`PUBLISHED`; a name of open_clip ("ViT-B-16", "RN50-quickgelu", …);
            a JSON file, or a folder with ``open_clip_config.json`` (:func:`is_file`); or the content of such a file. A
            file holds ``model_cfg`` and ``preprocess_cfg``, or a bare ``model_cfg``.
        pretrained: with a name of open_clip, the tag of the weights that will be loaded ("openai", …); it decides
            quick_gelu, mean and std.
        text_files: folder with the ``config.json`` of a Hugging Face text tower, where the config holds none.

    Raises:
        InputError: when the name or tag is unknown, or a file is no such config.
        WeightsError: when the config names a Hugging Face text tower whose own config is not on this machine.
    """
    if isinstance(model, Mapping):
        name, content = "config", dict(model)
    elif model in PUBLISHED:
        name, content = str(model), _published(PUBLISHED[str(model)])
    elif model in EMBEDDED:
        name, content = str(model), _read(EMBEDDED[str(model)])
    elif is_file(model):
        name, content = Path(model).name, _read(Path(model))
    else:
        name, content = str(model), _open_clip(str(model), pretrained)
        pretrained = None
    if pretrained is not None:
        raise InputError(f"{name}: pretrained={pretrained!r} goes with a name of open_clip; leave it out.")
    return _complete(name, content, None if text_files is None else Path(text_files))


def is_file(model: str | Path | Mapping[str, Any]) -> bool:
    """Whether a model is given as a file or folder: a Path, or a string that holds a slash or ends in .json.

    A plain name is always that of a model, also where the working directory holds a folder of this name.
    """
    return isinstance(model, Path) or (
        isinstance(model, str) and (model.endswith(".json") or Path(model).name != model)
    )


def build_clip(config: ClipConfig) -> nn.Module:
    """Build the network with random weights on torch's default device, which may be "meta".

    Returns:
        open_clip's CLIP, CustomTextCLIP or CoCa; the keys of its state dict are those of published files.

    Raises:
        InputError: when open_clip cannot build what the config describes.
    """
    import open_clip

    import monai_ext.networks.encoders.compact_trunk  # noqa: F401 (registers the embedded trunk in timm)

    model = deepcopy(config.model)
    text, vision = model["text_cfg"], model["vision_cfg"]
    hf_config = text.pop("hf_config", None)
    text.pop("tokenizer", None)
    custom = model.pop("custom_text", False) or hf_config is not None
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    if "multimodal_cfg" in model:
        kind = open_clip.CoCa
    if "timm_model_name" in vision:
        vision["timm_model_pretrained"] = False  # True would download
    with tempfile.TemporaryDirectory() as folder:
        if hf_config is not None:  # open_clip reads it from a folder or from the hub only
            (Path(folder) / "config.json").write_text(json.dumps(hf_config), encoding="utf-8")
            text.update(hf_model_name=folder, hf_model_pretrained=False)
        try:
            return kind(**model)
        except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
            raise InputError(
                f"{config.name}: open_clip cannot build this model ({error}); correct its config."
            ) from error


def _published(entry: Published) -> dict[str, Any]:
    if entry.architecture == "BiomedCLIP":
        return _read(BIOMEDCLIP)
    if not entry.weights.startswith(HUB):
        return _open_clip(entry.architecture, entry.weights)
    content = _open_clip(entry.architecture, None)
    content["model_cfg"]["quick_gelu"] = entry.quick_gelu
    return content


def _open_clip(name: str, pretrained: str | None) -> dict[str, Any]:
    """Config by a name of open_clip; a tag decides quick_gelu, which a name such as "RN50" leaves open."""
    import open_clip
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    known = open_clip.list_models()
    if name not in known:
        near = difflib.get_close_matches(name, [*EMBEDDED, *PUBLISHED, *known], n=3, cutoff=0.4)
        raise InputError(
            f"no vision-language model {name!r}; near it are {', '.join(near) or 'none'}: use a name of open_clip "
            f"or of its table ({', '.join([*EMBEDDED, *PUBLISHED])}), or a config file."
        )
    model = open_clip.get_model_config(name)
    if pretrained is None:
        return {"model_cfg": model, "preprocess_cfg": {}}
    tag = get_pretrained_cfg(name, pretrained)
    if not tag:
        tags = ", ".join(list_pretrained_tags_by_model(name)) or "none"
        raise InputError(f"{name}: open_clip knows no weights {pretrained!r} of it; known are {tags}.")
    model["quick_gelu"] = tag.get("quick_gelu", False)
    return {"model_cfg": model, "preprocess_cfg": tag}


def _read(path: Path) -> dict[str, Any]:
    path = path / CONFIG_FILE if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path.name}: no readable config of a model ({reason}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: the config of a model is a JSON object.")
    return content


def _complete(name: str, content: dict[str, Any], folder: Path | None) -> ClipConfig:
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

    model = deepcopy(content.get("model_cfg", content))
    lacking = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in model]
    if lacking:
        raise InputError(f"{name}: model_cfg lacks {', '.join(lacking)}; see the configs of open_clip.")
    text = model["text_cfg"] = {_RENAMED.get(key, key): value for key, value in model["text_cfg"].items()}
    if "hf_model_name" in text and "hf_config" not in text:
        text["hf_config"] = _text_tower_config(name, text["hf_model_name"], folder)
    preprocess: Mapping[str, Any] = content.get("preprocess_cfg") or {}
    interpolation = preprocess.get("interpolation", INTERPOLATIONS[0])
    if interpolation not in INTERPOLATIONS:
        raise InputError(f"{name}: interpolation {interpolation!r}; known are {', '.join(INTERPOLATIONS)}.")
    mean = tuple(preprocess.get("mean") or OPENAI_DATASET_MEAN)
    std = tuple(preprocess.get("std") or OPENAI_DATASET_STD)
    return ClipConfig(name, model, mean, std, interpolation)


def _text_tower_config(name: str, repository: str, folder: Path | None) -> dict[str, Any]:
    """The config of a Hugging Face text tower: the caller's file, or that of this package for BiomedBERT."""
    if folder is not None and (folder / "config.json").is_file():
        return _read(folder / "config.json")
    # The hub renamed PubMedBERT to BiomedBERT; revisions of the config hold either name.
    known = _read(BIOMEDCLIP)["model_cfg"]["text_cfg"]
    if repository.replace("PubMedBERT", "BiomedBERT") == known["hf_model_name"]:
        return known["hf_config"]
    raise WeightsError(
        f"{name}: the config of its text tower is not here; fetch config.json and the tokenizer's files of "
        f"{repository!r} from the Hugging Face hub into a folder and name it as text_files."
    )
