"""The network of a bundle with its embedded weights, without the bundle's workflow."""

from __future__ import annotations

from monai.bundle import ConfigParser
from torch import nn

from monai_ext.resources import resource_path
from monai_ext.weights import load_into


def embedded_network(name: str) -> nn.Module:
    """In evaluation mode, on the CPU."""
    parser = ConfigParser()
    parser.read_config(str(resource_path(f"{name}/configs/inference.json", "bundles")))
    network = parser.get_parsed_content("network_def")
    load_into(network, parser.get_parsed_content("weights"))
    return network.eval()
