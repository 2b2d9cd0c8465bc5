"""The self test finds in the sample image what the embedded weights are known to find."""

from __future__ import annotations

import pytest

from monai_ext.doctor import self_test
from monai_ext.errors import WeightsError


def test_the_embedded_weights_find_what_is_expected_exactly():
    found = self_test.self_test()
    assert found.status == "ok", found.text
    assert abs(found.values["pixels"] - self_test.PIXELS) <= 3
    assert found.values["presence"] == pytest.approx(self_test.PRESENCE, abs=1e-3)


@pytest.mark.parametrize(
    ("pixels", "presence", "status"),
    [
        (15763, 0.996, "ok"),
        (15920, 0.99, "ok"),
        (15930, 0.996, "mend"),
        (15763, 0.98, "mend"),
        (0, 0.0, "mend"),
    ],
)
def test_a_few_pixels_more_or_less_are_fine(pixels, presence, status):
    found = self_test.compared(pixels, presence, 1.0)
    assert found.status == status
    assert ("15763 at 0.996 are expected" in found.text) == (status == "mend")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (WeightsError("vlsm.safetensors is missing"), "damaged", "vlsm.safetensors is missing"),
        (ImportError("libcudart.so"), "mend", "failed with ImportError: libcudart.so"),
        (RuntimeError("out\nof memory"), "mend", "failed with RuntimeError: out of memory"),
    ],
)
def test_whatever_fails_is_a_finding(monkeypatch, error, status, said):
    def fails(name: str) -> None:
        raise error

    monkeypatch.setattr("monai_ext.load", fails)
    found = self_test.self_test()
    assert (found.status, found.text) == (status, said)
    assert found.advice
