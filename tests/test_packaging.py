"""The built wheel: what is in it, what it asks for, and that it works outside the checkout."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCES = (
    "monai_ext",
    "bundles",
    "data",
    "tests",
    "MANIFEST.in",
    "pyproject.toml",
    "setup.py",
    "LICENSE",
    "LICENSE-WEIGHTS",
    "README.md",
)
SAMPLE = "samples/breast_ultrasound.png"
PROMPT = "tumour in a breast ultrasound"
# Distributions whose name is not that of their module.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "ignite": "pytorch-ignite",
    "open_clip": "open_clip_torch",
    "monai.deploy": "monai-deploy-app-sdk",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
}


def run(*command: object, cwd: Path) -> str:
    """Output of a command that must succeed, without the checkout on Python's path."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of what the wheel is made from, so that no earlier build/ or egg-info has a say."""
    folder = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "models", "runs", "eval")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist, as ``python -m build`` does; what a run left in a bundle lies beside."""
    left = source / "bundles" / "vlsm" / "models" / "model.pt"
    left.parent.mkdir()
    left.write_bytes(b"weights of an export")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    left.unlink()
    left.parent.rmdir()
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin`` of a fresh environment with the wheel.

    Installing torch and the rest anew would fetch 5 GB for each test run, so a .pth file lends this
    environment the third-party packages of the one that runs the tests. A folder added by a .pth file has its
    own .pth files left unread, so an editable monai_ext in there is not seen; the test below asserts it.
    """
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    lent = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text("\n".join(lent) + "\n")
    return folder / "bin"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """An empty folder outside the checkout."""
    return tmp_path


def test_wheel_holds_package_bundles_and_data_and_nothing_else(source: Path, wheel: Path) -> None:
    def files(folder: str) -> set[str]:
        return {
            path.relative_to(source).as_posix()
            for path in (source / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    shared = {f"monai_ext/share/{name}" for name in files("bundles") | files("data") | {"LICENSE-WEIGHTS"}}
    assert f"monai_ext/share/data/{SAMPLE}" in shared
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == files("monai_ext") | shared


def test_sdist_holds_no_tests(wheel: Path) -> None:
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert "setup.py" in inside and "data/" + SAMPLE in inside
    assert [name for name in inside if name.split("/")[0] == "tests"] == []


def test_wheel_carries_both_licences_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        for name in ("LICENSE", "LICENSE-WEIGHTS"):
            assert archive.read(f"{info}/licenses/{name}") == (ROOT / name).read_bytes()
        assert "monai-ext = monai_ext.cli.main:main" in archive.read(f"{info}/entry_points.txt").decode()


def test_installed_package_is_the_wheel(bin_folder: Path, outside: Path) -> None:
    where = run(bin_folder / "python", "-c", "import monai_ext; print(monai_ext.__file__)", cwd=outside)
    assert Path(where.strip()).is_relative_to(bin_folder.parent)


def test_installed_command_lists_the_bundles_outside_the_checkout(bin_folder: Path, outside: Path) -> None:
    listed = run(bin_folder / "monai-ext", "bundles", cwd=outside)
    for path in (ROOT / "bundles").iterdir():
        assert re.search(rf"\b{path.name}\b", listed)


@pytest.fixture
def _embedded() -> None:
    if not (ROOT / "monai_ext" / "weights" / "embedded" / "vlsm.safetensors").exists():
        pytest.skip("needs the embedded weights, which are not trained yet")


@pytest.mark.usefixtures("_embedded")
def test_installed_command_exports_with_the_licence_of_the_weights(bin_folder: Path, outside: Path) -> None:
    run(bin_folder / "monai-ext", "bundles", "export", "vlsm", "exported", cwd=outside)
    assert (outside / "exported" / "models" / "model.pt").is_file()
    assert (outside / "exported" / "LICENSE-WEIGHTS").read_bytes() == (ROOT / "LICENSE-WEIGHTS").read_bytes()


@pytest.mark.usefixtures("_embedded")
def test_installed_command_segments_the_sample_outside_the_checkout(bin_folder: Path, outside: Path) -> None:
    (share,) = bin_folder.parent.glob("lib/python*/site-packages/monai_ext/share")
    run(bin_folder / "monai-ext", "segment", share / "data" / SAMPLE, "-p", PROMPT, "-o", "out", cwd=outside)
    report = json.loads((outside / "out" / "report.json").read_text())
    (result,) = report["results"]
    assert result["prompt"] == PROMPT
    assert result["voxels"] > 0
    assert (outside / "out" / result["mask"]).is_file()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(needs: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=!~; ]", need)[0]) for need in needs}


def imported(files: list[Path]) -> set[str]:
    """Distributions of the third-party modules that the files import, anywhere in them."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                modules.add(node.module)
    roots = {
        "monai.deploy" if module.startswith("monai.deploy") else module.split(".")[0] for module in modules
    }
    roots -= {*sys.stdlib_module_names, "monai_ext"}
    return {normal(DISTRIBUTIONS.get(root, root)) for root in roots}


def test_every_import_is_declared_and_every_requirement_is_imported() -> None:
    extras = PROJECT["optional-dependencies"]
    apps = ROOT / "monai_ext" / "apps"
    served = {"label": [*(apps / "label").rglob("*.py")], "deploy": [apps / "deploy.py"]}
    own = {*(ROOT / "monai_ext").rglob("*.py")} - {path for paths in served.values() for path in paths}
    # fire: for python -m monai.bundle, by whom the bundles are run; tensorboard: for torch.utils.tensorboard.
    assert imported(own) | {"fire", "tensorboard"} == declared(PROJECT["dependencies"])
    for name, paths in served.items():
        # fastapi comes with MONAI Label, whose web framework it is.
        assert imported(paths) - {"fastapi"} <= declared(PROJECT["dependencies"] + extras[name])


def named_sets(text: str) -> set[str]:
    """The sets whose citations LICENSE-WEIGHTS gives."""
    return set(re.findall(r"^- .*\((\w+)\)$", text, re.M))


@pytest.mark.parametrize("bundle", ["vlsm", "clip_sam", "medclip_sam"])
def test_licence_of_weights_names_the_sets_of_every_bundle(bundle: str) -> None:
    terms = named_sets((ROOT / "LICENSE-WEIGHTS").read_text())
    details = (ROOT / "bundles" / bundle / "docs" / "data_license.txt").read_text()
    own = set(re.findall(r"^(\w+): ", details, re.M))
    assert own == terms and len(terms) == 50


def test_licence_of_weights_names_every_set_that_may_be_trained_on(shared_data: Path) -> None:
    folders = [shared_data, shared_data.with_name("data_more")]
    may_train = {path.parent.name for folder in folders for path in folder.glob("*/dataset.json")}
    # for evaluation only: no licence that allows it, nothing medical, polyps of other centres
    may_train -= {"ct_lung_lungsegdb_2d", "ct_liver_msd", "ct_kidney_stone_kssd", "ct_stroke_aisd"}
    may_train -= {"xray_knee_femur", "control", "endo_polyp_cvc_etis"}
    assert named_sets((ROOT / "LICENSE-WEIGHTS").read_text()) == may_train
