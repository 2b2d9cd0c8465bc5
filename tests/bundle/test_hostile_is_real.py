"""The attacks that the check refuses do what they are refused for, when MONAI itself parses the configuration."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.bundle import ConfigParser

from monai_ext.bundle.check import check_variants
from tests.bundle.hostile import LOGGING, TOUCH

READER = {
    "_target_": "LoadImage",
    "_mode_": "callable",
    "command": TOUCH,
}  # asks for a reader, which is called
REAL: dict[str, dict[str, Any]] = {
    "target": {"x": {"_target_": "os.system", "command": TOUCH}},
    "target of one word": {"x": {"_target_": "run_cmd", "cmd_list": ["touch", "CANARY"]}},
    "target through a library": {"x": {"_target_": "monai.data.utils.os.system", "command": TOUCH}},
    "target laid over": {"x": {"_target_": "torch.nn.ReLU"}, "x#_target_": "os.system", "x#command": TOUCH},
    "expression": {"x": f"$__import__('os').system('{TOUCH}')"},
    "expression that is required": {"x": {"_target_": "torch.nn.ReLU", "_requires_": "$open('CANARY', 'w')"}},
    "expression in a description": {"x": {"_target_": "torch.nn.ReLU", "_desc_": "$open('CANARY', 'w')"}},
    "letters that Python takes for others": {"x": '$ｅval(\'open("CANARY", "w")\')'},
    "reference that makes a text an f-string": {"f": 1, "x": '$\'@f{open("CANARY", "w")}\''},
    "code in a key": {
        "a": 1,
        "b": {"z": 2},
        "a + open('CANARY', 'w').fileno() + @b": {"z": 3, "y": "$@#z"},
    },
    "macro made of a key": {"FOLDER/evil.json": {"a": "%#x"}},
    "reader": {"x": {"_target_": "LoadImaged", "keys": "a", "reader": "os.system", "command": TOUCH}},
    "reader by a data set": {
        "p": READER,
        "d": {"_target_": "Dataset", "data": ["os.system"], "transform": "@p"},
        "x": "$@d[0]",
    },
    "reader by sorting": {"p": READER, "x": "$sorted(['os.system', 'b'], key=@p)"},
    "reader by a call": {"p": {**READER, "_target_": "LoadImaged"}, "x": "$@p('a', 'os.system')"},
    "merger": {
        "s": {"_target_": "monai.inferers.SlidingWindowSplitter", "patch_size": [2, 2]},
        "x": {"_target_": "PatchInferer", "splitter": "@s", "merger_cls": "hostile_module.Merger"},
    },
    "pickled array": {
        "l": {"_target_": "LoadImaged", "keys": "a", "reader": "NumpyReader", "allow_pickle": True},
        "d": {"_target_": "Dataset", "data": [{"a": "FOLDER/evil.npy"}], "transform": "@l"},
        "x": "$@d[0]",
    },
    "bytes of an array": {
        "n": {"_target_": "ToNumpy"},
        "d": {"_target_": "Dataset", "data": "$torch.tensor([[1]])", "transform": "@n"},
        "w": "$@d[0].tofile",
        "e": {"_target_": "Dataset", "data": ["CANARY"], "transform": "@w"},
        "x": "$@e[0]",
    },
    "path that is renamed": {
        "c": {"_target_": "PersistentDataset", "data": [], "transform": "@i", "cache_dir": "FOLDER"},
        "i": {"_target_": "torch.nn.Identity"},
        "x": "$(@c.cache_dir / 'evil.json').replace('CANARY')",
    },
}


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("name", REAL)
def test_monai_runs_what_the_check_refuses(tmp_path, monkeypatch, name):
    canary = tmp_path / "canary"
    evil = {"x": {"_target_": "os.system", "command": f"touch {canary}"}}
    (tmp_path / "evil.json").write_text(json.dumps(evil))
    (tmp_path / "hostile_module.py").write_text(f"open({str(canary)!r}, 'w')")
    np.save(tmp_path / "evil.npy", np.array([Bomb(canary)], dtype=object))
    text = json.dumps(REAL[name]).replace("CANARY", str(canary)).replace("FOLDER", str(tmp_path))
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "bundle").mkdir()
    assert check_variants(tmp_path / "bundle", [tmp_path / "config.json"]).findings
    assert not canary.exists()

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hostile_module", raising=False)
    parser = ConfigParser()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parser.read_config(str(tmp_path / "config.json"))
        for key in [key for key in parser.config if key != "_meta_"]:
            with contextlib.suppress(Exception):  # what the attack leaves behind is of no use
                parser.get_parsed_content(key)
    assert canary.exists()


@pytest.mark.parametrize(
    "name", ["class that is called", "arguments that are called", "arguments that are filled in"]
)
def test_logging_runs_what_the_check_refuses(tmp_path, name):
    canary = tmp_path / "canary"
    file = tmp_path / "logging.conf"
    file.write_text(LOGGING[name][0].replace("CANARY", str(canary)))
    code = "import sys, logging.config; logging.config.fileConfig(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, check=False)
    assert canary.exists()
