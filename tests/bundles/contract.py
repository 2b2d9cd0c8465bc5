"""The contract of all bundles: the test file of a bundle states what is its own, and inherits the checks.

    class TestNewBundle(BundleContract):
        name = "new_bundle"

A maker of its small copy stands in :data:`tests.bundles.small.SMALL_BUNDLES`. A bundle that can be trained inherits
from :class:`tests.bundles.training_contract.TrainableBundleContract`.
"""

from __future__ import annotations

import csv
import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, verify_net_in_out
from monai.data import MetaTensor

import monai_ext
from monai_ext.bundle.check import check_bundle
from monai_ext.bundle.configs import bundle_variants, read_configs
from monai_ext.bundle.export import export
from monai_ext.cli.main import main
from monai_ext.data.absence import NOT_MEDICAL
from monai_ext.data.absent_prompts import HEALTHY, KINDS
from monai_ext.resources import resource_path
from monai_ext.weights import read_registry
from monai_ext.weights.registry import weights_names
from tests.bundles.films import write_films
from tests.bundles.metadata import metadata_faults
from tests.bundles.runs import opened, read_mask, report, results, segment
from tests.bundles.servers import infer_as_deploy, infer_as_label
from tests.bundles.small import SMALL_BUNDLES, contents, picture, volume

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "breast_ultrasound.png"
PROMPTS = ("lungs", "heart")
LARGE = 25 * 2**20
"""Bytes above which MONAI wants a file to be listed in large_files.yml."""


class Segmented(NamedTuple):
    """A case that the command line segmented by both prompts, with a preview."""

    source: Path
    out: Path
    suffix: str

    def mask(self, name: str) -> np.ndarray:
        """A mask by its prompt, or the label map by "labels", in the order of its file."""
        return read_mask(self.out / "case" / f"{name}{self.suffix}")


