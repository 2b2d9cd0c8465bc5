"""The same masks on a GPU, in mixed precision, as on the CPU; and one epoch of training there."""

from pathlib import Path

import pytest
import torch

import monai_ext
from tests.bundles import test_vlsm
from tests.bundles.films import write_films

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "samples"

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.mark.parametrize(
    ("picture", "prompt"),
    [
        ("breast_ultrasound.png", "tumour in a breast ultrasound"),
        ("brain_mr_axial.png", "tumour in a brain MRI"),
    ],
)
def test_gpu_and_cpu_give_the_same_mask(picture, prompt):
    (on_cpu,) = monai_ext.load("vlsm", device="cpu").segment(SAMPLES / picture, [prompt])
    (on_gpu,) = monai_ext.load("vlsm", device="cuda:0").segment(SAMPLES / picture, [prompt])
    one, other = torch.as_tensor(on_cpu.mask).bool().cpu(), torch.as_tensor(on_gpu.mask).bool().cpu()
    assert one.any()
    assert 2 * float((one & other).sum()) / float(one.sum() + other.sum()) >= 0.999


def test_one_epoch_trains_in_mixed_precision(tmp_path):
    data, out = write_films(tmp_path / "films"), tmp_path / "out"
    test_vlsm.TestVLSM.training("train", data, out, device="cuda:0", amp=True, epochs=1).run()
    state = torch.load(out / "model.pt", map_location="cpu", weights_only=True)
    assert all(bool(value.isfinite().all()) for value in state.values() if torch.is_tensor(value))
