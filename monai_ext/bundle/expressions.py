"""What a ``$`` expression of a configuration may say. Its syntax tree decides; nothing is evaluated.

MONAI hands the text behind ``$`` to ``eval`` with all builtins, ``torch``, ``monai`` and ``numpy`` in sight, so what
is not listed here is refused: a list of what is dangerous would never be whole.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

LONGEST = 2000
"""Characters of an expression."""
BUILTINS = (
    *("abs", "all", "any", "bool", "dict", "enumerate", "float", "int", "len", "list", "max", "min", "range"),
    *("round", "set", "sorted", "str", "sum", "tuple", "zip"),
)
CALLS = (
    *("torch.device", "torch.tensor", "torch.ones", "torch.zeros"),
    *("torch.cuda.is_available", "torch.cuda.is_bf16_supported", "torch.cuda.device_count"),
    *("torch.distributed.is_available", "torch.distributed.is_initialized"),
    *("torch.distributed.get_rank", "torch.distributed.get_world_size"),
    *("monai.data.load_decathlon_datalist", "monai.data.partition_dataset"),
    *("monai.handlers.from_engine", "monai.utils.first", "monai.utils.set_determinism"),
)
METHODS = (
    *("run", "parameters", "named_parameters", "state_dict", "load_state_dict", "to", "cpu", "eval", "train"),
    *("half", "float", "item", "tolist", "items", "keys", "values", "get", "split", "join", "startswith"),
    *("endswith", "lower", "upper", "strip", "count", "index", "set_epoch", "set_random_state"),
)
"""No method that writes: an array can write its bytes into any file, a path can be renamed to any other."""
WITHOUT_ARGUMENTS = ("run", "eval")
"""What other libraries' methods of these names are given is run."""
ATTRIBUTES = (
    *("dataset", "ema_model", "image_size", "mask_size", "module", "network"),
    *("shape", "ndim", "dtype", "device", "type"),
)
STRICT_CALLS = ("len",)
STRICT_METHODS = ("run", "parameters", "named_parameters", "state_dict", "to")

_VALUES = re.compile(
    r"torch\.(float|double|half|bfloat16|int|long|short|bool|u?int(8|16|32|64)|float(16|32|64))"
    r"|(np|numpy)\.(bool_|u?int(8|16|32|64)|float(16|32|64)|pi|inf|nan)"
    r"|monai\.utils\.(enums\.)?[A-Z][A-Za-z]+\.[A-Z][A-Z_0-9]*"
    r"|monai\.data\.(utils\.)?(no_collation|list_data_collate|decollate_batch)"
)
_NODES = (
    *(ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Slice),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod),
    *(ast.UnaryOp, ast.UAdd, ast.USub, ast.Not, ast.Invert, ast.BoolOp, ast.And, ast.Or, ast.IfExp),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn),
    *(ast.Load, ast.keyword),
)
_KNOWN = {
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), "holds a comprehension"),
    ast.Lambda: "holds a lambda",
    ast.NamedExpr: "assigns a name",
    ast.JoinedStr: "holds an f-string",
    ast.Pow: "raises to a power",
}
_REFERENCE = re.compile(r"@\w*(?:::\w*)*")  # as monai.bundle.ReferenceResolver has it
_REFERENCES = "__local_refs"  # the name that MONAI gives the dictionary of what references stand for


def expression_faults(text: str, strict: bool = False) -> list[str]:
    """What an expression says that it may not, each a piece of a sentence such as "imports glob"; [] if nothing.

    Args:
        text: with its ``$``.
        strict: refuse every call but of :data:`STRICT_CALLS` and :data:`STRICT_METHODS`, and every index that is
            not written out.
    """
    if len(text) > LONGEST:
        return [f"is longer than {LONGEST} characters"]
    if re.search(r"[@%](#|::)", text):
        # MONAI writes keys of the configuration into the text instead, and a key may hold anything
        return ["refers to an entry relative to its own"]
    try:
        statements = ast.parse(_as_python(text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ["is no Python expression"]
    if len(statements) == 1 and isinstance(statements[0], ast.Expr):
        return list(dict.fromkeys(_faults(statements[0].value, strict)))
    imported = [
        name.name if isinstance(one, ast.Import) else f"{one.module}.{name.name}"
        for one in statements
        if isinstance(one, (ast.Import, ast.ImportFrom))
        for name in one.names
    ]
    return [f"imports {', '.join(imported)}"] if imported else ["is a statement, not an expression"]


def _as_python(text: str) -> str:
    """The text that MONAI evaluates, where ``@a#b`` has become an item of a dictionary.

    The replacement is MONAI's, inside quotes too: there ``'@f{x}'`` becomes ``'__local_refs['f']{x}'``, an f-string
    behind a string, which a look at the text as it is written would miss.
    """
    code = text.removeprefix("$").replace("#", "::")
    for reference in sorted(_REFERENCE.findall(code), key=len, reverse=True):
        code = code.replace(reference, f"{_REFERENCES}['{reference[1:]}']")
    return code


def _faults(root: ast.expr, strict: bool) -> Iterator[str]:
    waiting: list[ast.AST] = [root]
    while waiting:
        node = waiting.pop()
        children: list[ast.AST] = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Call):
            fault, children = _call(node, strict)
        elif isinstance(node, ast.Subscript):
            fault = (
                "takes an index that is not written out" if strict and not _written_out(node.slice) else ""
            )
            if _is_name(node.value, _REFERENCES):
                children = [node.slice]
        elif isinstance(node, ast.Attribute):
            fault, children = _attribute(node)
        elif isinstance(node, ast.Name):
            fault, children = f"names {node.id}", []
        elif isinstance(node, _NODES):
            fault = ""
        else:
            fault, children = _KNOWN.get(type(node), f"holds {type(node).__name__}"), []
        if fault:
            yield fault
        waiting += reversed(children)


def _call(node: ast.Call, strict: bool) -> tuple[str, list[ast.AST]]:
    """The fault of a call itself, and what else of it is to be looked at."""
    called, arguments = node.func, [*node.args, *node.keywords]
    if isinstance(called, ast.Name):
        known = called.id in (STRICT_CALLS if strict else BUILTINS)
        # a key= would be called with what is in a list
        named = node.keywords and called.id != "dict"
        return f"calls {called.id}" if not known or named else "", list(arguments)
    if isinstance(called, ast.Attribute):
        if (name := _dotted(called)) is not None:  # of a module, not of a reference
            return f"calls {name}" if strict or name not in CALLS else "", list(arguments)
        methods: Collection[str] = STRICT_METHODS if strict else METHODS
        known = called.attr in methods and not (called.attr in WITHOUT_ARGUMENTS and arguments)
        return "" if known else f"calls the method {called.attr}", [called.value, *arguments]
    return "calls what an expression gives", [called, *arguments]


def _attribute(node: ast.Attribute) -> tuple[str, list[ast.AST]]:
    if (name := _dotted(node)) is not None:
        return "" if _VALUES.fullmatch(name) else f"names {name}", []
    return "" if node.attr in ATTRIBUTES else f"takes the attribute {node.attr}", [node.value]


def _dotted(node: ast.expr) -> str | None:
    """``torch.cuda.is_available`` of names and dots only, else None."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else None


def _written_out(index: ast.expr) -> bool:
    allowed = (ast.Constant, ast.Slice, ast.UnaryOp, ast.USub, ast.Tuple, ast.Load)
    return all(isinstance(node, allowed) for node in ast.walk(index))


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
