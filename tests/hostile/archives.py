"""PyTorch archives that would run code, or that are none.

Each canary, were it executed, would make the file ``canary`` beside the archive.
"""

from __future__ import annotations

import copy
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile.building import attack

CANARY = "canary"
META = {
    "dtype": 7,
    "sizes": [{"as_int": 1}, {"as_int": 3}],
    "requires_grad": False,
    "device": {"type": "cpu", "index": None},
    "strides": [{"as_int": 3}, {"as_int": 1}],
    "storage_offset": {"as_int": 0},
    "layout": 7,
}
LEAF = {"type": None, "context": None, "children_spec": []}
ENDS = {"in": {"as_tensor": {"name": "x"}}, "out": {"as_tensor": {"name": "relu"}}}
NODE = {
    "target": "torch.ops.aten.relu.default",
    "inputs": [{"name": "self", "arg": ENDS["in"], "kind": 1}],
    "outputs": [ENDS["out"]],
    "metadata": {"nn_module_stack": "", "torch_fn": "relu_1;builtin_function_or_method.relu"},
    "is_hop_single_tensor_return": None,
    "name": "relu",
}


def _tuple(*children: Any) -> Any:
    return {"type": "builtins.tuple", "context": "null", "children_spec": list(children)}


def program() -> Any:
    """What torch.export writes of ``relu(x)``."""
    nothing = {"type": "builtins.dict", "context": "[]", "children_spec": []}
    graph = {
        "inputs": [ENDS["in"]],
        "outputs": [ENDS["out"]],
        "nodes": [NODE],
        "tensor_values": {"x": META, "relu": META},
        "sym_int_values": {},
        "sym_bool_values": {},
        "is_single_tensor_return": False,
        "custom_obj_values": {},
        "sym_float_values": {},
    }
    call = {
        "inputs": [],
        "outputs": [],
        "in_spec": json.dumps([1, _tuple(_tuple(LEAF), nothing)]),
        "out_spec": json.dumps([1, LEAF]),
        "forward_arg_names": ["x"],
    }
    module = {
        "graph": graph,
        "signature": {
            "input_specs": [{"user_input": {"arg": ENDS["in"]}}],
            "output_specs": [{"user_output": {"arg": ENDS["out"]}}],
        },
        "module_call_graph": [{"fqn": "", "signature": call}],
        "metadata": {},
        "treespec_namedtuple_fields": {},
    }
    whole = {
        "graph_module": module,
        "opset_version": {"aten": 10},
        "range_constraints": {},
        "schema_version": {"major": 8, "minor": 20},
        "verifiers": ["TRAINING"],
        "torch_version": "2.13.0",
        "guards_code": [],
    }
    return copy.deepcopy(whole)


def archive(folder: Path, data: Any, members: dict[str, str | bytes] | None = None) -> Path:
    """An archive around a program; ``members`` add to the usual ones, or replace them."""
    usual: dict[str, str | bytes] = {
        "archive_format": "pt2",
        "archive_version": "0",
        "byteorder": "little",
        ".data/version": "6\n",
        "models/model.json": data if isinstance(data, str | bytes) else json.dumps(data),
        "data/weights/model_weights_config.json": '{"config": {}}',
        "data/constants/model_constants_config.json": '{"config": {}}',
        "data/sample_inputs/model.pt": pickled(folder),
    }
    path = folder / "hostile.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in {**usual, **(members or {})}.items():
            out.writestr(f"hostile/{name}", content)
    return path


class _Canary:
    def __init__(self, folder: Path) -> None:
        self.path = str(folder / CANARY)

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def pickled(folder: Path) -> bytes:
    """A pickle that makes the canary where it is loaded."""
    return pickle.dumps(_Canary(folder))


def config(kind: str, **entry: Any) -> dict[str, str | bytes]:
    """The list of weights or constants with one entry."""
    whole = {"path_name": "weight_0", "is_param": False, "use_pickle": False, "tensor_meta": META}
    listed = json.dumps({"config": {"w": {**whole, **entry}}})
    return {f"data/{kind}/model_{kind}_config.json": listed}


def _changed(error: str, change: Callable[[Any, Path], None], name: str) -> None:
    """An attack by a program that differs in one place."""

    def make(folder: Path) -> Path:
        data = program()
        change(data, folder)
        return archive(folder, data)

    make.__name__ = f"archive_{name}"
    attack(error)(make)


def _first_node(data: Any) -> Any:
    return data["graph_module"]["graph"]["nodes"][0]


def _calling(name: str, target: str) -> None:
    _changed("no ATen operator", lambda d, _: _first_node(d).update(target=target), name)


