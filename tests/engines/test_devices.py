"""The device of a network and its precision, by the processor and by what a configuration says."""

import pytest
import torch

from monai_ext.engines import devices
from monai_ext.engines.devices import checked_device, has_bfloat16, mixed_precision
from monai_ext.errors import InputError


def processor(monkeypatch, *instructions):
    known = dict.fromkeys(["avx2", "avx512_f", *devices.BFLOAT16], False) | dict.fromkeys(instructions, True)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)


def precision(device, amp=None):
    """The type that products have, None where it is the network's own."""
    mixed = mixed_precision(device, amp)
    return mixed.fast_dtype if mixed._enabled else None


@pytest.mark.parametrize(
    ("instructions", "has"),
    [
        ((), False),
        (("avx2",), False),
        (("avx2", "avx512_f"), False),
        (("avx512_bf16",), True),
        (("amx_bf16",), True),
        (("bf16",), True),
    ],
)
def test_a_cpu_multiplies_in_bfloat16_by_instructions_of_its_own_or_not_at_all(
    monkeypatch, instructions, has
):
    processor(monkeypatch, *instructions)
    assert has_bfloat16("cpu") is has
    assert precision("cpu", amp=True) == (torch.bfloat16 if has else None)


def test_a_torch_without_the_kernels_for_these_instructions_does_not_use_them(monkeypatch):
    processor(monkeypatch, "bf16")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not has_bfloat16("cpu")


@pytest.mark.parametrize(("avx512", "amx"), [(True, False), (False, True), (False, False)])
def test_a_torch_that_lists_no_capabilities_is_asked_for_those_of_x86(monkeypatch, avx512, amx):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert has_bfloat16("cpu") is (avx512 or amx)


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
@pytest.mark.parametrize("amp", [None, False])
def test_a_cpu_infers_in_full_precision_unless_told_otherwise(monkeypatch, device, amp):
    processor(monkeypatch, "avx512_bf16")
    assert precision(device, amp) is None


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize(("own", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_card_infers_in_bfloat16_where_it_has_it_and_else_in_float16(monkeypatch, own, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: own or including_emulation
    )
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    assert mixed_precision("cuda:0").fast_dtype == dtype
    assert precision("cuda:0", amp=False) is None
    assert has_bfloat16("cuda:0") is own


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("gpu", "device 'gpu': choose auto, cpu or cuda:0."),
        ("meta", "device 'meta': choose auto, cpu or cuda:0."),
        ("", "device '': choose auto, cpu or cuda:0."),
        ("cuda:9", "device 'cuda:9': this machine has 2 CUDA devices; choose auto or cpu."),
        ("cuda:2", "device 'cuda:2': this machine has 2 CUDA devices; choose auto or cpu."),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch, device, reason):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError) as refusal:
        checked_device(device)
    assert str(refusal.value) == reason


def test_a_device_that_is_there_is_returned(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert checked_device("cuda:1") == torch.device("cuda", 1)
    assert checked_device(torch.device("cpu")) == torch.device("cpu")


def test_a_card_without_a_number_is_the_first(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert checked_device("cuda") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="^device 'cuda': this machine has 0 CUDA devices"):
        checked_device("cuda")
