"""A folder with all that a MONAI Label server needs, and the command that starts it."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from monai_ext.bundle.check import find_trusted_bundle
from monai_ext.bundle.export import export
from monai_ext.bundle.retrained import METADATA
from monai_ext.errors import InputError
from monai_ext.files import file_sha256, whole_file
from monai_ext.prompts.modalities import modality_key
from monai_ext.prompts.separate import plain_text, split_prompts
from monai_ext.weights.registry import ORIGIN, own_model

MAIN = "from monai_ext.apps.label import LabelApp\n"


def make_app(bundle: str, app: Path, trust: bool = False) -> Path:
    """Put a bundle into the folder of an application, which is made if it is not there.

    Args:
        bundle: name of a bundle, or folder of one.
        app: folder of the application; a bundle that is there already stays, with all that was trained from it.
        trust: see :func:`monai_ext.bundle.export.export`.

    Returns:
        the bundle's folder in it, called as its metadata call it, in small letters.

    Raises:
        InputError: when there is no such bundle, or another of that name lies there; as ``export``.
        WeightsError: when its weights cannot be loaded.
    """
    source = find_trusted_bundle(bundle, trust=trust)
    target = app / "model" / re.sub(r"\W+", "_", _metadata(source)["name"].casefold())
    if not target.exists():
        export(source, target, trust)
    elif not _is_copy(target, source):
        raise InputError(
            f"{app.name}/model/{target.name} is another bundle, or another version of it; choose another application folder."
        )
    if not (app / "main.py").exists():
        with whole_file(app / "main.py") as partial:
            partial.write_text(MAIN, encoding="utf-8")
    return target


def server_command(
    app: Path, studies: str, host: str, port: int, conf: Mapping[str, str | None]
) -> list[str]:
    """The command that starts MONAI Label.

    Args:
        app: folder of the application.
        studies: folder of images, or address of a DICOMweb server.
        host, port: to listen at.
        conf: ``labels``, ``modality`` and ``group``, see :class:`monai_ext.apps.label.app.LabelApp`; None leaves one out.

    Raises:
        InputError: when MONAI Label is not installed, the folder is not there, or a value is none.
    """
    if importlib.util.find_spec("monailabel") is None:
        raise InputError(
            "MONAI Label is not installed here; make label installs it into .venv-label, and .venv-label/bin/monai-ext label"
            " starts it."
        )
    if not studies.startswith(("http://", "https://")) and not Path(studies).expanduser().is_dir():
        raise InputError(f"{Path(studies).name}: no such folder of studies.")
    for name in split_prompts(conf.get("labels") or ""):
        plain_text(name)
    if modality := conf.get("modality"):
        modality_key(modality)
    command = [
        sys.executable,
        "-m",
        "monailabel.main",
        "start_server",
        "--app",
        str(app),
        "--studies",
        studies,
    ]
    command += ["--host", host, "--port", str(port)]
    return command + [word for name, value in conf.items() if value for word in ("--conf", name, value)]


def _metadata(bundle: Path) -> dict[str, str]:
    content: dict[str, str] = json.loads((bundle / METADATA).read_text(encoding="utf-8"))
    return content


def _is_copy(target: Path, source: Path) -> bool:
    """Whether an exported bundle was made of another, by its version, and its weights if they are its own."""
    model = own_model(source)
    origin = json.loads((target / ORIGIN).read_text(encoding="utf-8")) if (target / ORIGIN).is_file() else {}
    same = _metadata(target)["version"] == _metadata(source)["version"]
    return same and (model is None or origin.get("sha256") == file_sha256(model))
