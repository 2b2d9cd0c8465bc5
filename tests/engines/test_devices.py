"""The precision of a network, by its device and by what a configuration says."""

import pytest
import torch

from monai_ext.engines.devices import mixed_precision


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_a_cpu_runs_in_full_precision(device):
    assert mixed_precision(device) == {"amp": False, "amp_kwargs": {}}


@pytest.mark.parametrize(("bfloat16", "kwargs"), [(True, {"dtype": torch.bfloat16}), (False, {})])
def test_cuda_runs_in_bfloat16_where_the_card_has_it(monkeypatch, bfloat16, kwargs):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    assert mixed_precision("cuda:0") == {"amp": True, "amp_kwargs": kwargs}
    assert mixed_precision("cuda:0", amp=False) == {"amp": False, "amp_kwargs": {}}
