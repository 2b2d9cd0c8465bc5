"""The kinds of image are read from words and from the codes of DICOM, and from no word of another meaning."""

import pytest

from monai_ext.errors import InputError
from monai_ext.prompts.modalities import DICOM_MODALITIES, MODALITIES, modality_key, names_modality


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("CT (windowed 8-bit PNG)", "ct"),
        ("CT (HU, int16)", "ct"),
        ("US", "us"),
        ("RGB endoscopy", "endoscopy"),
        ("vocal folds in a laryngoscopy image", "endoscopy"),
        ("RGB dermoscopy", "dermoscopy"),
        ("MRI T1c", "mri"),
        ("X-ray", "xray"),
        ("RGB fundus", "fundus"),
        ("optic disc in a fundus photograph", "fundus"),
        ("retinal photograph", "fundus"),
        ("microscopy", "microscopy"),
        ("a blood smear", "microscopy"),
        ("nuclei in an H&E slide", "microscopy"),
        ("histopathology", "microscopy"),
        ("RGB photograph", "photo"),
        ("photo", "photo"),
        ("ulcer in a clinical photograph", "photo"),
    ],
)
def test_a_kind_is_read_from_the_words_of_data_sets_and_prompts(text, key):
    assert modality_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        "polyp in this photo",
        "fundus of the stomach",
        "gastric fundus",
        "retinal vessels",
        "post op",
        "the lungs",
    ],
)
def test_words_of_another_meaning_name_no_kind(text):
    assert names_modality(text) is None


@pytest.mark.parametrize("key", MODALITIES)
def test_each_kind_is_read_from_its_own_name_phrase_key_and_codes(key):
    kind = MODALITIES[key]
    assert {names_modality(text) for text in (kind.name, f"spot in {kind.phrase}")} == {key}
    assert (
        {DICOM_MODALITIES[code] for code in kind.codes}
        == {names_modality(code) for code in kind.codes}
        == {key}
    )
    assert key == "endoscopy" or names_modality(key) == key


def test_a_kind_that_the_project_does_not_know_is_refused():
    with pytest.raises(InputError, match="'PET' is unknown; known are xray, us"):
        modality_key("PET")
    assert names_modality("PT") is None
    assert DICOM_MODALITIES["PT"] == "nuclear medicine"
    assert "OT" not in DICOM_MODALITIES and "SC" not in DICOM_MODALITIES
