"""Every visual-prompt decoder of the package has a contract test, and none can leave out an abstract method."""

import importlib
import pkgutil

import pytest

import monai_ext.networks.decoders
from monai_ext.networks.decoders.base import VisualPromptDecoder
from monai_ext.networks.decoders.sam import SegmentAnything
from tests.abstract import concrete_subclasses, incomplete
from tests.networks import decoders
from tests.networks.decoders.contract import DecoderContract


def test_every_decoder_has_a_contract_test():
    for folder in (monai_ext.networks.decoders, decoders):
        for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
            importlib.import_module(module.name)
    tested = {contract.decoder for contract in DecoderContract.__subclasses__()}
    assert tested == concrete_subclasses(VisualPromptDecoder)


@pytest.mark.parametrize(
    ("base", "missing"),
    [
        (VisualPromptDecoder, "encode"),
        (VisualPromptDecoder, "predict_flat"),
        (SegmentAnything, "letterbox"),
        (SegmentAnything, "prepare"),
    ],
)
def test_a_decoder_without_an_abstract_method_cannot_be_built(base, missing):
    with pytest.raises(TypeError, match=f"abstract method '?{missing}'?"):
        incomplete(base, missing)()
