"""What MONAI Label and MONAI Deploy do with a bundle, step by step, without either of them installed.

Neither runs the bundle's evaluator. The steps are those of ``monailabel.tasks.infer.bundle.BundleInferTask`` (0.8.5)
and of ``monai.deploy.operators.MonaiBundleInferenceOperator`` (4.0.0); ``tests/apps`` runs the real ones.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import LoadImaged, SaveImaged


def infer_as_label(bundle: Path, image: Path, prompt: str) -> dict[str, Any]:
    """The data that MONAI Label hands to its own writer: of one inference.json, and no metadata in it."""
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.config.update(bundle_root=str(bundle), device="cpu")
    network = _network(parser, bundle)
    data: dict[str, Any] = {"text_prompt": prompt, "image": str(image), "image_path": str(image)}
    shown = parser["displayable_configs"]
    shown.update({key: data[key] for key in shown})
    parser.parse()
    before = parser.get_parsed_content("preprocessing").transforms
    assert isinstance(before[0], LoadImaged)  # Label wraps such a transform to take images from memory too
    for transform in before:
        data = transform(data)
    with torch.no_grad():
        data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network)[0]
    for transform in parser.get_parsed_content("postprocessing").transforms:
        if not isinstance(transform, SaveImaged):
            data = transform(data)
    return data


def infer_as_deploy(bundle: Path, image: MetaTensor, prompt: str) -> np.ndarray:
    """The array of MONAI Deploy's output image, (X, Y, Z) uint8, of a volume (X, Y, Z) in memory."""
    parser = ConfigParser()
    parser.read_meta(str(bundle / "configs" / "metadata.json"))
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.config.update(device="cpu")
    parser["displayable_configs"]["text_prompt"] = prompt
    parser.parse()
    (name,), (output,) = (parser["_meta_"]["network_data_format"][key] for key in ("inputs", "outputs"))
    data: dict[str, Any] = {name: image}
    for transform in _without_files(parser, "preprocessing"):
        data = transform(data)
    with torch.no_grad():
        outputs = parser.get_parsed_content("inferer")(
            inputs=data[name][None], network=_network(parser, bundle)
        )
    data = {output: next(iter(outputs)), **data}
    for transform in _without_files(parser, "postprocessing"):
        data = transform(data)
    return np.squeeze(data[output].numpy(), 0)


def _network(parser: ConfigParser, bundle: Path) -> torch.nn.Module:
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(bundle / "models" / "model.pt", weights_only=True), strict=True)
    return network.eval()


def _without_files(parser: ConfigParser, key: str) -> list[Any]:
    """Transforms that neither load nor save images, which Deploy goes by the names of their classes for."""
    transforms = parser.get_parsed_content(key).transforms
    return [t for t in transforms if not re.search("LoadImage|SaveImage", type(t).__name__)]