class BundleContract:
    """What every bundle must pass.

    Attributes:
        name: of the bundle's folder.
        laid_over: variants that are laid over another variant, by the name of that one.
        registry_only: variants whose network has other modules than the bundle's own, so that they load the weights
            of the registry and cannot load those of a models/model.pt.
        trainings: see :class:`tests.bundles.training_contract.TrainableBundleContract`.
        present: a prompt for what the sample shows, a tumour in an ultrasound image of a breast.
    """

    name: ClassVar[str]
    laid_over: ClassVar[Mapping[str, Sequence[str]]] = {}
    registry_only: ClassVar[Collection[str]] = ()
    trainings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    present: ClassVar[str] = "tumour in a breast ultrasound"

    @classmethod
    def folder(cls) -> Path:
        return resource_path(cls.name, "bundles")

    @classmethod
    def metadata(cls) -> dict[str, Any]:
        return json.loads((cls.folder() / "configs" / "metadata.json").read_text())

    @classmethod
    def layers(cls, variant: str) -> list[str]:
        """The variants that are laid over inference.json one after another for this one; none for "inference"."""
        below = [base for base, above in cls.laid_over.items() if variant in above]
        return [] if variant == "inference" else [*below, variant]

    @classmethod
    def read(cls, variant: str) -> dict[str, Any]:
        return read_configs(cls.folder(), ["inference", *cls.layers(variant)])

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        variants = ["inference", *bundle_variants(self.folder())]
        if "variant" in metafunc.fixturenames:
            metafunc.parametrize("variant", variants)
        if "embedded_variant" in metafunc.fixturenames:
            registry = read_registry()
            names = {variant: weights_names(self.read(variant)["weights"]) for variant in variants}
            embedded = [v for v in variants if all(registry[n].source == "embedded" for n in names[v])]
            metafunc.parametrize("embedded_variant", embedded)
        if "training" in metafunc.fixturenames:
            metafunc.parametrize("training", self.trainings)
        if "trained" in metafunc.fixturenames:
            metafunc.parametrize("trained", self.trainings, indirect=True, scope="class")

    @pytest.fixture(scope="class")
    @classmethod
    def small(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A copy with few parameters and random weights, which finds both prompts in every case."""
        return SMALL_BUNDLES[cls.name](tmp_path_factory.mktemp("small"))

    @pytest.fixture(scope="class", params=["picture", "volume"])
    @classmethod
    def segmented(cls, request: Any, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Segmented:
        folder = tmp_path_factory.mktemp(request.param)
        write, suffix = {"picture": (picture, ".png"), "volume": (volume, ".nii.gz")}[request.param]
        source = write(folder / f"case{suffix}")
        return Segmented(source, segment(source, folder / "out", small, PROMPTS, "--preview"), suffix)

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """What the bundle's own weights find in the sample: what is there, what is not, and nonsense."""
        prompts = [cls.present, "liver in a CT scan", "ljashdb"]
        return segment(SAMPLE, tmp_path_factory.mktemp("sample") / "out", cls.name, prompts)

    # Files

    def test_a_bundle_is_configuration_text_and_licence_and_holds_no_code(self) -> None:
        files = [path.relative_to(self.folder()) for path in self.folder().rglob("*") if path.is_file()]
        assert {path.name for path in files if len(path.parts) == 1} == {"LICENSE", "large_files.yml"}
        assert {(path.parts[0], path.suffix) for path in files if len(path.parts) > 1} <= {
            ("configs", ".json"),
            *(("docs", suffix) for suffix in (".md", ".txt", ".png")),
        }
        assert "Apache License" in (self.folder() / "LICENSE").read_text()

    def test_the_strict_check_of_bundles_from_elsewhere_finds_nothing_in_it(self) -> None:
        checked = check_bundle(self.folder(), "strict")
        assert checked.findings == ()
        assert checked.targets > 0

    def test_no_file_is_so_large_that_it_has_to_be_fetched(self) -> None:
        listed = ConfigParser.load_config_file(str(self.folder() / "large_files.yml"))
        assert listed == {"large_files": []}
        assert max(path.stat().st_size for path in self.folder().rglob("*")) < LARGE

    def test_the_model_card_has_its_sections(self) -> None:
        card = (self.folder() / "docs" / "README.md").read_text()
        title, *sections = re.split(r"^#+ ", card, flags=re.MULTILINE)[1:]
        texts = dict(section.split("\n", 1) for section in sections)
        assert card.startswith("# ") and title.strip()
        assert {"Method", "Figures", "Limits", "Licences"} <= {name for name in texts if texts[name].strip()}

    def test_the_licence_of_every_data_set_that_a_training_names_is_documented(self) -> None:
        licences = (self.folder() / "docs" / "data_license.txt").read_text()
        trainings = [json.loads(path.read_text()) for path in self.folder().glob("configs/train*.json")]
        sets = {name for training in trainings for name in training.get("sets") or []}
        assert licences.startswith("Licences of the data")
        assert [name for name in sets if f"\n{name}: " not in licences] == []

    def test_every_training_is_run_here_and_a_recipe_laid_over_it_sets_only_ids_that_it_has(self) -> None:
        for path in self.folder().glob("configs/train*.json"):
            training = path.stem.removesuffix("_embedded")
            assert training in self.trainings
            assert set(json.loads(path.read_text())) <= set(read_configs(self.folder(), [training]))

    # Metadata

    def test_metadata_meets_the_schema(self) -> None:
        assert metadata_faults(self.metadata()) == []

    def test_required_packages_are_this_one_and_what_it_depends_on(self) -> None:
        required = self.metadata()["required_packages_version"]
        assert required.pop("monai_ext") == monai_ext.__version__
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert set(required) <= {re.split("[<>=]", need)[0] for need in project["dependencies"]}

    def test_three_channels_in_display_range_go_in_and_one_logit_a_pixel_comes_out(self, small: Path) -> None:
        formats = self.metadata()["network_data_format"]
        image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
        assert (image["num_channels"], image["spatial_shape"], image["value_range"]) == (
            3,
            ["*", "*"],
            [0, 1],
        )
        assert (pred["num_channels"], pred["spatial_shape"], pred["dtype"]) == (1, ["*", "*"], "float32")
        config, meta = (str(small / "configs" / name) for name in ("inference.json", "metadata.json"))
        verify_net_in_out("network_def", meta_file=meta, config_file=config, device="cpu", any=24)
        parser = ConfigParser()
        parser.read_config(config)
        logits = parser.get_parsed_content("network_def").eval()(torch.rand(1, 3, 24, 20))
        assert (logits.shape, logits.dtype) == ((1, 1, 24, 20), torch.float32)

    # Inference

    def test_monai_finds_every_property_of_an_inference(self, small: Path, tmp_path: Path) -> None:
        flow = opened(small, ["inference"], picture(tmp_path / "a.png"), tmp_path / "out")
        assert flow.check_properties() == []

    def test_a_case_gets_a_mask_of_each_prompt_a_label_map_a_preview_and_a_record(
        self, segmented: Segmented
    ) -> None:
        files = [f"case/{name}{segmented.suffix}" for name in (*PROMPTS, "labels")]
        assert set(contents(segmented.out)) == {
            *("report.json", "case/record.json", "case/overlay.png"),
            *files,
        }
        record = report(segmented.out)
        assert (record["bundle"], record["version"]) == (self.name, self.metadata()["version"])
        assert (record["failed"], record["skipped"]) == ([], 0)
        masks = [segmented.mask(prompt) > 0 for prompt in PROMPTS]
        rows = [(row["case"], row["prompt"], row["voxels"], row["threshold"]) for row in record["results"]]
        assert rows == [("case", prompt, mask.sum(), 0.5) for prompt, mask in zip(PROMPTS, masks)]
        assert all(0.5 < row["presence"] <= 1 for row in record["results"])
        assert all(0 < mask.sum() < mask.size for mask in masks) and (masks[0] != masks[1]).any()
        labels = segmented.mask("labels")
        assert labels.shape == read_mask(segmented.source).shape
        assert set(labels[masks[0] & ~masks[1]]) <= {1} and set(labels[masks[1] & ~masks[0]]) <= {2}
        assert np.array_equal(labels > 0, masks[0] | masks[1])

    def test_the_same_command_writes_the_same_bytes(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        again = segment(segmented.source, tmp_path / "out", small, PROMPTS, "--preview")
        assert results(again) == results(segmented.out)

    def test_monais_runner_writes_the_same_bytes_as_the_command(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        settings = {
            "displayable_configs#text_prompt": "; ".join(PROMPTS),
            "case_names": "file",
            "preview": True,
        }
        flow = opened(small, ["inference"], segmented.source, tmp_path / "out", **settings)
        flow.run()
        flow.finalize()
        assert results(tmp_path / "out") == results(segmented.out)
        assert report(tmp_path / "out")["results"] == report(segmented.out)["results"]

    def test_what_is_judged_absent_gets_an_empty_mask_and_the_reason(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        settings = {"displayable_configs#text_prompt": "; ".join(PROMPTS), "presence_threshold": 1.0}
        opened(small, ["inference"], segmented.source, tmp_path / "out", **settings).run()
        for row, before in zip(report(tmp_path / "out")["results"], report(segmented.out)["results"]):
            assert row["presence"] == before["presence"] and row["voxels"] == 0 < before["voxels"]
            assert not read_mask(tmp_path / "out" / row["mask"]).any()
            assert row["warnings"][-1].startswith(
                f"judged absent: presence {row['presence']:.2f} is below 1.00"
            )

    def test_python_gives_the_masks_of_the_command(self, small: Path, segmented: Segmented) -> None:
        for result in monai_ext.load(small, device="cpu").segment(segmented.source, PROMPTS):
            assert (result.found, result.reason) == (True, "")
            assert np.array_equal(np.asarray(result.mask) > 0, segmented.mask(result.prompt) > 0)

    def test_prompts_together_get_the_masks_that_each_gets_alone(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        together = contents(segmented.out / "case")
        for prompt in PROMPTS:
            alone = segment(segmented.source, tmp_path / prompt, small, [prompt])
            file = f"{prompt}{segmented.suffix}"
            assert (alone / "case" / file).read_bytes() == together[file]

    def test_a_finished_case_is_passed_over_until_a_setting_changes(
        self, small: Path, tmp_path: Path
    ) -> None:
        source = picture(tmp_path / "a.png")
        for more, skipped in (((), 0), ((), 1), (("--threshold", "0.6"), 0)):
            assert report(segment(source, tmp_path / "out", small, ["lungs"], *more))["skipped"] == skipped

    # The bundle's own weights

    def test_what_is_not_in_the_image_gets_an_empty_mask_and_the_reason(self, sample: Path) -> None:
        present, absent, nonsense = report(sample)["results"]
        assert present["voxels"] > 0 and present["presence"] > 0.5 and present["warnings"] == []
        judged = "judged absent: presence 0.0"
        for row, reasons in (
            (absent, (judged,)),
            (nonsense, (judged, "'ljashdb' names nothing that these weights know")),
        ):
            assert row["voxels"] == 0 and not read_mask(sample / row["mask"]).any()
            (warning,) = row["warnings"]
            assert warning.startswith(reasons)

    def test_an_exported_bundle_is_complete_and_gives_the_same_mask_from_its_own_weights(
        self, sample: Path, tmp_path: Path
    ) -> None:
        exported = export(self.name, tmp_path / "exported")
        files, own = contents(exported), contents(self.folder())
        stated, config = (json.loads(each.pop("configs/inference.json")) for each in (files, own))
        assert stated == {**config, "loaded": {**config["loaded"], "own": True}}
        assert {name: files[name] for name in own} == own
        assert set(files) - set(own) == {"models/model.pt", "models/weights.json", "LICENSE-WEIGHTS"}
        state = torch.load(exported / "models" / "model.pt", weights_only=True)
        assert state.keys() == monai_ext.load(self.name, device="cpu").network.state_dict().keys()
        again = report(segment(SAMPLE, tmp_path / "out", exported, [self.present]))
        assert again["weights"]["source"] == "models/model.pt"
        (row,) = again["results"]
        assert row == report(sample)["results"][0]
        assert (tmp_path / "out" / row["mask"]).read_bytes() == (sample / row["mask"]).read_bytes()

    # Evaluation

    def test_monai_finds_every_property_of_an_evaluation(self, small: Path, tmp_path: Path) -> None:
        data = write_films(tmp_path / "films")
        assert opened(small, ["inference", "evaluate"], data, tmp_path / "out").check_properties() == []

    def test_an_evaluation_writes_figures_that_its_rows_give(self, small: Path, tmp_path: Path) -> None:
        data, out = write_films(tmp_path / "films"), tmp_path / "out"
        words = ["--data", str(data), "--split", "validation", "-o", str(out), "--device", "cpu", "--quiet"]
        assert main(["evaluate", str(small), *words]) == 0
        figures = json.loads((out / "metrics.json").read_text())
        with (out / "cases.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        present = [row for row in rows if row["present"] == "True"]
        assert [(row["case"], row["target"]) for row in present] == [("4", "lungs"), ("5", "lungs")]
        for score in ("dice", "iou", "nsd"):
            mean = sum(float(row[score]) for row in present) / 2
            assert figures["pooled"][score]["mean"] == pytest.approx(mean, abs=1e-5)
        assert figures["targets"] == figures["sets"]["films"]["targets"] == {"lungs": figures["pooled"]}
        assert figures["pooled"]["dice"]["n"] == figures["presence"]["present"] == 2
        assert figures["presence"]["absent"] == len(rows) - 2 == 4
        assert figures["overlays"] and all((out / one["file"]).is_file() for one in figures["overlays"])
        assert str(tmp_path) not in (out / "metrics.json").read_text() + (out / "cases.csv").read_text()

    def test_an_evaluation_of_absent_targets_asks_each_image_for_what_it_does_not_show(
        self, small: Path, tmp_path: Path
    ) -> None:
        data, out = write_films(tmp_path / "films"), tmp_path / "out"
        words = ["--data", str(data), "--split", "validation", "-o", str(out), "--device", "cpu", "--quiet"]
        assert main(["evaluate", str(small), *words, "--absent", "--limit", "1"]) == 0
        absent = json.loads((out / "metrics.json").read_text())["absent"]
        with (out / "cases.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert absent["t_acc"]["n"] == 1
        assert absent["pooled"]["asked"] == len(rows) - 1 > 80
        assert absent["pooled"]["answered"] == sum(
            row["voxels"] != "0" for row in rows if row["present"] == "False"
        )
        assert list(absent["kinds"]) == [
            kind for kind in KINDS if kind not in (HEALTHY, NOT_MEDICAL)
        ]  # films of chests with lungs

    # Servers

    def test_monai_label_gets_the_label_map_of_the_command(self, small: Path, segmented: Segmented) -> None:
        config = json.loads((small / "configs" / "inference.json").read_text())
        assert config["displayable_configs"] == {"text_prompt": "lungs"}  # all that a user of Label can set
        done = infer_as_label(small, segmented.source, "; ".join(PROMPTS))
        labels = segmented.mask("labels")
        assert (done["pred"].dtype, done["pred"].shape) == (torch.uint8, (1, *labels.shape))
        assert np.array_equal(done["pred"][0], labels)
        presence = [row["presence"] for row in report(segmented.out)["results"]]
        assert done["presence"].tolist() == pytest.approx(presence)

    @pytest.mark.parametrize("segmented", ["volume"], indirect=True)
    def test_monai_deploy_gets_the_label_map_of_the_command(self, small: Path, segmented: Segmented) -> None:
        stored = nib.load(segmented.source)
        meta = {"original_channel_dim": "no_channel", "modality": "CT"}
        image = MetaTensor(np.asarray(stored.dataobj, np.float32), affine=stored.affine, meta=meta)
        labels = infer_as_deploy(small, image, "; ".join(PROMPTS))
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, segmented.mask("labels"))

    # Variants

    def test_every_variant_builds_a_network_whose_modules_all_have_registered_weights(
        self, variant: str
    ) -> None:
        parser = ConfigParser(self.read(variant))
        with torch.device("meta"):
            network = parser.get_parsed_content("network_def")
        weights = parser.get_parsed_content("weights")
        assert set(weights_names(weights)) <= set(read_registry())
        if not isinstance(weights, str):
            assert {key.split(".")[0] for key in network.state_dict()} == set(weights)

    def test_every_variant_of_embedded_weights_runs_and_is_recorded(
        self, small: Path, embedded_variant: str, tmp_path: Path
    ) -> None:
        layers = self.layers(embedded_variant)
        bundle = self.name if embedded_variant in self.registry_only else small
        words = [word for layer in layers for word in ("--variant", layer)]
        out = segment(picture(tmp_path / "a.png"), tmp_path / "out", bundle, ["lungs"], *words)
        recorded = report(out)["settings"].get("variants", [])
        assert [variant.split()[0] for variant in recorded] == layers
