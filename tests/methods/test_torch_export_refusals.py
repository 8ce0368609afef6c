"""PyTorch programs that would run code where they are loaded, or that are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import archives
from hostile.archives import CANARY, META, archive, program
from reading import layers_of

from assay.errors import UnreadableModel

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


# What is left out, or is refused


def _node(data: Any) -> Any:
    return data["graph_module"]["graph"]["nodes"][0]


def _with_guards(data: Any, folder: Path) -> None:
    data["guards_code"] = [f"open({str(folder / CANARY)!r}, 'w')"]


def _with_types_to_import(data: Any) -> None:
    context = {"default_factory_module": "evil", "default_factory_name": "factory"}
    spec = {
        "type": "collections.defaultdict",
        "context": {**context, "dict_context": []},
        "children_spec": [],
    }
    data["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps([1, spec])


def _with_enumerations_to_import(data: Any) -> None:
    key = {"__enum__": True, "fqn": "evil:Color", "name": "RED"}
    spec = {"type": "builtins.dict", "context": json.dumps([key]), "children_spec": [archives.LEAF]}
    data["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps([1, spec])


def _with_modules_to_look_up(data: Any) -> None:
    names = {"nn_module_stack": "evil,evil,evil.Evil", "source_fn_stack": "evil,evil.run"}
    _node(data)["metadata"] = names
    data["graph_module"]["metadata"] = {"custom": "evil.run"}


def _on_another_device(data: Any) -> None:
    values = data["graph_module"]["graph"]["tensor_values"]
    for name in values:
        values[name] = {**META, "device": {"type": "cuda", "index": 3}}


def test_what_the_program_would_run_and_where_it_ran_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = program()
    _with_guards(data, tmp_path)
    for change in (
        _with_types_to_import,
        _with_enumerations_to_import,
        _with_modules_to_look_up,
        _on_another_device,
    ):
        change(data)
    text = f"open({str(tmp_path / CANARY)!r}, 'w')\nfactory = list\n"
    (tmp_path / "evil.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))  # the attacker may even place modules
    graph = layers_of(archive(tmp_path, data))
    assert [layer.op for layer in graph.layers] == ["Relu"]
    assert not (tmp_path / CANARY).exists()


def test_pickles_under_the_names_that_the_loader_trusts_are_not_loaded(tmp_path: Path) -> None:
    """One listed as an opaque object, one as the old file of all weights."""
    pickled = archives.pickled(tmp_path)
    pickled += bytes(-len(pickled) % 4)  # whole numbers, so that it can pass for a tensor
    scalar = {**META, "sizes": [], "strides": []}
    constants = archives.config("constants", path_name="opaque_obj_0", tensor_meta=scalar)
    path = archive(tmp_path, program(), {**constants, "data/constants/opaque_obj_0": pickled})
    assert [layer.op for layer in layers_of(path).layers] == ["Relu"]
    weights = archives.config("weights", path_name="model.pt", tensor_meta=scalar)
    path = archive(tmp_path, program(), {**weights, "data/weights/model.pt": pickled})
    with pytest.raises(UnreadableModel, match=r"torch\.save did not write it"):
        layers_of(path)
    assert not (tmp_path / CANARY).exists()


def _with_an_input_named(data: Any, name: str) -> Any:
    """An argument's default value, where PyTorch writes the name as it is."""
    return json.loads(json.dumps(data).replace('{"name": "x"}', json.dumps({"name": name})))


def _with_a_result_named(data: Any, name: str) -> Any:
    return json.loads(json.dumps(data).replace('{"name": "relu"}', json.dumps({"name": name})))


def _with_a_node_named(data: Any, name: str) -> Any:
    _node(data)["name"] = name
    return data


def _with_an_argument_named(data: Any, name: str) -> Any:
    _node(data)["inputs"][0]["name"] = name
    return data


