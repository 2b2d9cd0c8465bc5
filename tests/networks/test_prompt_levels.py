"""A level as a prompt of the networks."""

import pytest

from monai_ext.errors import InputError
from monai_ext.networks.prompt_levels import prompt_at_level


def test_an_ensemble_is_one_prompt_of_its_target():
    prompt = prompt_at_level("breast tumour", "medclipsam_p4")
    assert (len(prompt.texts), prompt.target, prompt.oracle) == (5, "breast tumour", False)


def test_the_true_subtype_makes_an_oracle():
    prompt = prompt_at_level("brain tumour", "medclipsam_p1", subtype="glioma")
    assert (prompt.texts, prompt.name, prompt.oracle) == (("glioma brain tumour",), "brain tumour", True)
    with pytest.raises(InputError, match="known are glioma, meningioma, pituitary tumour"):
        prompt_at_level("brain tumour", "medclipsam_p9")


def test_the_modality_is_needed_where_several_show_the_target():
    ct, xray = (prompt_at_level("lungs", "medclipsam_p8", modality=m) for m in ("ct", "xray"))
    assert len(ct.texts) == len(xray.texts) == 50 and not set(ct.texts) & set(xray.texts)
    with pytest.raises(InputError, match="name the modality"):
        prompt_at_level("lungs", "medclipsam_p8")
