"""The program in a ``.pt2`` archive, copied part by part into one that is safe to load.

PyTorch's loader looks operators and types up by any name, evaluates size expressions, runs guard
code, imports modules that the program names, and writes names of values into the Python that it
compiles.  Only what is listed here is copied: ATen operators, plain expressions, plain names,
tensors by shape; so what the loader sees can do no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from assay.errors import UnreadableModel
from assay.formats._torch_sizes import safe_expression

CPU = {"type": "cpu", "index": None}  # where the program ran does not matter
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims)\.(?!__)\w+\.(?!__)\w+"
    r"|torch\.ops\.aten\.__(and|or|xor|lshift|rshift)__\.(?!__)\w+"
    r"|torch\.ops\.quantized_decomposed\.(de)?quantize_per_(tensor|channel|token)(_group)?"
    r"\.(default|tensor|tensor2)"
    r"|torch\.ops\.higher_order\.(cond|while_loop|scan|map_impl|invoke_subgraph"
    r"|wrap_with_set_grad_enabled|wrap_with_autocast)"
    r"|torch\.sym_(int|float|max|min|not|ite|sqrt|sum)"
    r"|math\.(ceil|floor|trunc)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_)"
)
_PLAIN = re.compile(  # kinds of arguments that are tensors' names, numbers or text
    r"as_(none|(optional_|nested_)?tensors?|ints?|floats?|strings?|bools?|complex"
    r"|sym_(int|float|bool)s?|(int|float)_lists|scalar_type|layout|memory_format)"
)
_PATH = re.compile(r"(?!__)[^.\"'\\]+(\.(?!__)[^.\"'\\]+)*")  # a parameter's, from the module on
_NO_KEYWORDS = '{"type": "builtins.dict", "context": "[]", "children_spec": []}'
_LEAF = '{"type": null, "context": null, "children_spec": []}'

Json = Any


def safe_program(data: Json) -> Json:
    """The program with what is needed to follow it.  Raises UnreadableModel for anything else."""
    module = data["graph_module"]
    graph, signature = _graph(module["graph"]), module["signature"]
    specs = {
        kind: [_spec(spec) for spec in signature[kind]] for kind in ("input_specs", "output_specs")
    }
    _leave_out_numbers(graph, specs)
    inputs = [_first_name(spec) for spec in specs["input_specs"] if spec.keys() & _GIVEN]
    outputs = sum("user_output" in spec for spec in specs["output_specs"])
    call: Json = {
        "inputs": [],
        "outputs": [],
        "in_spec": f"[1, {_tuple(_tuple(*[_LEAF] * len(inputs)), _NO_KEYWORDS)}]",
        "out_spec": f"[1, {_tuple(*[_LEAF] * outputs)}]",
        "forward_arg_names": inputs if all(inputs) else None,
    }
    return {
        "graph_module": {
            "graph": graph,
            "signature": specs,
            "module_call_graph": [{"fqn": "", "signature": call}],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "opset_version": {"aten": int(data["opset_version"]["aten"])},
        "range_constraints": {
            str(name): {key: _number(limits[key]) for key in ("min_val", "max_val")}
            for name, limits in data["range_constraints"].items()
        },
        "schema_version": {key: int(data["schema_version"][key]) for key in ("major", "minor")},
        "verifiers": ["TRAINING"],
        "torch_version": str(data.get("torch_version", ""))[:40],
        "guards_code": [],
    }


def _leave_out_numbers(graph: Json, specs: Json) -> None:
    """Results that are no tensors are none of the network, and the exporter takes none."""
    pairs = [
        (output, spec)
        for output, spec in zip(graph["outputs"], specs["output_specs"], strict=True)
        if "as_tensor" in output or "user_output" not in spec
    ]
    graph["outputs"] = [output for output, _ in pairs]
    specs["output_specs"] = [spec for _, spec in pairs]


def safe_tensor(meta: Json) -> Json:
    """A tensor's type."""
    return {
        "dtype": int(meta["dtype"]),
        "sizes": [_size(size) for size in meta["sizes"]],
        "requires_grad": False,
        "device": CPU,
        "strides": [_size(stride) for stride in meta["strides"]],
        "storage_offset": _size(meta["storage_offset"]),
        "layout": int(meta["layout"]),
    }


def safe_path(name: Json) -> str:
    """A parameter's name.  PyTorch writes it into code, quoted where it is no identifier."""
    if not isinstance(name, str) or not name.isprintable() or not _PATH.fullmatch(name):
        raise UnreadableModel(f"a parameter is named {str(name)[:80]!r}, which is no plain name")
    return name


