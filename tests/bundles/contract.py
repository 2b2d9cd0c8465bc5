"""The contract of all bundles: a bundle's test file states what is its own, and inherits the checks.

    class TestNewBundle(BundleContract):
        name = "new_bundle"

Its small copy stands in :data:`tests.bundles.small.SMALL_BUNDLES`. One that trains inherits from
:class:`TrainableBundleContract`.
"""

from __future__ import annotations

import csv
import io
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


def _masks_below(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(folder).items() if name.endswith((".png", ".nii.gz"))}


def _report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def _read(file: Path) -> np.ndarray:
    if file.suffix == ".png":
        with Image.open(file) as opened:
            return np.asarray(opened)
    return np.asarray(nib.load(file).dataobj)


class Trained(NamedTuple):
    """A training that was stopped after half of its epochs and started again, and its files before it was."""

    workflow: ConfigWorkflow
    out: Path
    half: int
    files: Mapping[str, bytes]

    def weights(self) -> dict[str, Any]:
        """The state dict that the first half left."""
        return torch.load(io.BytesIO(self.files["model.pt"]), weights_only=True)


def _results(folder: Path) -> dict[str, bytes]:
    """All files of a run but its report, which holds the time that it took."""
    files = contents(folder)
    del files["report.json"]
    return files