_calling("that_calls_the_hub", "torch.hub.load")
_calling("that_calls_a_shell", "torch.os.system")
_calling("that_calls_the_loader", "torch.serialization.load")
_calling("that_calls_a_class_of_an_operator", "torch.ops.aten.__class__.mro")
_calling("that_calls_the_globals_of_an_operator", "torch.ops.aten.relu.__init__.__globals__.clear")
_calling("that_loads_a_library", "torch.ops.load_library")
_calling("that_runs_kernels", "torch.ops.higher_order.triton_kernel_wrapper_mutation")
_calling("that_calls_an_extension", "#executorch:evil")
_calling("that_calls_nothing", "")


def _sized(name: str, expression: Any) -> None:
    def change(data: Any, folder: Path) -> None:
        text = expression(folder) if callable(expression) else expression
        size = {"as_expr": {"expr_str": text, "hint": {"as_int": 3}}}
        data["graph_module"]["graph"]["sym_int_values"]["s0"] = size

    _changed("no plain expression", change, f"with_a_size_{name}")


_sized("that_opens_a_file", lambda folder: f"open({str(folder / CANARY)!r}, 'w')")
_sized("that_imports", "__import__('os').system('true')")
_sized("that_looks_up_attributes", "s0.__class__.__base__")
_sized("that_is_a_power_tower", "9**9**9**9")
_sized("that_is_a_tower_of_powers", "((((9**9)**9)**9)**9)**9")
_sized("that_is_long", "1+" * 100_000 + "1")
_sized("that_is_a_lambda", "(lambda: 1)()")
_sized("that_is_no_text", 7)


@attack("no tensor or number")
def archive_that_reads_an_object(folder: Path) -> Path:
    data = program()
    custom = {"as_custom_obj": {"name": "o", "class_fqn": "os.system"}}
    _first_node(data)["inputs"][0]["arg"] = custom
    return archive(folder, data)


@attack("objects that are no tensors")
def archive_that_holds_objects(folder: Path) -> Path:
    data = program()
    data["graph_module"]["graph"]["custom_obj_values"] = {"o": {"name": "o", "class_fqn": "os"}}
    return archive(folder, data)


@attack("pickled objects")
def archive_with_pickled_weights(folder: Path) -> Path:
    pickles = {"data/weights/weight_0": pickled(folder)}
    return archive(folder, program(), {**config("weights", use_pickle=True), **pickles})


@attack("pickled objects")
def archive_with_an_object_for_a_constant(folder: Path) -> Path:
    pickles = {"data/constants/custom_obj_0": pickled(folder)}
    constants = config("constants", path_name="custom_obj_0", tensor_meta=None)
    return archive(folder, program(), {**constants, **pickles})


@attack("is not JSON")
def archive_of_nothing(folder: Path) -> Path:
    return archive(folder, program(), {"models/model.json": "", "x": ""})


@attack("it holds no tensors")
def archive_of_another_kind(folder: Path) -> Path:
    path = folder / "hostile.pt2"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("pytorch_model/data.pkl", pickled(folder))
    return path


@attack("not a .pt2 archive")
def archive_that_is_none(folder: Path) -> Path:
    path = folder / "hostile.pt2"
    path.write_bytes(b"PK\x03\x04" + b"archive_format" * 1000)
    return path


@attack("not a .pt2 archive")
def archive_cut_in_half(folder: Path) -> Path:
    path = archive(folder, program())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@attack("damaged")
def archive_with_damaged_data(folder: Path) -> Path:
    path = archive(folder, program())
    content = bytearray(path.read_bytes())
    start = content.index(b"models/model.json") + 40
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    return path


@attack("claims to unpack")
def archive_that_is_a_bomb(folder: Path) -> Path:
    return archive(folder, b" " * 10**8)


@attack("items")
def archive_of_millions_of_lists(folder: Path) -> Path:
    return archive(folder, b"[" + b"[]," * 10_000_000 + b"[]]")


@attack("is not JSON")
def archive_nested_deeply(folder: Path) -> Path:
    return archive(folder, b"[" * 1_000_000)


@attack("what torch.export writes")
def archive_of_another_program(folder: Path) -> Path:
    return archive(folder, [1, 2, 3])


@attack("it has no models/model.json")
def archive_of_many_members(folder: Path) -> Path:
    path = folder / "hostile.pt2"
    with zipfile.ZipFile(path, "w") as out:
        for place in range(100_000):
            out.writestr(f"m{place}", b"")
    return path


@attack("what torch.export writes")
def archive_with_sizes_of_words(folder: Path) -> Path:
    sizes = config("weights", tensor_meta={**META, "sizes": [{"as_expr": {"expr_str": "s0"}}]})
    return archive(folder, program(), {**sizes, "data/weights/weight_0": bytes(12)})
