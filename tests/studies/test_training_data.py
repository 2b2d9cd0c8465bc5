"""What a bundle says of its training is compared with the cases."""

from __future__ import annotations

import json

from monai_ext.io.case_names import input_hash
from monai_ext.studies.training_data import training_notes
from monai_ext.studies.training_images import image_prints
from tests.data.test_perceptual_hash import saved, textured


def bundle(folder, training: dict | None = None, **files: str):
    (folder / "b" / "configs").mkdir(parents=True)
    (folder / "b" / "docs").mkdir()
    (folder / "b" / "configs" / "metadata.json").write_text(json.dumps({"training": training or {}}))
    for name, text in files.items():
        (folder / "b" / name.replace("__", "/").replace("_dot_", ".")).write_text(text)
    return folder / "b"


def items(folder) -> list[dict]:
    found = []
    for number, name in enumerate(("a", "a", "b")):
        file = folder / f"{number}.png"
        file.write_bytes(bytes([number]))
        found.append({"set": name, "image": str(file)})
    return found


NAMED = "b learnt from images of {}, as the bundle says; elsewhere figures may be worse"


def test_sets_are_named_by_licences_trainings_and_metadata(tmp_path):
    licence = "Licences\n====\n\na: a set\n  Licence: CC BY 4.0\n"
    folder = bundle(tmp_path, docs__data_license_dot_txt=licence)
    assert training_notes([folder], items(tmp_path)) == [NAMED.format("a")]
    (folder / "configs" / "train_embedded.json").write_text(json.dumps({"sets": ["b", "c"]}))
    assert training_notes([folder], items(tmp_path)) == [NAMED.format("a, b")]
    other = bundle(tmp_path / "other", {"cases": {"b": 12}})
    assert training_notes([other], items(tmp_path)) == [NAMED.format("b")]
    both = training_notes([other, other], items(tmp_path))
    assert both == [f"b, {NAMED.format('b')}"]  # one sentence for bundles that learnt from the same


def test_images_are_recognised_by_their_content(tmp_path):
    cases = items(tmp_path)
    folder = bundle(tmp_path, {"image_sha256": [input_hash(cases[2]["image"]), "0" * 64]})
    assert training_notes([folder], cases) == ["b was trained on 1 of these 3 images, by their content"]


def test_a_bundle_that_says_nothing_gives_no_note(tmp_path):
    assert training_notes([bundle(tmp_path)], items(tmp_path)) == []


def test_images_that_look_like_recorded_ones_are_told_apart_from_the_same_ones(tmp_path):
    cases = []
    for n in range(4):
        textured(n).save(tmp_path / f"{n}.png")
        cases.append({"set": "a", "image": str(tmp_path / f"{n}.png")})
    folder = bundle(tmp_path)
    record = folder / "docs" / "training_images.json"
    record.write_text(json.dumps(image_prints(cases[:2])))
    exact = "b was trained on {} of these {} images, by their content"
    assert training_notes([folder], cases) == [exact.format(2, 4)]
    saved(textured(1), 60).save(tmp_path / "1.png")
    assert training_notes([folder], cases) == [
        exact.format(1, 4),
        "b was trained on images that look nearly like 1 others of these 4, by a perceptual hash",
    ]
    assert training_notes([folder], cases[1:]) == [
        "b was trained on images that look nearly like 1 of these 3, by a perceptual hash"
    ]
    assert training_notes([folder], cases[2:]) == []