class BundleContract:
    """What every bundle must pass.

    Attributes:
        name: of the bundle's folder.
        laid_over: variants that are laid over another variant, by the name of that one.
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
        names = ["inference", *bundle_variants(self.folder())]  # variants are laid over inference.json
        if "configuration" in metafunc.fixturenames:
            metafunc.parametrize("configuration", names)
        if "embedded_configuration" in metafunc.fixturenames:
            metafunc.parametrize(
                "embedded_configuration", [name for name in names if self._is_embedded(name)]
            )
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
        return [*(base for base, above in cls.laid_over.items() if configuration in above), *variants]

    @classmethod
    def _is_embedded(cls, configuration: str) -> bool:
        content = read_configs(cls.folder(), ["inference", *cls.layers(configuration)])
        registry = read_registry()
        return all(registry[name].source == "embedded" for name in weights_names(content["weights"]))

    @classmethod
    def segment(
        cls, source: Path, out: Path, bundle: str | Path, *more: str, prompts: Sequence[str] = PROMPTS
    ) -> Path:
        """Run the command line, which must succeed; returns the folder of results."""
        words = [word for prompt in prompts for word in ("-p", prompt)]
        words += [
            "-o",
            str(out),
            "--bundle",
            str(bundle),
            "--names",
            "file",
            "--device",
            "cpu",
            "--quiet",
            *more,
        ]
        assert main(["segment", str(source), *words]) == 0
        return out

    @classmethod
    def workflow(
        cls, configs: Sequence[str], bundle: Path, data: Path, out: Path, **overrides: Any
    ) -> ConfigWorkflow:
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
        return cls.segment(
            SAMPLE, tmp_path_factory.mktemp("sample") / "out", cls.name, prompts=cls.asked_of_sample()
        )

    @classmethod
    def asked_of_sample(cls) -> tuple[str, str, str]:
        return cls.present, "liver in a CT scan", "ljashdb"

    # Files

    def test_a_bundle_is_configuration_text_and_licence_and_holds_no_code(self) -> None:
        files = [path.relative_to(self.folder()) for path in self.folder().rglob("*") if path.is_file()]
        assert {path.name for path in files if len(path.parts) == 1} == {"LICENSE", "large_files.yml"}
        assert {(path.parts[0], path.suffix) for path in files if len(path.parts) > 1} <= {
            ("configs", ".json"),
            *(("docs", suffix) for suffix in (".md", ".txt", ".png")),
        }
        assert "Apache License" in (self.folder() / "LICENSE").read_text()

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
        sets = {name for training in trainings for name in training["sets"] or []}
        assert licences.startswith("Licences of the data")
        assert [name for name in sets if f"\n{name}: " not in licences] == []

    def test_every_training_is_run_here_and_a_recipe_laid_over_one_sets_only_ids_that_it_has(self) -> None:
        for path in self.folder().glob("configs/train*.json"):
            training = path.stem.removesuffix("_embedded")
            assert training in self.trainings
            content = read_configs(self.folder(), [training])
            assert set(json.loads(path.read_text())) <= set(content)

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
        assert (pred["num_channels"], pred["spatial_shape"]) == (1, ["*", "*"])
        config, meta = (str(small / "configs" / name) for name in ("inference.json", "metadata.json"))
        verify_net_in_out("network_def", meta_file=meta, config_file=config, device="cpu", any=24)
        parser = ConfigParser()
        parser.read_config(config)
        logits = parser.get_parsed_content("network_def").eval()(torch.rand(1, 3, 24, 20))
        assert (logits.shape, logits.dtype) == ((1, 1, 24, 20), torch.float32)

    # Inference

    def test_monai_finds_every_property_of_an_inference(self, small: Path, tmp_path: Path) -> None:
        flow = self.workflow(["inference"], small, picture(tmp_path / "a.png"), tmp_path / "out")
        assert flow.check_properties() == []

    def test_a_case_gets_a_mask_of_each_prompt_a_label_map_and_a_record(self, segmented: Segmented) -> None:
        files = [f"case/{name}{segmented.suffix}" for name in (*PROMPTS, "labels")]
        assert set(contents(segmented.out)) == {"report.json", "case/record.json", *files}
        report = _report(segmented.out)
        assert (report["bundle"], report["version"]) == (self.name, self.metadata()["version"])
        assert (report["failed"], report["skipped"]) == ([], 0)
        masks = [segmented.mask(prompt) > 0 for prompt in PROMPTS]
        rows = [(row["case"], row["prompt"], row["voxels"], row["threshold"]) for row in report["results"]]
        assert rows == [("case", prompt, mask.sum(), 0.5) for prompt, mask in zip(PROMPTS, masks)]
        assert all(0.5 < row["presence"] <= 1 for row in report["results"])
        assert all(0 < mask.sum() < mask.size for mask in masks) and (masks[0] != masks[1]).any()
        labels = segmented.mask("labels")
        assert labels.shape == _read(segmented.source).shape
        assert set(labels[masks[0] & ~masks[1]]) <= {1} and set(labels[masks[1] & ~masks[0]]) <= {2}
        assert np.array_equal(labels > 0, masks[0] | masks[1])

    def test_the_same_command_writes_the_same_bytes(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        again = self.segment(segmented.source, tmp_path / "out", small)
        assert _results(again) == _results(segmented.out)

    def test_monais_runner_writes_the_same_bytes_as_the_command(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        text = {"displayable_configs#text_prompt": "; ".join(PROMPTS), "case_names": "file"}
        flow = self.workflow(["inference"], small, segmented.source, tmp_path / "out", **text)
        flow.run()
        flow.finalize()
        assert _results(tmp_path / "out") == _results(segmented.out)
        assert _report(tmp_path / "out")["results"] == _report(segmented.out)["results"]

    def test_python_gives_the_masks_of_the_command(self, small: Path, segmented: Segmented) -> None:
        for result in monai_ext.load(small, device="cpu").segment(segmented.source, PROMPTS):
            assert (result.found, result.reason) == (True, "")
            assert np.array_equal(np.asarray(result.mask) > 0, segmented.mask(result.prompt) > 0)

    def test_prompts_together_get_the_masks_that_each_gets_alone(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        together = contents(segmented.out / "case")
        for prompt in PROMPTS:
            alone = self.segment(segmented.source, tmp_path / prompt, small, prompts=[prompt])
            file = f"{prompt}{segmented.suffix}"
            assert (alone / "case" / file).read_bytes() == together[file]

    def test_a_finished_case_is_passed_over_until_a_setting_changes(
        self, small: Path, segmented: Segmented, tmp_path: Path
    ) -> None:
        def skipped(*more: str) -> int:
            return _report(self.segment(segmented.source, tmp_path / "out", small, *more))["skipped"]

        assert [skipped(), skipped(), skipped("--threshold", "0.6")] == [0, 1, 0]

    # The bundle's own weights

    def test_what_is_not_in_the_image_gets_an_empty_mask_and_the_reason(self, sample: Path) -> None:
        present, absent, nonsense = _report(sample)["results"]
        assert present["voxels"] > 0 and present["presence"] > 0.5 and present["warnings"] == []
        for row, reason in (
            (absent, "judged absent: presence 0.0"),
            (nonsense, "('ljashdb' names nothing that these weights know|judged absent: presence 0.0)"),
        ):
            assert row["voxels"] == 0 and not _read(sample / row["mask"]).any()
            assert [bool(re.match(reason, warning)) for warning in row["warnings"]] == [True]

    def test_an_exported_bundle_is_complete_and_gives_the_same_bytes_from_its_own_weights(
        self, sample: Path, tmp_path: Path
    ) -> None:
        exported = export(self.name, tmp_path / "exported")
        files, own = contents(exported), contents(self.folder())
        assert {name: files[name] for name in own} == own
        assert set(files) - set(own) == {"models/model.pt", "models/weights.json", "LICENSE-WEIGHTS"}
        network = monai_ext.load(self.name, device="cpu").network
        network.load_state_dict(torch.load(exported / "models" / "model.pt", weights_only=True), strict=True)
        again = self.segment(SAMPLE, tmp_path / "out", exported, prompts=self.asked_of_sample())
        assert _masks_below(again) == _masks_below(sample)
        assert _report(again)["weights"]["source"] == "models/model.pt"

    # Evaluation

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
        assert all((out / overlay["file"]).is_file() for overlay in figures["overlays"])
        assert str(tmp_path) not in (out / "metrics.json").read_text() + (out / "cases.csv").read_text()

    def test_monai_finds_every_property_of_an_evaluation(self, small: Path, tmp_path: Path) -> None:
        data = write_films(tmp_path / "films")
        flow = self.workflow(["inference", "evaluate"], small, data, tmp_path / "out")
        assert flow.check_properties() == []

    # Servers

    def test_monai_label_gets_the_label_map_of_the_command(self, small: Path, segmented: Segmented) -> None:
        config = json.loads((small / "configs" / "inference.json").read_text())
        assert config["displayable_configs"] == {"text_prompt": "lungs"}  # all that it lets a user set
        done = infer_as_label(small, segmented.source, "; ".join(PROMPTS))
        labels = segmented.mask("labels")
        assert (done["pred"].dtype, done["pred"].shape) == (torch.uint8, (1, *labels.shape))
        assert np.array_equal(done["pred"][0], labels)
        assert done["presence"].tolist() == pytest.approx(
            [row["presence"] for row in _report(segmented.out)["results"]]
        )

    @pytest.mark.parametrize("segmented", ["volume"], indirect=True)
    def test_monai_deploy_gets_the_label_map_of_the_command(self, small: Path, segmented: Segmented) -> None:
        stored = nib.load(segmented.source)
        meta = {"original_channel_dim": "no_channel", "modality": "CT"}
        image = MetaTensor(np.asarray(stored.dataobj, np.float32), affine=stored.affine, meta=meta)
        labels = infer_as_deploy(small, image, "; ".join(PROMPTS))
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, segmented.mask("labels"))

    # Configurations

    def test_every_configuration_builds_its_network_and_names_the_weights_of_each_module(
        self, configuration: str
    ) -> None:
        parser = ConfigParser(read_configs(self.folder(), ["inference", *self.layers(configuration)]))
        with torch.device("meta"):
            network = parser.get_parsed_content("network_def")
        weights = parser.get_parsed_content("weights")
        assert set(weights_names(weights)) <= set(read_registry())
        if not isinstance(weights, str):
            assert {key.split(".")[0] for key in network.state_dict()} == set(weights)

    def test_every_configuration_of_embedded_weights_runs_and_is_recorded(
        self, small: Path, embedded_configuration: str, tmp_path: Path
    ) -> None:
        layers = self.layers(embedded_configuration)
        bundle = self.name if embedded_configuration in self.registry_only else small
        words = [word for layer in layers for word in ("--variant", layer)]
        out = self.segment(picture(tmp_path / "a.png"), tmp_path / "out", bundle, *words, prompts=["lungs"])
        settings = _report(out)["settings"]
        assert [variant.split()[0] for variant in settings.get("variants", [])] == layers


class TrainableBundleContract(BundleContract):
    """What a bundle must pass that has configurations to train its network, or modules of it.

    Attributes:
        trainings: by the name of a configuration, ids and values beside :data:`SHORT` that make its epoch quick.
    """

    SHORT: ClassVar[Mapping[str, Any]] = {
        "sets": None,
        "device": "cpu",
        "amp": False,
        "epochs": 2,
        "draws_per_epoch": 8,
        "batch_size": 4,
        "num_workers": 0,
        "phantoms": 1,
    }

    @classmethod
    def training(cls, name: str, data: Path, out: Path, **overrides: Any) -> ConfigWorkflow:
        """What ``python -m monai.bundle run`` opens to train, initialised."""
        flow = ConfigWorkflow(
            str(cls.folder() / "configs" / f"{name}.json"),
            workflow_type="train",
            logging_file=False,
            dataset_dir=str(data),
            output_dir=str(out),
            **{**cls.SHORT, **cls.trainings[name], **overrides},
        )
        flow.initialize()
        return flow

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, request: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
        """A training that was stopped after half of its epochs and started again."""
        folder = tmp_path_factory.mktemp(request.param)
        data, out = write_films(folder / "films"), folder / "out"
        stopped = cls.training(request.param, data, out)
        trainer = stopped.parser.get_parsed_content("train#trainer")
        half = trainer.state.max_epochs // 2
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=half), trainer.terminate)
        stopped.run()
        stopped.finalize()
        files = {path.name: path.read_bytes() for path in out.iterdir()}
        again = cls.training(request.param, data, out)
        again.run()
        again.finalize()
        return Trained(again, out, half, files)

    def test_monai_finds_every_property_of_a_training(self, trained: Trained) -> None:
        assert trained.workflow.check_properties() == []

    def test_a_stopped_training_leaves_weights_of_its_network_a_checkpoint_and_a_log(
        self, trained: Trained
    ) -> None:
        assert {"model.pt", "checkpoint.pt", "training.csv"} <= set(trained.files)
        network = ConfigParser(trained.workflow.parser.get()).get_parsed_content("network_def")
        network.load_state_dict(trained.weights(), strict=True)
        assert all(bool(value.isfinite().all()) for value in network.parameters())
        rows = trained.files["training.csv"].decode().splitlines()
        assert [row.split(",")[0] for row in rows] == ["epoch", *map(str, range(1, trained.half + 1))]

    def test_a_training_that_is_started_again_continues_after_its_last_epoch(self, trained: Trained) -> None:
        state = trained.workflow.parser.get_parsed_content("train#trainer").state
        epochs, steps = 2 * trained.half, self.SHORT["draws_per_epoch"] // self.SHORT["batch_size"]
        assert (state.epoch, state.iteration) == (epochs, epochs * steps)
        rows = (trained.out / "training.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["epoch", *map(str, range(1, epochs + 1))]
        before, after = trained.weights(), read_state_dict(trained.out / "model.pt")
        tensors = [key for key, value in after.items() if torch.is_tensor(value)]
        changed = [key for key in tensors if not torch.equal(before[key], after[key])]
        assert len(changed) > len(tensors) / 2
