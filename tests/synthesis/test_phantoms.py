"""Phantoms: the same seed gives the same bytes, and anatomy is where it belongs."""

import hashlib

import nibabel as nib
import numpy as np
import pytest

from monai_ext.prompts.library import PromptLibrary
from monai_ext.prompts.modalities import MODALITIES
from monai_ext.synthesis.phantoms import KINDS, VOLUME_KINDS, nonmedical, phantom, volume

SEEDS = range(32)
ABDOMEN = (
    *("liver", "gallbladder", "spleen", "stomach", "pancreas", "left kidney", "right kidney"),
    *("aorta", "inferior vena cava", "bone"),
)
APART = {
    "chest_xray": (("left lung", "right lung", "heart"),),
    "breast_ultrasound": (),
    "brain_mr": (("ventricles", "tumour core", "peritumoral oedema"),),
    "abdominal_ct": (ABDOMEN,),
    "chest_ct": (("left lung", "right lung", "heart", "aorta", "oesophagus", "trachea", "bone"),),
    "dermoscopy": (),
    "endoscopy": (),
}
UNIONS = {
    "lungs": ("left lung", "right lung"),
    "kidneys": ("left kidney", "right kidney"),
    "whole brain tumour": ("tumour core", "peritumoral oedema"),
}


@pytest.fixture(scope="module")
def drawn():
    return {kind: [phantom(kind, seed, 96) for seed in SEEDS] for kind in KINDS}


@pytest.fixture(scope="module")
def volumes():
    return {kind: [volume(kind, seed) for seed in range(8)] for kind in VOLUME_KINDS}


def column(mask):
    """Mean column of a mask: small is the image's left, the patient's right."""
    return np.nonzero(mask)[1].mean()


def world(one, name):
    """Centroid of a structure in RAS mm."""
    voxel = np.argwhere(one["masks"][name]).mean(0)
    return (one["affine"] @ [*voxel, 1.0])[:3]


def digest(one):
    parts = [one["image"].tobytes(), *(name.encode() + m.tobytes() for name, m in one["masks"].items())]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_bytes_and_another_seed_another_picture(kind):
    np.random.seed(0)
    first = phantom(kind, 3, 64)
    np.random.seed(1)  # the global generator plays no part
    phantom(kind, 4, 64)
    assert digest(phantom(kind, 3, 64)) == digest(first)
    assert digest(phantom(kind, 4, 64)) != digest(first)


def test_pictures_and_masks_have_the_promised_form(drawn):
    library = PromptLibrary.load()
    for kind, phantoms in drawn.items():
        for one in phantoms:
            assert one["image"].shape == (3, 96, 96)
            assert one["image"].dtype == np.float32
            assert one["image"].min() >= 0
            assert one["image"].max() <= 1
            assert one["image"].std() > 0.02
            assert one["modality"] in MODALITIES
            for name, mask in one["masks"].items():
                assert mask.shape == (96, 96)
                assert mask.dtype == np.uint8
                assert set(np.unique(mask)) == {0, 1}, (kind, name)
                assert len(library.training(name, one["modality"], one["facts"])) >= 16
            assert not set(one["absent"]) & set(one["masks"])


def test_every_structure_is_present_in_some_and_absent_in_others(drawn):
    always = {"lungs", "brain", "bone", "aorta", "oesophagus"}
    for kind, phantoms in drawn.items():
        known = {name for one in phantoms for name in (*one["masks"], *one["absent"])}
        for name in known:
            count = sum(name in one["masks"] for one in phantoms)
            assert 0 < count < len(phantoms) or name in always, (kind, name, count)


def test_organs_do_not_overlap_and_unions_are_exact(drawn, volumes):
    pairs = [(kind, one) for source in (drawn, volumes) for kind, ones in source.items() for one in ones]
    for kind, one in pairs:
        for names in APART[kind]:
            total = sum(one["masks"][name].astype(int) for name in names if name in one["masks"])
            assert np.max(total) <= 1, (kind, names)
        for whole, parts in UNIONS.items():
            if whole in one["masks"]:
                found = [one["masks"][part] for part in parts if part in one["masks"]]
                missed = one["masks"][whole] & ~np.bitwise_or.reduce(found) & 1
                assert missed.sum() <= 12  # a part too small to count
                assert all((one["masks"][whole] >= part).all() for part in found)
        if "liver tumour" in one["masks"]:
            assert (one["masks"]["liver"] >= one["masks"]["liver tumour"]).all()


def test_left_is_the_patients_left_in_pictures(drawn):
    compared = 0
    for kind, right, left in [
        ("chest_xray", "right lung", "left lung"),
        ("chest_xray", "right lung", "heart"),
        ("abdominal_ct", "right kidney", "left kidney"),
        ("abdominal_ct", "liver", "spleen"),
        ("abdominal_ct", "liver", "stomach"),
        ("abdominal_ct", "inferior vena cava", "aorta"),
        ("chest_ct", "right lung", "left lung"),
    ]:
        for one in drawn[kind]:
            if right in one["masks"] and left in one["masks"]:
                assert column(one["masks"][right]) < column(one["masks"][left]), (kind, right, left)
                compared += 1
    assert compared > 80