def _with_a_size_named(data: Any, name: str) -> Any:
    _node(data)["outputs"] = [{"as_sym_ints": [{"as_int": 1}, {"as_name": name}]}]
    return data


def _with_a_branch_named(data: Any, name: str) -> Any:
    graph = data["graph_module"]["graph"]
    branch = {"as_graph": {"name": name, "graph": program()["graph_module"]["graph"]}}
    call = {**_node(program()), "target": "torch.ops.higher_order.cond"}
    call["inputs"] = [{"name": "", "arg": branch, "kind": 1}]
    graph["nodes"] = [call]
    return data


def _with_a_parameter_named(data: Any, name: str) -> Any:
    parameter = {"arg": {"name": "p_w"}, "parameter_name": name}
    data["graph_module"]["signature"]["input_specs"].insert(0, {"parameter": parameter})
    graph = data["graph_module"]["graph"]
    graph["inputs"].insert(0, {"as_tensor": {"name": "p_w"}})
    graph["tensor_values"]["p_w"] = META
    return data


@pytest.mark.parametrize(
    "change",
    [
        _with_an_input_named,
        _with_a_result_named,
        _with_a_node_named,
        _with_an_argument_named,
        _with_a_size_named,
        _with_a_branch_named,
        _with_a_parameter_named,
    ],
)
@pytest.mark.parametrize(
    "name",
    ["x=open({!r}, 'w')", 'w", open({!r}, "w")); (("', "x\n    open({!r}, 'w')", 7],
    ids=["default", "quote", "line", "number"],
)
def test_names_that_would_be_compiled_are_refused(
    change: Callable[[Any, Any], Any], name: Any, tmp_path: Path
) -> None:
    if isinstance(name, str):
        name = name.format(str(tmp_path / CANARY))
    with pytest.raises(UnreadableModel, match="which is no plain name"):
        layers_of(archive(tmp_path, change(program(), name)))
    assert not (tmp_path / CANARY).exists()


def _argument(name: str, kind: str, value: Any) -> Any:
    return {"name": name, "arg": {kind: value}, "kind": 1}


def test_operators_that_write_or_open_files_are_refused(tmp_path: Path) -> None:
    file = _argument("filename", "as_string", str(tmp_path / CANARY))
    for target, inputs, message in (
        ("save", [_argument("item", "as_tensor", {"name": "x"}), file], "no ATen operator"),
        (
            "from_file",
            [file, _argument("shared", "as_bool", True), _argument("size", "as_int", 10)],
            "opens files",
        ),
    ):
        data = program()
        _node(data).update(target=f"torch.ops.aten.{target}.default", inputs=inputs)
        with pytest.raises(UnreadableModel, match=message):
            layers_of(archive(tmp_path, data))
        assert not (tmp_path / CANARY).exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: _node(d).update(target="torch.ops.aten.foo.default"), "PyTorch cannot load it"),
        (lambda d: _node(d)["inputs"][0].update(arg={"as_tensor": {"name": "ghost"}}), "ghost"),
        (lambda d: _node(d).update(target="torch.ops.aten.relu.out"), "PyTorch cannot export it"),
        (lambda d: _sized(d, [{"as_int": -5}]), "negative dimension"),
        (lambda d: _sized(d, [{"as_int": 2**62}] * 2), "overflow"),
    ],
)
def test_programs_that_are_none_are_refused_with_the_cause(
    change: Callable[[Any], None], message: str, tmp_path: Path
) -> None:
    data = program()
    change(data)
    path = archive(tmp_path, data)
    with pytest.raises(UnreadableModel, match=message) as caught:
        layers_of(path)
    assert str(caught.value).startswith(f"{path}: PyTorch cannot")
    assert str(caught.value).isprintable()


def _sized(data: Any, sizes: Any) -> None:
    values = data["graph_module"]["graph"]["tensor_values"]
    for name in values:
        values[name] = {**META, "sizes": sizes}
