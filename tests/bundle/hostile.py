"""Bundles of an attacker who knows MONAI: each would run code, load a pickle or read outside, and is to be refused.

CANARY in a payload is a path at which the payload would make a file, FOLDER the folder that it lies in.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from monai_ext.resources import resource_path

TOUCH = "touch CANARY"


class Hostile(NamedTuple):
    """One hostile bundle: the project's vlsm with files written over.

    Attributes:
        files: content by path; a str is written as it is, another value as JSON or YAML by the name.
        file, id: where the finding is to be.
        fault: words of it.
    """

    files: Mapping[str, Any]
    file: str
    id: str
    fault: str

    def write(self, folder: Path, canary: Path) -> Path:
        """The bundle in ``folder/vlsm``."""
        bundle = Path(
            shutil.copytree(resource_path("vlsm", "bundles") / "configs", folder / "vlsm" / "configs")
        )
        for name, content in self.files.items():
            file = bundle.parent / name
            file.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else _dumped(name, content)
            file.write_text(text.replace("CANARY", str(canary)).replace("FOLDER", str(canary.parent)))
        return bundle.parent


def _dumped(name: str, content: Any) -> str:
    return json.dumps(content) if name.endswith(".json") else yaml.safe_dump(content, sort_keys=False)


INFERENCE = json.loads(resource_path("vlsm/configs/inference.json", "bundles").read_text(encoding="utf-8"))
SHORT = {"network_def": {"_target_": "UNet"}, "inferer": {}, "handlers": [], "initialize": []}
"""Of a file that is read fast."""

# targets, and where they stand

TARGETS: dict[str, dict[str, Any]] = {
    "os.system": {"command": TOUCH},
    "posix.system": {"command": TOUCH},
    "subprocess.run": {"args": TOUCH, "shell": True},
    "subprocess.Popen": {"args": ["touch", "CANARY"]},
    "open": {"file": "CANARY", "mode": "w"},
    "builtins.open": {"file": "CANARY", "mode": "w"},
    "io.open": {"file": "CANARY", "mode": "w"},
    "pathlib.Path.touch": {"self": "CANARY"},
    "shutil.copy": {"src": "/etc/hostname", "dst": "CANARY"},
    "runpy.run_path": {"path_name": "FOLDER/evil.py"},
    "importlib.import_module": {"name": "evil"},
    "pydoc.locate": {"path": "evil"},
    "pickle.load": {"file": "@x"},
    "code.interact": {},
    "pdb.set_trace": {},
    "run_cmd": {"cmd_list": ["touch", "CANARY"]},
    "monai.utils.run_cmd": {"cmd_list": ["touch", "CANARY"]},
    "monai.utils.misc.run_cmd": {"cmd_list": ["touch", "CANARY"]},
    "monai.utils.misc.subprocess.run": {"args": ["touch", "CANARY"]},
    "monai.utils.instantiate": {"__path": "os.system", "__mode": "default", "command": TOUCH},
    "monai.utils.module.locate": {"path": "evil"},
    "monai.utils.optional_import": {"module": "evil"},
    "monai.data.utils.os.system": {"command": TOUCH},
    "monai.data.utils.pickle.loads": {"data": "x"},
    "monai.transforms.utils.importlib.import_module": {"name": "evil"},
    "monai.bundle.run": {"config_file": "FOLDER/evil.json"},
    "monai.bundle.scripts.run": {"config_file": "FOLDER/evil.json"},
    "monai.bundle.ConfigParser": {"config": {"a": "$1"}},
    "monai.bundle.ConfigWorkflow": {"config_file": "FOLDER/evil.json"},
    "monai.bundle.download": {"name": "spleen_ct_segmentation"},
    "monai.bundle.load": {"name": "spleen_ct_segmentation"},
    "monai.apps.download_url": {"url": "https://example.org/x", "filepath": "CANARY"},
    "monai.apps.DecathlonDataset": {"root_dir": "FOLDER", "download": True},
    "monai.auto3dseg.utils.run_cmd": {"cmd": TOUCH},
    "monai.fl.client.MonaiAlgo": {"bundle_root": "FOLDER"},
    "monai.losses.PerceptualLoss": {"spatial_dims": 2},
    "monai.handlers.MLFlowHandler": {"tracking_uri": "https://example.org"},
    "monai.networks.layers.gmm.GaussianMixtureModel": {"channel_count": f"1 $$({TOUCH})"},
    "monai.transforms.LoadImage": {"reader": "os.system", "command": TOUCH},
    "LoadImage": {"reader": "os.system", "command": TOUCH},
    "torch.load": {"f": "FOLDER/evil.pt", "weights_only": False},
    "torch.serialization.load": {"f": "FOLDER/evil.pt"},
    "torch.hub.load": {"repo_or_dir": "FOLDER", "model": "evil", "source": "local"},
    "torch.hub.load_state_dict_from_url": {"url": "https://example.org/x.pth"},
    "torch.jit.load": {"f": "FOLDER/evil.ts"},
    "torch.compile": {"model": "@network_def", "options": {"cpp.cxx": ["FOLDER/evil"]}},
    "torch.package.PackageImporter": {"file_or_buffer": "FOLDER/evil.zip"},
    "torch.ops.load_library": {"path": "FOLDER/evil.so"},
    "torch.utils.cpp_extension.load_inline": {"name": "x", "cpp_sources": "int x;"},
    "torch.distributed.launcher.elastic_launch": {"config": "@x", "entrypoint": "touch"},
    "torch.os.system": {"command": TOUCH},
    "torch.nn.os.system": {"command": TOUCH},
    "torch.utils.data.dataloader.os.system": {"command": TOUCH},
    "numpy.load": {"file": "FOLDER/evil.npy", "allow_pickle": True},
    "numpy.ndarray.tofile": {"fid": "CANARY"},
    "ignite.engine.engine.logging.os.system": {"command": TOUCH},
    "ignite.handlers.checkpoint.tempfile.mkstemp": {"dir": "FOLDER"},
    "yaml.unsafe_load": {"stream": f"!!python/object/apply:os.system ['{TOUCH}']"},
    "scripts.evil": {},
    "evil": {},
    "monai_ext.cli.main.main": {"argv": ["bundles", "export", "vlsm", "CANARY"]},
    "monai_ext.bundle.runner.run_segment": {"bundle": "FOLDER"},
    "monai_ext.bundle.api.load": {"name": "FOLDER", "trust": True},
    "monai_ext.weights.fetch.fetch": {"name": "sam-vit-b"},
    "monai_ext.errors.contextlib.suppress": {},
    "monai_ext.bundle.export.shutil.rmtree": {"path": "FOLDER"},
    "Encoder": {},
    "torch.nn.Linear.__init__": {},
    "torch.nn.Module.load_state_dict": {},
    " os.system": {"command": TOUCH},
    "torch.nn.Linear ": {},
    "@loaded": {},
    "%weights": {},
    f"$__import__('os').system('{TOUCH}')": {},
    "$@network_def.load_state_dict": {},
    "": {},
}
"""Arguments by target."""


def _entry(content: dict[str, Any], payload: Any) -> str:
    content["x"] = payload
    return "x"


def _handler(content: dict[str, Any], payload: Any) -> str:
    content["handlers"].append(payload)
    return f"handlers#{len(content['handlers']) - 1}"


def _argument(content: dict[str, Any], payload: Any) -> str:
    content["network_def"]["x"] = payload
    return "network_def#x"


def _required(content: dict[str, Any], payload: Any) -> str:
    content["network_def"]["_requires_"] = ["@device", payload]
    return "network_def#_requires_#1"


def _initialized(content: dict[str, Any], payload: Any) -> str:
    content["initialize"].append(payload)
    return f"initialize#{len(content['initialize']) - 1}"


def _merged(content: dict[str, Any], payload: Any) -> str:
    content["+network_def"] = {"x": payload}
    return "network_def#x"


def _laid_over(content: dict[str, Any], payload: Any) -> str:
    content["preprocessing#transforms#0#x"] = payload
    return "preprocessing#transforms#0#x"


def _deep(content: dict[str, Any], payload: Any) -> str:
    content["x"] = {"a": [{"b": [[payload]]}]}
    return "x#a#0#b#0#0"


def _disabled(content: dict[str, Any], payload: Any) -> str:
    content["inferer"]["_disabled_"] = payload
    return "inferer#_disabled_"


def _described(content: dict[str, Any], payload: Any) -> str:
    content["inferer"]["_desc_"] = payload
    return "inferer#_desc_"


Position = Callable[[dict[str, Any], Any], str]
COMPONENT_POSITIONS: tuple[Position, ...] = (
    *(_entry, _handler, _argument, _required, _initialized, _merged, _laid_over, _deep),
)
TEXT_POSITIONS: tuple[Position, ...] = (*COMPONENT_POSITIONS, _disabled, _described)
FILES = (
    "configs/inference.json",
    "configs/metadata.json",
    "configs/more/other.yaml",
    "configs/TRAIN.YML",
    "x.json",
)


def _placed(position: Position, file: str, payload: Any) -> tuple[dict[str, Any], str]:
    """Files with the payload, and its id."""
    content = deepcopy(INFERENCE if file == FILES[0] else SHORT)
    where = position(content, payload)
    return {file: content}, where


def _targets() -> dict[str, Hostile]:
    found = {}
    for number, (target, arguments) in enumerate(TARGETS.items()):
        for turn in range(2):  # two of the positions each, all of them in turn
            position = COMPONENT_POSITIONS[(2 * number + turn) % len(COMPONENT_POSITIONS)]
            file = FILES[(number + turn) % len(FILES)]
            files, where = _placed(position, file, {"_target_": target, **arguments})
            name = f"target {target!r} {position.__name__[1:]}"
            found[name] = Hostile(files, file, f"{where}#_target_", "the target is")
    return found


# expressions

EXPRESSIONS = {
    f"$__import__('os').system('{TOUCH}')": "calls __import__",
    "$open('CANARY', 'w')": "calls open",
    '$eval(\'open("CANARY", "w")\')': "calls eval",
    '$exec(\'open("CANARY", "w")\')': "calls exec",
    "$compile('1', 'x', 'eval')": "calls compile",
    '$ｅval(\'open("CANARY", "w")\')': "calls eval",
    "$getattr(torch, 'load')('FOLDER/evil.pt')": "calls getattr",
    "$setattr(torch.backends.cudnn, 'benchmark', True)": "calls setattr",
    "$globals()": "calls globals",
    "$vars(@network_def)": "calls vars",
    "$type('X', (), {})": "calls type",
    "$breakpoint()": "calls breakpoint",
    "$input()": "calls input",
    "$print(1)": "calls print",
    "$map(@f, @datalist)": "calls map",
    "$sorted(@datalist, key=@f)": "calls sorted",
    "$max(@datalist, key=@f)": "calls max",
    "$__builtins__": "names __builtins__",
    "$__builtins__['open']('CANARY', 'w')": "names __builtins__",
    "$open": "names open",
    "$torch": "names torch",
    "$import os": "imports os",
    "$import glob": "imports glob",
    "$import torch.distributed as dist": "imports torch.distributed",
    "$from scripts import evil": "imports scripts.evil",
    "$from os import system": "imports os.system",
    "$import evil, os": "imports evil, os",
    "$[open('CANARY', 'w') for _ in [1]]": "holds a comprehension",
    "${open('CANARY', 'w') for _ in [1]}": "holds a comprehension",
    "${1: open('CANARY', 'w') for _ in [1]}": "holds a comprehension",
    "$list(open('CANARY', 'w') for _ in [1])": "holds a comprehension",
    "$lambda x: open('CANARY', 'w')": "holds a lambda",
    "$(lambda: open('CANARY', 'w'))()": "calls what an expression gives",
    "$(x := open)('CANARY', 'w')": "assigns a name",
    '$f\'{open("CANARY", "w")}\'': "holds an f-string",
    '$\'@f{open("CANARY", "w")}\'': "holds an f-string",
    "$(yield)": "holds Yield",
    "$[*@datalist]": "holds Starred",
    "$9 ** 9 ** 9": "raises to a power",
    "$1 << 9999999999": "holds LShift",
    "$().__class__.__base__.__subclasses__()": "calls the method __subclasses__",
    "$@network_def.__class__": "takes the attribute __class__",
    "$@network_def.forward.__globals__['os']": "takes the attribute __globals__",
    "$'{0.__class__}'.format(@network_def)": "calls the method format",
    "$@network_def.apply(@f)": "calls the method apply",
    "$@network_def('x')": "calls what an expression gives",
    "$@f('image', 'os.system')": "calls what an expression gives",
    "$@evaluator.run('touch CANARY')": "calls the method run",
    "$@frame.eval('pd.compat.os.system(\"touch CANARY\")')": "calls the method eval",
    "$@a.numpy().tofile('CANARY')": "calls the method tofile",
    "$@dataset[0].tofile": "takes the attribute tofile",
    "$(@cache.cache_dir / 'x').replace('CANARY')": "calls the method replace",
    "$@evaluator.logger.handlers[0].stream": "takes the attribute stream",
    "$torch.load('FOLDER/evil.pt', weights_only=False)": "calls torch.load",
    "$torch.hub.load('FOLDER', 'evil', source='local')": "calls torch.hub.load",
    "$torch.os.system('touch CANARY')": "calls torch.os.system",
    "$torch.jit.load('FOLDER/evil.ts')": "calls torch.jit.load",
    "$torch.backends.cudnn": "names torch.backends.cudnn",
    "$monai.utils.run_cmd(['touch', 'CANARY'])": "calls monai.utils.run_cmd",
    "$monai.bundle.run(config_file='FOLDER/evil.json')": "calls monai.bundle.run",
    "$monai.transforms.LoadImage('os.system')": "calls monai.transforms.LoadImage",
    "$monai.utils.module.os": "names monai.utils.module.os",
    "$np.load('FOLDER/evil.npy', allow_pickle=True)": "calls np.load",
    "$numpy.ones(1).tofile('CANARY')": "calls the method tofile",
    "$np.lib.npyio.os.system('touch CANARY')": "calls np.lib.npyio.os.system",
    "$@#x": "refers to an entry relative to its own",
    "$1 + @::x": "refers to an entry relative to its own",
    "$__local_refs.update": "names __local_refs",
    "$x = 1": "is a statement",
    "$1; open('CANARY', 'w')": "is a statement",
    "$1\nimport os": "imports os",
    "$del x": "is a statement",
    "$": "is a statement",
    "$ open('CANARY', 'w')": "is no Python expression",
    "$open('CANARY'": "is no Python expression",
    "$@device@": "is no Python expression",
    "$" + "(" * 500 + ")" * 500: "is no Python expression",
    "$" + "1+" * 1500 + "1": "is longer than",
}
"""Faults by expression."""


def _expressions() -> dict[str, Hostile]:
    found = {}
    for number, (text, fault) in enumerate(EXPRESSIONS.items()):
        for turn in range(2):
            position = TEXT_POSITIONS[(2 * number + turn) % len(TEXT_POSITIONS)]
            file = FILES[(number + turn) % len(FILES)]
            files, where = _placed(position, file, text)
            name = f"expression {number} {text[:40]!r} {position.__name__[1:]}"
            found[name] = Hostile(files, file, where, f"the expression {fault}")
    return found


# what is neither a target nor an expression

_LOAD = "preprocessing#transforms#0"
_CODE = {"x": {"_target_": "os.system", "command": TOUCH}}
CHANGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "mode debug": ({"network_def#_mode_": "debug"}, "network_def#_mode_", "the mode is 'debug'"),
    "mode with a blank": ({"network_def#_mode_": " debug"}, "network_def#_mode_", "the mode is ' debug'"),
    "mode by reference": ({"m": "debug", "x": {"_mode_": "@m"}}, "x#_mode_", "the mode is '@m'"),
    "debug flag": ({"network_def#_debug_": True}, "network_def#_debug_", "none of MONAI's"),
    "unknown mark": ({"x": {"_wrapper_": "os.system"}}, "x#_wrapper_", "none of MONAI's"),
    "target of a part": ({"x#_target_#0": "os.system"}, "x#_target_#0", "put into _target_"),
    "target that is a list": ({"x": {"_target_": ["os.system"]}}, "x#_target_", "the target is"),
    "target that is a component": ({"x": {"_target_": {"_target_": "eval"}}}, "x#_target_", "the target is"),
    "target that is nothing": ({"x": {"_target_": None}}, "x#_target_", "the target is None"),
    "target laid over": (
        {"network_def": {"_target_": "torch.nn.ReLU"}, "network_def#_target_": "os.system"},
        *("network_def#_target_", "the target is 'os.system'"),
    ),
    "target by ::": ({"network_def::_target_": "os.system"}, "network_def#_target_", "the target is"),
    "target merged": ({"+network_def": {"_target_": "os.system"}}, "network_def#_target_", "the target is"),
    "whole configuration": ({"_target_": "os.system", "command": TOUCH}, "_target_", "the target is"),
    "reader": (
        {f"{_LOAD}#reader": "os.system", f"{_LOAD}#command": TOUCH},
        f"{_LOAD}#reader",
        "the reader is",
    ),
    "reader in a list": ({"x": {"reader": ["ITKReader", "evil"]}}, "x#reader", "the reader is"),
    "reader in a list laid over": ({f"{_LOAD}#reader#0": "os.system"}, f"{_LOAD}#reader#0", "the reader is"),
    "reader by reference": ({"r": "os.system", "x": {"reader": "@r"}}, "x#reader", "the reader is '@r'"),
    "reader by macro": ({"r": "os.system", "x": {"reader": "%r"}}, "x#reader", "the reader is '%r'"),
    "reader by expression": ({"x": {"reader": "$'os' + '.system'"}}, "x#reader", "the reader is"),
    "reader of lower case": ({"x": {"reader": "evil"}}, "x#reader", "the reader is 'evil'"),
    "writer": ({"x": {"_target_": "SaveImaged", "writer": "evil"}}, "x#writer", "the writer is"),
    "merger": (
        {"x": {"_target_": "PatchInferer", "merger_cls": "evil.M"}},
        "x#merger_cls",
        "the merger_cls is",
    ),
    "pickled arrays": ({"x": {"_target_": "NumpyReader", "allow_pickle": True}}, "x#allow_pickle", "can run"),
    "pickled cache": ({"x": {"weights_only": False}}, "x#weights_only", "weights_only is False"),
    "pickled cache as text": ({"x": {"weights_only": ""}}, "x#weights_only", "weights_only is ''"),
    "pickled cache by reference": ({"w": False, "x": {"weights_only": "@w"}}, "x#weights_only", "is '@w'"),
    "module for pickling": ({"x": {"pickle_module": "evil"}}, "x#pickle_module", "pickle_module is"),
    "remote code": (
        {"x": {"tokenizer_kwargs": {"trust_remote_code": True}}},
        *("x#tokenizer_kwargs#trust_remote_code", "trust_remote_code is True"),
    ),
    "classes of remote code": (
        {"x": {"hf_config": {"auto_map": {"AutoConfig": "evil.C"}}}},
        *("x#hf_config#auto_map", "auto_map is"),
    ),
    "compiler": (
        {"evaluator#compile_kwargs": {"options": {"cpp.cxx": ["FOLDER/evil"]}}},
        *("evaluator#compile_kwargs", "compile_kwargs is"),
    ),
    "compiler laid over": (
        {"evaluator#compile_kwargs#options": {"cpp.cxx": ["FOLDER/evil"]}},
        *("evaluator#compile_kwargs#options", "put into compile_kwargs"),
    ),
    "download": ({"x": {"_target_": "DenseNet121", "pretrained": True}}, "x#pretrained", "downloaded"),
    "download by reference": ({"p": True, "x": {"pretrained": "@p"}}, "x#pretrained", "downloaded"),
    "download from": (
        {"x": {"pretrained_url": "https://example.org/x"}},
        "x#pretrained_url",
        "can run or fetch",
    ),
    "macro of another file": ({"x": "%FOLDER/evil.json#x"}, "x", "from outside the bundle"),
    "macro above": ({"x": "%../evil.json#x"}, "x", "from outside the bundle"),
    "macro above from within": ({"x": "%configs/../../evil.json#x"}, "x", "from outside the bundle"),
    "macro of a missing file": ({"x": "%configs/no.json#x"}, "x", "from outside the bundle"),
    "macro of an address": ({"x": "%https://example.org/x.yaml#x"}, "x", "from outside the bundle"),
    "macro in capitals": ({"x": "%FOLDER/evil.JSON"}, "x", "from outside the bundle"),
    "macro in a list": ({"x": [["%/etc/x.yml::a"]]}, "x#0#0", "from outside the bundle"),
    "macro of a broken line": ({"x": "%a\nFOLDER/evil.json"}, "x", "from outside the bundle"),
    "macro without a name": ({"x": "%\x00.json"}, "x", "from outside the bundle"),
    "macro made of keys": ({"FOLDER/evil.json": {"a": "%#x"}}, "FOLDER/evil.json", "looks like a file"),
    "code in a key": (
        {"a": 1, "b": {"z": 2}, "a + open('CANARY', 'w').fileno() + @b": {"z": 3, "y": "$@#z"}},
        *("a + open('CANARY', 'w').fileno() + @b#y", "refers to an entry relative"),
    ),
    "key that is code": ({"x": {"$open('CANARY', 'w')": 1}}, "x#$open('CANARY', 'w')", "a mark of MONAI's"),
    "key that is a reference": ({"x": {"@device": 1}}, "x#@device", "a mark of MONAI's"),
    "key that is a macro": ({"x": {"%device": 1}}, "x#%device", "a mark of MONAI's"),
    "inner key of several parts": ({"x": {"a#_target_": 1}}, "x#a#_target_", "a mark of MONAI's"),
}
"""Entries laid over inference.json, the id of the finding, and words of it."""

TEXTS: dict[str, tuple[str, str, str]] = {
    "no JSON": ("configs/x.json", '{"a": 1', "is no JSON"),
    "two JSON texts": ("configs/x.json", "{} {}", "is no JSON"),
    "deep JSON": ("configs/x.json", "[" * 100_000, "is no JSON"),
    "rather deep JSON": ("configs/x.json", '{"a": ' + "[" * 60 + "]" * 60 + "}", "more than 50 levels deep"),
    "key twice": ("configs/x.json", '{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' twice"),
    "large": ("configs/x.json", json.dumps({"a": "x" * (1 << 20)}), "larger than 1 MiB"),
    "no YAML": ("configs/x.yaml", "a: [", "is no YAML"),
    "two YAML documents": ("configs/x.yaml", "a: 1\n---\nb: 2\n", "is no YAML"),
    "YAML key twice": ("configs/x.yaml", "a: 1\na: 2\n", "the key 'a' twice"),
    "YAML alias": ("configs/x.yaml", "a: &a [1]\nb: *a\n", "holds an alias"),
    "YAML that grows": (
        "configs/x.yaml",
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30)),
        "holds an alias",
    ),
    "YAML that holds itself": ("configs/x.yaml", "a: &a [*a]\n", "holds an alias"),
    "YAML merge key": ("configs/x.yaml", "a: &a {b: 1}\nc: {<<: *a}\n", "holds an alias"),
    "YAML object": (
        "configs/x.yaml",
        f"a: !!python/object/apply:os.system ['{TOUCH}']\n",
        "holds the tag tag:yaml.org,2002:python/object/apply:os.system",
    ),
    "YAML set": ("configs/x.yml", "a: !!set {b}\n", "holds the tag"),
    "YAML bytes": ("configs/x.yml", "a: !!binary JG9wZW4=\n", "holds the tag"),
    "deep YAML": ("configs/x.yaml", "[" * 60 + "]" * 60, "more than 50 levels"),
    "YAML of unhashable keys": ("configs/x.yaml", "? [a]\n: 1\n", "is no YAML"),
    "code": ("configs/evil.py", "open('CANARY', 'w')", "is code"),
    "package": ("scripts/__init__.py", "open('CANARY', 'w')", "is code"),
    "code in capitals": ("EVIL.PYC", "", "is code"),
    "library": ("evil.cpython-311-x86_64-linux-gnu.so", "", "is code"),
    "path file": ("evil.pth", "import evil", "is code"),
    "shell": ("docs/run.sh", "touch CANARY", "is code"),
    "notebook": ("docs/x.ipynb", "{}", "is code"),
    "TorchScript": ("models/model.ts", "", "is code"),
    "pickle": ("models/scaler.pkl", "", "is code"),
    "large file without hash": (
        "large_files.yml",
        "large_files:\n- {path: models/model.pt, url: 'https://example.org/x'}\n",
        "its hash is missing",
    ),
    "large file of a short hash": (
        "large_files.yaml",
        "large_files:\n- {path: a.pt, url: 'https://e.org/x', hash_type: sha256, hash_val: '12'}\n",
        "its hash is missing",
    ),
    "large file by http": (
        "large_files.json",
        json.dumps(
            {
                "large_files": [
                    {"path": "a.pt", "url": "http://e.org/x", "hash_type": "md5", "hash_val": "0" * 32}
                ]
            }
        ),
        "the url is 'http://e.org/x'",
    ),
    "large file outside": (
        "large_files.yml",
        "large_files:\n- {path: ../x.pt, url: 'https://e.org/x', hash_type: md5, hash_val: 00000000000000000000000000000000}\n",
        "the path is '../x.pt'",
    ),
    "large file of code": (
        "large_files.yml",
        f"large_files:\n- {{path: scripts/x.py, url: 'https://e.org/x', hash_type: md5, hash_val: {'a' * 32}}}\n",
        "'scripts/x.py' is code",
    ),
}
"""File, its text, and words of the finding."""


def _logging(handler: str, formatter: str = "") -> str:
    return (
        "[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=f\n[logger_root]\nlevel=INFO\nhandlers=h\n"
        f"[handler_h]\nformatter=f\n{handler}\n[formatter_f]\nformat=%(message)s\n{formatter}\n"
    )


LOGGING: dict[str, tuple[str, str]] = {
    "class that is called": (
        _logging("class=__import__('os').system('touch CANARY')\nargs=()"),
        "the class is",
    ),
    "class of another library": (
        _logging("class=subprocess.Popen\nargs=(['touch', 'CANARY'],)"),
        "the class is",
    ),
    "class that connects": (_logging("class=handlers.SocketHandler\nargs=('e.org', 80)"), "the class is"),
    "arguments that are called": (
        _logging("class=StreamHandler\nargs=(open('CANARY', 'w'),)"),
        "is more than values",
    ),
    "keywords that are called": (
        _logging("class=StreamHandler\nargs=()\nkwargs={'stream': open('CANARY', 'w')}"),
        "is more than values",
    ),
    "arguments that are filled in": (
        _logging("class=FileHandler\nargs=('%(a)s',)\na='+str(open('CANARY', 'w'))+'"),
        "is more than values",
    ),
    "class that is filled in": (_logging("class=%(a)s\na=open('CANARY', 'w')\nargs=()"), "the class is"),
    "class by default": ("[DEFAULT]\nclass=open('CANARY', 'w')\n" + _logging("args=()"), "the class is"),
    "formatter": (_logging("class=StreamHandler\nargs=()", "class=evil.Formatter"), "the class is"),
    "stream that is called": (
        _logging("class=StreamHandler\nargs=(sys.stdout.write('x'),)"),
        "more than values",
    ),
    "file outside": (_logging("class=FileHandler\nargs=('CANARY', 'w')"), "leads outside the bundle"),
    "file above": (_logging("class=FileHandler\nargs=('a/../../x', 'w')"), "leads outside the bundle"),
    "no configuration": ("class=StreamHandler", "is no configuration of logging"),
    "endless filling in": (_logging("class=%(class)s\nargs=()"), "is no configuration of logging"),
}
"""Content of logging.conf, and words of the finding."""


def _others() -> dict[str, Hostile]:
    inference = "configs/inference.json"
    found = {
        name: Hostile({inference: {**INFERENCE, **changes}}, inference, where, fault)
        for name, (changes, where, fault) in CHANGES.items()
    }
    found |= {name: Hostile({file: text}, file, "", fault) for name, (file, text, fault) in TEXTS.items()}
    for name, (text, fault) in LOGGING.items():
        found[f"logging {name}"] = Hostile({"configs/logging.conf": text}, "configs/logging.conf", "", fault)
    return found


HOSTILE: dict[str, Hostile] = {**_targets(), **_expressions(), **_others()}