def test_the_left_kidney_is_the_larger_one(drawn):
    sizes = [
        (one["masks"]["left kidney"].sum(), one["masks"]["right kidney"].sum())
        for one in drawn["abdominal_ct"]
        if {"left kidney", "right kidney"} <= set(one["masks"])
    ]
    left, right = np.array(sizes, float).T
    assert len(sizes) > 5
    assert left.sum() > 1.1 * right.sum()


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "SAR", "PIR"])
def test_left_is_the_patients_left_in_world_coordinates_however_stored(axcodes):
    compared = 0
    for seed in range(8):
        one = volume("abdominal_ct", seed, axcodes=axcodes)
        assert "".join(nib.aff2axcodes(one["affine"])) == axcodes
        if {"left kidney", "right kidney"} <= set(one["masks"]):
            left, right = world(one, "left kidney"), world(one, "right kidney")
            assert left[0] < -20 < 20 < right[0]
            assert left[2] > right[2]  # the left kidney lies higher
            compared += 1
        if "spleen" in one["masks"] and "liver" in one["masks"]:
            assert world(one, "spleen")[0] < 0 < world(one, "liver")[0]
        assert world(one, "bone")[1] < world(one, "aorta")[1]  # the spine lies behind the aorta
    assert compared >= 3


def test_storage_order_changes_arrays_but_not_the_body():
    first, other = volume("brain_mr", 5), volume("brain_mr", 5, axcodes="LPS")
    np.testing.assert_array_equal(first["volume"][::-1, ::-1], other["volume"])
    for name in first["masks"]:
        np.testing.assert_allclose(world(first, name), world(other, name), atol=1e-6)


def test_volumes_have_the_promised_form_and_reproduce(volumes):
    for kind, ones in volumes.items():
        for seed, one in enumerate(ones):
            assert one["volume"].shape == (64, 56, 40)
            assert one["volume"].dtype == np.float32
            assert all(set(np.unique(mask)) == {0, 1} for mask in one["masks"].values())
            assert not set(one["absent"]) & set(one["masks"])
            np.testing.assert_array_equal(volume(kind, seed)["volume"], one["volume"])
    ct = volumes["abdominal_ct"][0]["volume"]
    assert ct.min() < -950
    assert ct.max() > 350


def test_the_tumour_of_a_volume_is_on_the_side_its_facts_name(volumes):
    sides = [
        (one["facts"]["side"], world(one, "tumour core")[0])
        for one in volumes["brain_mr"]
        if "side" in one["facts"]
    ]
    assert len(sides) >= 3
    assert all((x > 0) == (side == "right") for side, x in sides)


def test_what_is_absent_leaves_no_trace_in_a_volume():
    """Livers are 105 HU and spleens 120: without a spleen nothing enhances on the patient's left at its place."""
    checked = 0
    for seed in range(40):
        one = volume("abdominal_ct", seed)
        if "spleen" in one["absent"]:
            place = one["volume"][9:14, 20:28, 27:30]  # right -0.6, anterior -0.15, superior 0.45
            assert np.median(place) < 60
            checked += 1
    assert checked >= 3


def test_facts_follow_what_is_drawn(drawn):
    for one in drawn["breast_ultrasound"]:
        assert ("breast tumour" in one["masks"]) <= (one["facts"]["pathology"] in ("benign", "malignant"))
        assert (one["facts"]["pathology"] == "normal") <= ("breast tumour" in one["absent"])
    for one in drawn["brain_mr"]:
        assert ("tumour_type" in one["facts"]) == ("brain tumour" in one["masks"])
        assert ("FLAIR abnormality" in one["masks"]) <= (one["facts"]["sequence"] == "FLAIR")


def test_captions_name_what_is_there_and_nothing_else(drawn):
    for ones in drawn.values():
        for one in ones:
            named = {caption.rsplit("shows the ", 1)[1] for caption in one["captions"][1:]}
            assert named == set(one["masks"])


def test_nonmedical_pictures_have_no_masks_and_reproduce():
    pictures = [nonmedical(seed, 64) for seed in range(20)]
    for seed, one in enumerate(pictures):
        assert one["image"].shape == (3, 64, 64)
        assert one["image"].dtype == np.float32
        assert 0 <= one["image"].min() <= one["image"].max() <= 1
        assert one["masks"] == {}
        np.testing.assert_array_equal(nonmedical(seed, 64)["image"], one["image"])
    assert len({one["image"].tobytes() for one in pictures}) == 20


def test_unknown_kinds_and_tiny_sizes_are_refused():
    with pytest.raises(ValueError, match="'knee' is unknown; known are chest_xray"):
        phantom("knee", 0)
    with pytest.raises(ValueError, match="16 pixels is too small"):
        phantom("chest_xray", 0, 16)
    with pytest.raises(ValueError, match="'chest_xray' is unknown"):
        volume("chest_xray", 0)