def _safe_name(name: Json) -> str:
    """The name of a value.  PyTorch writes it into code as it is."""
    if not isinstance(name, str) or not name.isidentifier():
        raise UnreadableModel(f"a value is named {str(name)[:80]!r}, which is no plain name")
    return name


def _check_names(part: Json) -> None:
    """Raises UnreadableModel unless all names in it are plain, of values and of parameters."""
    for kind, name in _names(part):
        _safe_name(name) if kind in _OF_VALUES else safe_path(name)


def _first_name(part: Json) -> str | None:
    return next((str(name) for _, name in _names(part)), None)


def _names(part: Json) -> Iterator[tuple[str, Json]]:
    """All names in it, with the keys that say what they name."""
    pairs = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in pairs:
        if str(key).endswith("name"):
            yield str(key), value
        elif isinstance(value, dict | list):
            yield from _names(value)


_OF_VALUES = ("name", "as_name", "user_input_name")
_GIVEN = {"user_input", "constant_input"}  # what the caller gives to the program


def _tuple(*children: str) -> str:
    listed = ", ".join(children)
    return f'{{"type": "builtins.tuple", "context": "null", "children_spec": [{listed}]}}'


def _graph(graph: Json) -> Json:
    if graph.get("custom_obj_values"):
        raise UnreadableModel("it holds objects that are no tensors")
    values: dict[str, Callable[[Json], Json]] = {
        "tensor_values": safe_tensor,
        "sym_int_values": _size,
        "sym_float_values": _size,
        "sym_bool_values": _size,
    }
    return {
        "inputs": [_argument(argument) for argument in graph["inputs"]],
        "outputs": [_argument(argument) for argument in graph["outputs"]],
        "nodes": [_node(node) for node in graph["nodes"]],
        "is_single_tensor_return": bool(graph.get("is_single_tensor_return", False)),
        "custom_obj_values": {},
        **{
            kind: {str(name): safe(value) for name, value in graph.get(kind, {}).items()}
            for kind, safe in values.items()
        },
    }


def _node(node: Json) -> Json:
    single = node.get("is_hop_single_tensor_return")
    return {
        "target": _operator(node["target"]),
        "inputs": [
            {
                "name": _safe_name(given["name"]) if given["name"] else "",
                "arg": _argument(given["arg"]),
                "kind": _number(given.get("kind")),
            }
            for given in node["inputs"]
        ],
        "outputs": [_argument(argument) for argument in node["outputs"]],
        "metadata": {},  # names of classes and functions that would be looked up
        "is_hop_single_tensor_return": single if isinstance(single, bool) else None,
        "name": _safe_name(node["name"]) if node.get("name") else None,
    }


def _argument(argument: Json) -> Json:
    ((kind, value),) = argument.items()
    if kind == "as_device":
        return {kind: CPU}
    if kind == "as_operator":
        return {kind: _operator(value)}
    if kind == "as_graph":
        return {kind: {"name": _safe_name(value["name"]), "graph": _graph(value["graph"])}}
    if not _PLAIN.fullmatch(kind):
        raise UnreadableModel(f"an operator reads {str(kind)[:40]!r}, which is no tensor or number")
    _check_names(argument)
    return argument


def _spec(spec: Json) -> Json:
    """What an input or output of the graph stands for, such as a parameter."""
    ((kind, value),) = spec.items()
    if not _SPECS.fullmatch(kind):
        raise UnreadableModel(f"its signature has {str(kind)[:40]!r}, which is no tensor or number")
    _check_names(spec)
    return {kind: {**value, "arg": _argument(value["arg"])} if kind in _USERS else value}


_USERS = ("user_input", "user_output")
_SPECS = re.compile(
    r"user_(input|output)|parameter|buffer|tensor_constant|constant_input|token|loss_output"
    r"|(buffer|user_input|parameter)_mutation|gradient_to_(parameter|user_input)"
)


def _operator(target: Json) -> str:
    if not isinstance(target, str) or not _OPERATOR.fullmatch(target):
        raise UnreadableModel(f"it calls {str(target)[:80]!r}, which is no ATen operator")
    return target


def _size(size: Json) -> Json:
    """A number, or an expression that the loader will evaluate."""
    ((kind, value),) = size.items()
    if kind != "as_expr":
        return {str(kind): _number(value)}
    hint = value.get("hint")
    if hint is not None:
        ((hint_kind, number),) = hint.items()
        hint = {str(hint_kind): _number(number)}
    return {kind: {"expr_str": safe_expression(value["expr_str"]), "hint": hint}}


def _number(value: Json) -> int | float | bool | None:
    if value is None or isinstance(value, int | float):
        return value
    raise UnreadableModel(f"a number is {str(value)[:40]!r}")
