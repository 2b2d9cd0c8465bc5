"""A batch of one case is MONAI's, without the copy."""

import numpy as np
import torch
from monai.data import DataLoader, MetaTensor, decollate_batch, list_data_collate

from monai_ext.data.collate import collate_single_case


def item():
    grey = torch.rand(1, 4, 5, 6).expand(3, 4, 5, 6)
    meta = {"filename_or_obj": "a.nii", "spacing": np.array([1.0, 2.0, 3.0]), "warnings": ""}
    image = MetaTensor(grey, affine=torch.diag(torch.tensor([1.0, 2.0, 3.0, 1.0])), meta=meta)
    return {"image": image, "label": MetaTensor(torch.ones(1, 4, 5, 6)), "case": "a", "prompt": ["x", "y"]}


def test_the_batch_is_that_of_monai():
    case = item()
    ours, theirs = collate_single_case([case]), list_data_collate([case])
    assert list(ours) == list(theirs)
    for key in ("image", "label"):
        assert torch.equal(ours[key].as_tensor(), theirs[key].as_tensor())
        assert torch.equal(ours[key].affine, theirs[key].affine)
        assert ours[key].meta.keys() == theirs[key].meta.keys()
        for name in ("is_batch", "applied_operations", "spatial_ndim"):
            assert getattr(ours[key], name) == getattr(theirs[key], name)
    assert ours["image"].meta["filename_or_obj"] == ["a.nii"]
    assert torch.equal(ours["image"].meta["spacing"], theirs["image"].meta["spacing"])
    assert (ours["case"], ours["prompt"]) == (theirs["case"], theirs["prompt"])


def test_neither_the_batch_nor_taking_it_apart_copies_voxels():
    case = item()
    (batch,) = DataLoader([case], batch_size=1, collate_fn=collate_single_case)
    (again,) = decollate_batch(batch)
    for image in (batch["image"], again["image"]):
        assert image.data_ptr() == case["image"].data_ptr()
        assert image.stride(-4) == 0  # the three channels are still one
    assert again["image"].meta["filename_or_obj"] == "a.nii"
    assert not again["image"].is_batch
