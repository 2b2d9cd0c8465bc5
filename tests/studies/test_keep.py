"""The mean of the weights before and after a training."""

import pytest
import torch

from monai_ext.studies.keep import PARENT_SHARE, mean_weights
from monai_ext.studies.train import TrainingRequest
from monai_ext.weights.formats import read_state_dict


@pytest.mark.parametrize("module", [None, "decoder"])
def test_the_mean_of_a_network_or_a_module_lies_beside_what_was_trained(tmp_path, module):
    prefix = f"{module}." if module else ""
    before = {f"{prefix}w": torch.tensor([1.0, 2.0])} | ({"encoder.w": torch.ones(3)} if module else {})
    torch.save(before, tmp_path / "before.pt")
    torch.save({"w": torch.tensor([5.0, 2.0])}, tmp_path / "model.pt")
    file = mean_weights(str(tmp_path / "before.pt"), module, tmp_path / "model.pt", share=0.25)
    assert file == tmp_path / "mean.pt"
    assert read_state_dict(file)["w"].tolist() == [4.0, 2.0]
    assert read_state_dict(tmp_path / "model.pt")["w"].tolist() == [5.0, 2.0]


@pytest.mark.parametrize(
    ("keep", "stated", "share"),
    [(False, None, 0), (True, None, PARENT_SHARE), (True, 0.0, 0), (False, 0.5, 0.5)],
)
def test_a_share_of_the_parent_is_kept_where_it_is_asked_for(tmp_path, keep, stated, share):
    request = TrainingRequest(tmp_path, [], tmp_path, "train", keep=keep, parent_share=stated)
    assert request.share == share
