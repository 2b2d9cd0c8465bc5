"""Names of targets, the label table and its sentences."""

import pytest

from monai_ext.data.making.targets import (
    label_table,
    name_targets,
    read_target_options,
    sentences_of,
    spoken,
    tables,
)
from monai_ext.errors import InputError
from monai_ext.prompts.library import PromptLibrary

LIBRARY = PromptLibrary.load()


def named(said, given=(), stated=None):
    return name_targets([set(one) for one in said], stated or {}, dict(given), LIBRARY, "ct")


def test_options_are_values_colours_or_names_with_words():
    assert read_target_options(["1=breast  tumour", "#FF0000=liver", "GTV-1= lung tumour"]) == {
        "1": "breast tumour",
        "#ff0000": "liver",
        "GTV-1": "lung tumour",
    }
    for text in ("liver", "=liver", "1="):
        with pytest.raises(InputError, match="give a value and words"):
            read_target_options([text])


def test_1_also_names_masks_of_255():
    assert named([{"255"}, {"255"}], {"1": "liver"}) == {"255": ["liver"]}
    assert named([{"255"}, {"1"}], {"1": "liver"}) == {"1": ["liver"], "255": ["liver"]}
    with pytest.raises(InputError, match="the masks hold 255 without a name"):
        named([{"1", "255"}], {"1": "liver"})


def test_colours_are_named_by_code_or_number():
    said = [{"#00ff00", "#ff0000"}]
    assert named(said, {"#ff0000": "liver", "1": "spleen"}) == {"#00ff00": ["spleen"], "#ff0000": ["liver"]}


def test_the_user_overrides_the_table_and_background_is_no_target():
    stated = {"1": ["liver"], "2": ["cyst"], "3": ["ignore"]}
    said = [{"1", "2", "3"}]
    assert named(said, {"2": "background", "3": "background"}, stated) == {"1": ["liver"], "2": [], "3": []}
    with pytest.raises(InputError, match="leaves voxels open"):
        named(said, {}, stated)


@pytest.mark.parametrize(
    ("said", "given", "reason"),
    [
        ([{"1", "2", "10"}], {"1": "liver"}, r'the masks hold 2, 10 without a name; give --target "2=WORDS"'),
        ([{"1"}], {"1": "liver", "5": "spleen"}, r"no voxel of 5 \(spleen\) in any mask; they hold 1\."),
        ([{"liver"}], {"1": "spleen"}, r"no voxel of 1 \(spleen\) in any mask; they hold liver\."),
    ],
)
def test_values_without_names_and_names_without_values_are_refused(said, given, reason):
    with pytest.raises(InputError, match=reason):
        named(said, given)


def test_a_target_needs_one_of_its_values_only():
    stated = {"1": ["whole tumour"], "2": ["whole tumour", "core"], "3": ["whole tumour", "core"]}
    assert named([{"1", "3"}], {}, stated)["3"] == ["whole tumour", "core"]
    with pytest.raises(InputError, match=r"no voxel of 2 \(whole tumour and core\)"):
        named([{"1"}], {}, stated)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Kidney_left", "left kidney"),
        ("liver", "liver"),
        ("Liver", "liver"),
        ("GTV-1", "GTV-1"),
        ("my_ROI", "my ROI"),
    ],
)
def test_names_of_files_become_words(name, words):
    assert spoken(name, LIBRARY, "ct") == words


def test_targets_that_overlap_are_unions_of_labels():
    both = frozenset({"liver", "odd spot"})
    labels = label_table(["liver", "odd spot"], [frozenset({"liver"}), both])
    assert labels == {frozenset({"liver"}): 1, frozenset({"odd spot"}): 2, both: 3}
    table = tables(["liver", "odd spot"], labels, LIBRARY, "ct")
    assert table["labels"] == {"0": "background", "1": "liver", "2": "odd spot", "3": "liver and odd spot"}
    assert table["prompts"]["1+3"] == ["liver", "liver in a CT scan"]
    assert table["prompts"]["2+3"][:2] == ["odd spot", "odd spot in a CT scan"]


def test_there_are_255_labels_at_most():
    with pytest.raises(InputError, match="and there are 255 labels"):
        label_table([f"t{n}" for n in range(256)], [])


def test_an_unknown_target_gets_sentences_of_a_template():
    assert sentences_of("breast tumour", LIBRARY, "us") == ["tumour in a breast ultrasound"]
    assert sentences_of("odd spot", LIBRARY, "xray") == [
        "odd spot in an X-ray",
        "odd spot",
        "odd spot on an X-ray",
        "an X-ray showing odd spot",
    ]


@pytest.mark.parametrize(
    ("modality", "sentence"),
    [
        ("xray", "odd spot in an X-ray"),
        ("us", "odd spot in an ultrasound image"),
        ("endoscopy", "odd spot in an endoscopy image"),
        ("dermoscopy", "odd spot in a dermoscopy image"),
        ("ct", "odd spot in a CT scan"),
        ("mri", "odd spot in an MRI"),
    ],
)
def test_a_sentence_names_the_modality(modality, sentence):
    assert sentences_of("odd spot", LIBRARY, modality)[0] == sentence


def test_overlaps_are_numbered_in_the_order_of_their_targets_and_count_as_labels():
    sets = [frozenset(one) for one in (("b", "c"), ("a", "c"), ("a", "b", "c"), ("a", "b"))]
    labels = label_table(["b", "a", "c"], sets)
    assert [sorted(one) for one in labels][3:] == [["a", "b"], ["a", "b", "c"], ["b", "c"], ["a", "c"]]
    many = [f"t{n}" for n in range(253)]
    assert len(label_table(many, [frozenset(many[:2]), frozenset(many[1:3])])) == 255
    with pytest.raises(InputError, match="254 targets overlap in 2 ways, and there are 255 labels"):
        label_table([*many, "x"], [frozenset(many[:2]), frozenset(many[1:3])])
