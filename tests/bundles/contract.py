"""The contract of all bundles: a bundle's test file states what is its own, and inherits the checks.

    class TestNewBundle(BundleContract):
        name = "new_bundle"

Its small copy stands in :data:`tests.bundles.small.SMALL_BUNDLES`. One that trains inherits from
:class:`TrainableBundleContract`.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out
from monai.data import MetaTensor
from PIL import Image

import monai_ext
from monai_ext.bundle.configs import bundle_variants, read_configs
from monai_ext.bundle.export import export
from monai_ext.cli.main import main
from monai_ext.resources import resource_path
from monai_ext.weights import read_registry
from monai_ext.weights.formats import read_state_dict
from monai_ext.weights.registry import weights_names
from tests.bundles.films import write_films
from tests.bundles.metadata import metadata_faults
from tests.bundles.servers import infer_as_deploy, infer_as_label
from tests.bundles.small import SMALL_BUNDLES, contents, picture, volume

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "breast_ultrasound.png"
PROMPTS = ("lungs", "heart")
LARGE = 25 * 2**20
"""Bytes above which MONAI wants a file in large_files.yml."""


class Segmented(NamedTuple):
    """A case that the command line segmented by both prompts."""

    source: Path
    out: Path
    suffix: str

    def mask(self, name: str) -> np.ndarray:
        """A mask in the order of its file, by its prompt, or the label map, by "labels"."""
        return _read(self.out / "case" / f"{name}{self.suffix}")


def _read(file: Path) -> np.ndarray:
    if file.suffix == ".png":
        with Image.open(file) as opened:
            return np.asarray(opened)
    return np.asarray(nib.load(file).dataobj)


def _without_report(folder: Path) -> dict[str, bytes]:
    files = contents(folder)
    del files["report.json"]  # holds the time that the run took
    return files


class BundleContract:
    """What every bundle must pass.

    Attributes:
        name: of the bundle's folder.
        laid_over: which variants are laid over other variants, by name.
        registry_only: variants whose network has other modules than the bundle's own, so that they take their
            weights from the registry and cannot take those of a models/model.pt.
        trainings: see :class:`TrainableBundleContract`.
        present: a prompt of what the sample, a breast ultrasound with a tumour, shows.
    """

    name: ClassVar[str]
    laid_over: ClassVar[Mapping[str, Sequence[str]]] = {}
    registry_only: ClassVar[Collection[str]] = ()
    trainings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    present: ClassVar[str] = "tumour in a breast ultrasound"

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        names = ["inference", *bundle_variants(self.folder())]
        if "configuration" in metafunc.fixturenames:
            metafunc.parametrize("configuration", names)
        if "embedded_configuration" in metafunc.fixturenames:
            metafunc.parametrize("embedded_configuration", [name for name in names if self._is_embedded(name)])
        if "trained" in metafunc.fixturenames:
            metafunc.parametrize("trained", self.trainings, indirect=True, scope="class")

    @classmethod
    def folder(cls) -> Path:
        return resource_path(cls.name, "bundles")

    @classmethod
    def metadata(cls) -> dict[str, Any]:
        return json.loads((cls.folder() / "configs" / "metadata.json").read_text())

    @classmethod
    def layers(cls, configuration: str) -> list[str]:
        """The variants that a configuration stands for, in the order in which they are laid over inference.json."""
        variants = [] if configuration == "inference" else [configuration]
        return [*cls.laid_over.get(configuration, ()), *variants]

    @classmethod
    def _is_embedded(cls, configuration: str) -> bool:
        content = read_configs(cls.folder(), ["inference", *cls.layers(configuration)])
        registry = read_registry()
        return all(registry[name].source == "embedded" for name in weights_names(content["weights"]))

    @classmethod
    def segment(cls, source: Path, out: Path, bundle: str | Path, *more: str, prompts: Sequence[str] = PROMPTS) -> Path:
        """Run the command line, which must succeed; returns the folder of results."""
        words = [word for prompt in prompts for word in ("-p", prompt)]
        words += ["-o", str(out), "--bundle", str(bundle), "--names", "file", "--device", "cpu", "--quiet", *more]
        assert main(["segment", str(source), *words]) == 0
        return out

    @classmethod
    def workflow(cls, configs: Sequence[str], bundle: Path, data: Path, out: Path, **overrides: Any) -> ConfigWorkflow:
        """What ``python -m monai.bundle run`` opens, initialised."""
        flow = ConfigWorkflow(
            [str(bundle / "configs" / f"{name}.json") for name in configs],
            meta_file=str(bundle / "configs" / "metadata.json"),
            workflow_type="infer",
            logging_file=False,
            bundle_root=str(bundle),
            dataset_dir=str(data),
            output_dir=str(out),
            device="cpu",
            **overrides,
        )
        flow.initialize()
        return flow

    @pytest.fixture(scope="class")
    @classmethod
    def small(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A copy with few parameters and random weights, which finds both prompts in every case."""
        return SMALL_BUNDLES[cls.name](tmp_path_factory.mktemp("small"))

    @pytest.fixture(scope="class", params=["picture", "volume"])
    @classmethod
    def segmented(cls, request: Any, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Segmented:
        folder = tmp_path_factory.mktemp(request.param)
        if request.param == "picture":
            source, suffix = picture(folder / "case.png"), ".png"
        else:
            source, suffix = volume(folder / "case.nii.gz"), ".nii.gz"
        return Segmented(source, cls.segment(source, folder / "out", small), suffix)

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Results of the bundle's own weights on the sample, for what is there, what is not, and nonsense."""
        out = tmp_path_factory.mktemp("sample") / "out"
        return cls.segment(SAMPLE, out, cls.name, prompts=(cls.present, "liver in a CT scan", "ljashdb"))

    # Files

    def test_a_bundle_is_configuration_text_and_licence_and_holds_no_code(self) -> None:
        files = {path.relative_to(self.folder()) for path in self.folder().rglob("*") if path.is_file()}
        assert {str(path) for path in files if len(path.parts) == 1} == {"LICENSE", "large_files.yml"}
        assert {(path.parts[0], path.suffix) for path in files if len(path.parts) > 1} <= {
            ("configs", ".json"),
            *(("docs", suffix) for suffix in (".md", ".txt", ".png")),
        }
        assert "Apache License" in (self.folder() / "LICENSE").read_text()

    def test_files_that_are_large_are_listed_for_download(self) -> None:
        listed = ConfigParser.load_config_file(str(self.folder() / "large_files.yml"))["large_files"]
        assert all({"path", "url", "hash_val", "hash_type"} <= entry.keys() for entry in listed)
        large = [path for path in self.folder().rglob("*") if path.is_file() and path.stat().st_size > LARGE]
        assert large == []

    def test_the_model_card_has_its_sections(self) -> None:
        card = (self.folder() / "docs" / "README.md").read_text()
        title, *sections = re.split(r"^#+ ", card, flags=re.MULTILINE)[1:]
        texts = dict(section.split("\n", 1) for section in sections)
        assert title.strip()
        assert {"Method", "Figures", "Limits", "Licences"} <= {name for name, text in texts.items() if text.strip()}

    def test_every_set_that_a_training_names_has_its_licence_in_the_documentation(self) -> None:
        licences = (self.folder() / "docs" / "data_license.txt").read_text()
        sets = [name for training in self.trainings for name in read_configs(self.folder(), [training])["sets"]]
        assert licences.startswith("Licences of the data")
        assert [name for name in sets if f"\n{name}: " not in licences] == []

    def test_every_training_configuration_is_trained_here(self) -> None:
        assert {path.stem for path in self.folder().glob("configs/train*.json")} == set(self.trainings)

    # Metadata

    def test_metadata_meets_the_schema(self) -> None:
        assert metadata_faults(self.metadata()) == []

    def test_required_packages_are_this_version_and_its_dependencies(self) -> None:
        required = self.metadata()["required_packages_version"]
        assert required.pop("monai_ext") == monai_ext.__version__
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        installed = {re.split(r"[<>=]", need)[0] for need in project["dependencies"]}
        assert set(required) <= installed

    def test_a_picture_of_three_channels_goes_in_and_one_logit_a_pixel_comes_out(self, small: Path) -> None:
        formats = self.metadata()["network_data_format"]
        image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
        assert (image["num_channels"], image["spatial_shape"], image["value_range"]) == (3, ["*", "*"], [0, 1])
        assert (pred["num_channels"], pred["spatial_shape"]) == (1, ["*", "*"])
        config, meta = (str(small / "configs" / name) for name in ("inference.json", "metadata.json"))
        verify_net_in_out("network_def", meta_file=meta, config_file=config, device="cpu", any=24)
        network = ConfigParser.load_config_file(config)
        parser = ConfigParser(network)
        logits = parser.get_parsed_content("network_def").eval()(torch.rand(1, 3, 24, 20))
        assert (logits.shape, logits.dtype) == ((1, 1, 24, 20), torch.float32)

    # Inference

    def test_monai_finds_every_property_of_an_inference(self, small: Path, tmp_path: Path) -> None:
        flow = self.workflow(["inference"], small, picture(tmp_path / "a.png"), tmp_path / "out")
        assert flow.check_properties() == []

    def test_a_case_gets_a_mask_for_each_prompt_a_label_map_and_a_record(self, segmented: Segmented) -> None:
        assert set(contents(segmented.out)) == {
            "report.json",
            "case/record.json",
            *(f"case/{name}{segmented.suffix}" for name in (*PROMPTS, "labels")),
        }
        report = json.loads((segmented.out / "report.json").read_text())
        assert (report["bundle"], report["version"]) == (self.name, self.metadata()["version"])
        assert report["weights"]["name"] == " + ".join(weights_names(self._weights()))
        assert (report["failed"], report["skipped"]) == ([], 0)
        assert [(row["case"], row["prompt"]) for row in report["results"]] == [("case", p) for p in PROMPTS]
        masks = [segmented.mask(prompt) > 0 for prompt in PROMPTS]
        assert [row["voxels"] for row in report["results"]] == [mask.sum() for mask in masks]
        assert all(0 < mask.sum() < mask.size for mask in masks)
        assert all(row["presence"] > row["presence_threshold"] for row in report["results"])
        labels = segmented.mask("labels")
        assert labels.shape == _read(segmented.source).shape
        assert np.array_equal(labels > 0, masks[0] | masks[1])
        assert np.all(labels[masks[0] & ~masks[1]] == 1) and np.all(labels[masks[1] & ~masks[0]] == 2)
