"""Bundles in the real MONAI Label server, on loopback, driven by its client; run by ``make test-label``.

The network is :class:`tests.fakes.DisplayProbe`, which marks what is bright on the side that the prompt
names; the masks expected are computed here.

MONAI Label 0.8.5 keeps one configuration for all inferences of a bundle. Its ``/infer`` route answers one
request after another, but batch inference runs several at a time, and those of its own ``monaibundle``
application then disturb each other. :class:`monai_ext.apps.label.LabelApp` lets them wait for each other:
correct, no faster.
"""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("monailabel", reason="needs an environment of its own; run make test-label")

from monailabel.client.client import MONAILabelClientException

from monai_ext.apps.label.app import find_bundles
from monai_ext.apps.label.infer import TextPromptInferTask, check_setting
from monai_ext.bundle.api import load
from monai_ext.bundle.export import export
from monai_ext.errors import InputError, WeightsError
from tests.apps.label.server import serve
from tests.bundles.small import SMALL_BUNDLES
from tests.served import probe_bundle, retrained_bundle, small_bundle

STOCK_APP = Path(sys.prefix) / "monailabel" / "sample-apps" / "monaibundle"
BRIGHT = 40  # HU, the middle of the CT window
SHAPE = (40, 36, 10)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two volumes of the same HU, stored from left to right and from right to left, and a picture."""
    folder = tmp_path_factory.mktemp("studies")
    voxels = np.random.default_rng(0).integers(-300, 300, SHAPE, dtype=np.int16)
    voxels[0, 0] = -1000  # air: CT, although NIfTI names no modality
    for name, x in (("rising", 0.8), ("falling", -0.8)):
        nib.save(nib.Nifti1Image(voxels, np.diag([x, 0.8, 2.5, 1])), folder / f"{name}.nii.gz")
    picture = np.random.default_rng(1).integers(0, 256, (48, 64), dtype=np.uint8)
    Image.fromarray(picture).save(folder / "picture.png")
    return folder


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A folder as the application's documentation says."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "main.py").write_text("from monai_ext.apps.label import LabelApp\n")
    probe_bundle(folder / "model")
    return folder


@pytest.fixture(scope="module")
def client(app, studies):
    with serve(app, studies, app / "server.log") as client:
        yield client


@pytest.fixture(scope="module")
def stock_client(tmp_path_factory, studies):
    folder = tmp_path_factory.mktemp("stock")
    shutil.copytree(STOCK_APP, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    probe_bundle(folder / "app" / "model")
    conf = ("models", "vlsm", "zoo_source", "local", "sam2", "false", "skip_trainers", "true")
    with serve(folder / "app", studies, folder / "server.log", *conf) as client:
        yield client


def segment(client, image, prompt, **params):
    """Label map (X, Y, Z) with its affine, or (H, W), and the parameters of the result."""
    file, result = client.infer("vlsm", image, {"text_prompt": prompt, "device": "cpu", **params})
    if file.endswith(".png"):
        return np.asarray(Image.open(file)), None, result
    volume = nib.load(file)
    return np.asarray(volume.dataobj), volume.affine, result


def sides(studies, name):
    """(left, right): what is bright on either side of the patient, (X, Y, Z) bool."""
    volume = nib.load(studies / f"{name}.nii.gz")
    bright = np.asarray(volume.dataobj) > BRIGHT
    low = (np.arange(SHAPE[0]) < SHAPE[0] // 2)[:, None, None]
    halves = (bright & low, bright & ~low)
    return halves if volume.affine[0, 0] > 0 else halves[::-1]  # x rises to the patient's right


def test_info_offers_the_bundle_and_its_prompt(client):
    model = client.info()["models"]["vlsm"]

    assert model["config"]["text_prompt"] == "lungs"
    assert model["type"] == "segmentation"


@pytest.mark.parametrize("name", ["rising", "falling"])
@pytest.mark.parametrize("server", ["client", "stock_client"])
def test_two_prompts_give_their_own_masks(server, name, studies, request):
    served = request.getfixturevalue(server)
    left, right = sides(studies, name)

    for prompt, expected in (("left", left), ("right", right)):
        mask, affine, _ = segment(served, name, prompt)
        np.testing.assert_array_equal(mask, expected)
        np.testing.assert_allclose(affine, nib.load(studies / f"{name}.nii.gz").affine, atol=1e-5)


def test_several_prompts_are_labels_with_names_and_presence(client, studies):
    left, right = sides(studies, "rising")
    mask, _, result = segment(client, "rising", "left; right side")

    np.testing.assert_array_equal(mask, left * 1 + right * 2)
    assert result["label_names"] == {"left": 1, "right side": 2}
    assert result["presence"] == pytest.approx({"left": 1, "right side": 1}, abs=1e-3)


def test_a_picture_gets_an_upright_mask(client, studies):
    picture = np.asarray(Image.open(studies / "picture.png"))
    mask, _, _ = segment(client, "picture", "top")

    np.testing.assert_array_equal(mask, (picture > 127) & (np.arange(48) < 24)[:, None])


def test_the_bundles_own_prompt_is_used_without_one(client, studies):
    with pytest.raises(MONAILabelClientException, match="500"):  # the probe does not know "lungs"
        client.infer("vlsm", "rising", {"device": "cpu"})


def test_the_embedded_weights_answer_each_prompt_by_itself_and_report_unknown_words(studies, tmp_path):
    task = TextPromptInferTask(str(export("vlsm", tmp_path / "vlsm")), {})

    def asked(prompt):
        image = str(studies / "rising.nii.gz")
        file, result = task({"image": image, "text_prompt": prompt, "device": "cpu", "description": ""})
        assert nib.load(file).shape == SHAPE
        Path(file).unlink()
        return result

    lungs, liver, both = asked("lungs"), asked("liver"), asked("teapot; lungs")
    assert list(lungs["presence"]) == ["lungs"] and lungs["unknown"] == {}
    assert lungs["presence"]["lungs"] != liver["presence"]["liver"]
    assert both["presence"] == {"teapot": 0, "lungs": lungs["presence"]["lungs"]}
    assert both["unknown"] == {"teapot": "names nothing that these weights know"}


@pytest.mark.parametrize("name", SMALL_BUNDLES)
def test_the_network_of_every_bundle_runs(name, studies, tmp_path):
    task = TextPromptInferTask(str(small_bundle(name, tmp_path / "bundle")), {})
    image = str(studies / "rising.nii.gz")
    file, result = task({"image": image, "text_prompt": "lungs; liver", "device": "cpu", "description": ""})
    assert nib.load(file).shape == SHAPE
    assert set(np.unique(np.asarray(nib.load(file).dataobj))) <= {0, 1, 2}
    Path(file).unlink()
    assert list(result["presence"]) == ["lungs", "liver"] and min(result["presence"].values()) > 0.5


def test_a_retrained_bundle_gives_the_masks_of_the_command_line(studies, tmp_path):
    bundle = retrained_bundle(tmp_path / "run")
    task = TextPromptInferTask(str(bundle), {})
    segmenter = load(str(bundle))
    for name in ("picture.png", "rising.nii.gz", "falling.nii.gz"):
        image = str(studies / name)
        file, result = task({"image": image, "text_prompt": "lungs", "device": "cpu", "description": ""})
        found = np.asarray(Image.open(file)) if name.endswith("png") else np.asarray(nib.load(file).dataobj)
        Path(file).unlink()
        (expected,) = segmenter.segment(image, ["lungs"])
        np.testing.assert_array_equal(found, expected.mask)
        assert 0 < np.count_nonzero(found) < found.size
        assert result["presence"]["lungs"] == pytest.approx(expected.presence, abs=1e-6)
    assert task.info()["version"] == "0.1.1"


def test_inferences_at_the_same_time_keep_their_prompts(app, studies):
    task = TextPromptInferTask(str(app / "model" / "vlsm"), {})

    def voxels(prompt):
        image = str(studies / "rising.nii.gz")
        file, _ = task({"image": image, "text_prompt": prompt, "device": "cpu", "description": ""})
        mask = np.asarray(nib.load(file).dataobj)
        Path(file).unlink()
        return mask

    prompts = ["left", "right"] * 6
    with ThreadPoolExecutor(6) as pool:
        masks = list(pool.map(voxels, prompts))

    expected = dict(zip(("left", "right"), sides(studies, "rising"), strict=True))
    for prompt, mask in zip(prompts, masks, strict=True):
        np.testing.assert_array_equal(mask, expected[prompt])


@pytest.mark.parametrize(
    "prompt", ["${code}", "@device", "%configs/inference.json", 7, {"_target_": "print"}]
)
def test_a_prompt_is_never_run_as_code(prompt, client, tmp_path):
    seen = tmp_path / "seen"
    if isinstance(prompt, str):
        prompt = prompt.format(code=f"open({str(seen)!r}, 'w')")

    with pytest.raises(MONAILabelClientException, match="Status: 400"):
        segment(client, "rising", prompt)
    assert not seen.exists()


def test_settings_are_of_the_type_of_their_default():
    check_setting("text_prompt", "left lung", "lungs")
    with pytest.raises(InputError, match="text_prompt is 7; str is needed"):
        check_setting("text_prompt", 7, "lungs")


def test_bundles_without_weights_are_named(app, tmp_path):
    assert list(find_bundles(app / "model", "")) == ["vlsm"]
    with pytest.raises(InputError, match="no bundle other"):
        find_bundles(app / "model", "vlsm, other")
    with pytest.raises(InputError, match="no bundle in the folder model"):
        find_bundles(tmp_path, "")
    shutil.copytree(app / "model", tmp_path / "model")
    (tmp_path / "model" / "vlsm" / "models" / "model.pt").unlink()
    with pytest.raises(WeightsError, match="bundle 'vlsm': its own weights, models/model.pt, are not there"):
        find_bundles(tmp_path / "model", "")
