"""ONNX files: opsets, operators, bodies and functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hostile import building
from hostile.building import FLOAT, chain, of_nodes, saved
from onnx import ModelProto, helper
from reading import layers_of, names_of, operators_of

from assay.formats import read
from assay.vocabularies.onnx.operators import NEWEST, OLDEST


@pytest.mark.parametrize("opset", range(OLDEST, NEWEST + 1))
def test_every_opset_is_read(opset: int, tmp_path: Path) -> None:
    text = """g (float[1, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[1, 4, 6, 6] y) {
        a = Conv <kernel_shape = [3, 3]> (x, w)  b = Relu(a)  y = Add(b, b) }"""
    path = saved(tmp_path, text, opset)
    assert names_of(path) == ["Conv+Relu", "Add"]
    metadata = read(path).metadata
    assert metadata["opset"] == opset
    assert "odd_opset" not in metadata


@pytest.mark.parametrize("opset", [1, OLDEST - 1, NEWEST + 1, 2**40])
def test_other_opsets_are_read_with_a_note(opset: int, tmp_path: Path) -> None:
    assert read(saved(tmp_path, building.RELU, opset)).metadata["odd_opset"] == opset


@pytest.mark.parametrize(
    ("opset", "text"),
    [
        (9, "a = Upsample(x, s)"),
        (9, 'a = Upsample <mode = "nearest"> (x, s)'),
        (7, "a = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x)"),
        (10, "a = Resize(x, s)"),
        (11, "a = Resize(x, , s)"),
        (18, "a = Resize(x, , s)"),
    ],
)  # fmt: skip
def test_one_operation_is_read_alike_in_all_opsets(opset: int, text: str, tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        f"""g (float[1, 3, 8, 8] x) => (float[1, 3, 16, 16] y)
        <float[4] s = {{1, 1, 2, 2}}> {{ {text}  y = Relu(a) }}""",
        opset,
    )
    graph = layers_of(path)
    assert [layer.op for layer in graph.layers] == ["Resize", "Relu"]
    assert graph.layers[-1].shape == (1, 3, 16, 16)


def test_an_operator_that_is_newer_than_the_declared_opset_is_known(tmp_path: Path) -> None:
    path = of_nodes(tmp_path, [helper.make_node("Gelu", ["x"], ["y"])], opset=OLDEST)
    assert names_of(path) == ["Gelu"]


def test_bodies_read_the_names_around_them(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        """g (float[1, 3, 8, 8] x, bool c) => (float[1, 3, 8, 8] y) {
            a = Relu(x)
            y = If (c) <
                then_branch = t () => (float[1, 3, 8, 8] b) { b = Tanh(a) },
                else_branch = e () => (float[1, 3, 8, 8] b) { b = Sigmoid(a) }>
        }""",
    )
    graph = layers_of(path)
    assert sorted(layer.op for layer in graph.layers) == ["If", "Relu", "Sigmoid", "Tanh"]
    relu = next(i for i, layer in enumerate(graph.layers) if layer.op == "Relu")
    assert sum(source == relu for source, _ in graph.edges) == 2
    assert all(layer.shape == (1, 3, 8, 8) for layer in graph.layers)


def test_a_body_may_use_a_name_again(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        """g (float[1, 3, 8, 8] x, bool c) => (float[1, 3, 8, 8] y) {
            a = Relu(x)
            b = If (c) <
                then_branch = t () => (float[1, 3, 8, 8] a) { a = Tanh(x) },
                else_branch = e () => (float[1, 3, 8, 8] a) { a = Sigmoid(x) }>
            y = Add(a, b)
        }""",
    )
    assert sorted(names_of(path)) == ["Add", "If", "Relu", "Sigmoid", "Tanh"]


def test_a_loop_and_a_scan_are_read_once(tmp_path: Path) -> None:
    loop = saved(
        tmp_path,
        """g (float[4, 8] x, int64 n) => (float[4, 8] y, float[N, 4, 8] all) {
            y, all = Loop (n, , x) <body = b (int64 i, bool c, float[4, 8] a)
                => (bool d, float[4, 8] v, float[4, 8] w)
                { d = Identity(c)  v = Tanh(a)  w = Relu(v) }>
        }""",
    )
    assert sorted(set(names_of(loop))) == ["Loop", "Relu", "Tanh"]
    scan = saved(
        tmp_path,
        """g (float[4, 8] x, float[8] s) => (float[8] y, float[4, 8] all) {
            y, all = Scan <num_scan_inputs = 1, body = b (float[8] a, float[8] e)
                => (float[8] v, float[8] w) { v = Add(a, e)  w = Relu(v) }> (s, x)
        }""",
    )
    graph = layers_of(scan)
    assert sorted({layer.op for layer in graph.layers}) == ["Add", "Relu", "Scan"]
    assert next(layer.shape for layer in graph.layers if layer.op == "Add") == (8,)


FUNCTIONS = """<domain: "f", opset_import: ["" : 17]>
Scaled <amount: float = 2.0> (a, b) => (c) {
    k = Constant <value_float: float = @amount> ()
    d = Mul(a, k)
    c = Add(d, b)
}
<domain: "f", opset_import: ["" : 17, "f" : 1]>
Twice (a) => (c) { b = f.Scaled(a, a)  c = f.Scaled <amount = 3.0> (b, a) }"""


def test_functions_stand_where_they_are_called(tmp_path: Path) -> None:
    main = "g (float[1, 8] x) => (float[1, 8] y) { a = f.Twice(x)  b = Relu(a)  y = f.Twice(b) }"
    path = saved(tmp_path, f"{main}\n{FUNCTIONS}")
    assert names_of(path) == ["Mul", "Add", "Mul", "Add", "Relu"] + ["Mul", "Add"] * 2


def test_a_functions_attributes_come_from_the_call_or_its_defaults(tmp_path: Path) -> None:
    main = "g (float[1, 8] x) => (float[1, 8] y) { y = f.Twice(x) }"
    graph = operators_of(saved(tmp_path, f"{main}\n{FUNCTIONS}"))
    constants = [n.attributes["value_float"] for n in graph.operators if n.op == "Constant"]
    assert constants == [2.0, 3.0]


def test_an_attribute_that_the_call_leaves_out_is_left_out(tmp_path: Path) -> None:
    function = """<domain: "f", opset_import: ["" : 17]>
        Act <slope> (a) => (b) { b = LeakyRelu <alpha: float = @slope> (a) }"""
    main = "g (float[8] x) => (float[8] y) { a = f.Act(x)  y = f.Act <slope = 0.5> (a) }"
    graph = operators_of(saved(tmp_path, f"{main}\n{function}"))
    found = [dict(n.attributes) for n in graph.operators if n.op == "LeakyRelu"]
    assert found == [{}, {"alpha": 0.5}]


def test_a_body_inside_a_function_sees_the_functions_attributes(tmp_path: Path) -> None:
    function = """<domain: "f", opset_import: ["" : 17]>
        Choose <slope> (a, c) => (b) { b = If (c) <
            then_branch = t () => (v) { v = LeakyRelu <alpha: float = @slope> (a) },
            else_branch = e () => (w) { w = Relu(a) }> }"""
    main = "g (float[8] x, bool c) => (float[8] y) { y = f.Choose <slope = 0.25> (x, c) }"
    path = saved(tmp_path, f"{main}\n{function}")
    choice = next(n for n in operators_of(path).operators if n.op == "If")
    body = choice.attributes["then_branch"]
    assert body.operators[0].attributes == {"alpha": 0.25}
    assert sorted(names_of(path)) == ["If", "LeakyRelu", "Relu"]


def test_a_function_may_be_called_with_fewer_inputs(tmp_path: Path) -> None:
    function = """<domain: "f", opset_import: ["" : 17]>
        Bound (a, low, high) => (b) { b = Clip(a, low, high) }"""
    main = """g (float[8] x) => (float[8] y) <float low = {0.0}> { y = f.Bound(x, low) }"""
    assert names_of(saved(tmp_path, f"{main}\n{function}")) == ["Relu"]


def test_overloads_of_a_function_are_told_apart(tmp_path: Path) -> None:
    proto = building.model("g (float[8] x) => (float[8] y) { a = f.F(x)  y = f.F(a) }")
    for overload, op in (("", "Relu"), ("other", "Tanh")):
        node = helper.make_node(op, ["a"], ["b"])
        function = helper.make_function("f", "F", ["a"], ["b"], [node], [], overload=overload)
        proto.functions.append(function)
    proto.graph.node[1].overload = "other"
    assert names_of(building.write(tmp_path, proto.SerializeToString())) == ["Relu", "Tanh"]


def test_an_unread_first_output_does_not_make_operators_one(tmp_path: Path) -> None:
    weights = [
        helper.make_tensor(n, FLOAT, s, [0.0] * int(np.prod(s)))
        for n, s in (("w", (1, 16, 8)), ("r", (1, 16, 4)))
    ]
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["", f"h{i}"], hidden_size=4) for i in range(2)
    ]
    nodes.append(helper.make_node("Add", ["h0", "h1"], ["y"]))
    assert names_of(of_nodes(tmp_path, nodes, weights, shape=(5, 1, 8))) == ["LSTM", "LSTM", "Add"]


def test_operators_that_write_nothing_are_left_out(tmp_path: Path) -> None:
    silent = helper.make_node("Print", ["x"], [""], domain="acme")
    relu = helper.make_node("Relu", ["x"], ["y"])
    assert names_of(of_nodes(tmp_path, [silent, relu])) == ["Relu"]


def test_operators_in_any_order_are_read_in_theirs(tmp_path: Path) -> None:
    ops = ["Relu", "Tanh", "Sigmoid", "Exp"]
    nodes = chain(lambda a, b, i: helper.make_node(ops[i], [a], [b]), 4)
    assert names_of(of_nodes(tmp_path, nodes[::-1])) == ops


def test_names_of_bodies_do_not_meet_names_of_the_model(tmp_path: Path) -> None:
    """Bodies get a prefix; a model whose own names look like it is still read."""
    function = """<domain: "f", opset_import: ["" : 17]>
        F (a) => (c) { b = Relu(a)  c = Tanh(b) }"""
    main = "g (float[8] x) => (float[8] y) { m = f.F(x)  y = Exp(m) }"
    proto = building.model(f"{main}\n{function}")
    proto.graph.node[0].output[0] = proto.graph.node[1].input[0] = "1/b"
    path = building.write(tmp_path, proto.SerializeToString())
    assert names_of(path) == ["Relu", "Tanh", "Exp"]


def test_only_attributes_that_onnx_knows_are_kept(tmp_path: Path) -> None:
    node = helper.make_node("Softmax", ["x"], ["y"], axis=1, scanned=1, query_shape=[7], note="n")
    graph = operators_of(of_nodes(tmp_path, [node]))
    assert graph.operators[0].attributes == {"axis": 1}


def test_attributes_of_unknown_operators_are_kept_where_they_are_plain(tmp_path: Path) -> None:
    body = helper.make_graph([], "b", [], [])
    node = helper.make_node(
        "Op", ["x"], ["y"], domain="a", one=1, two=[1.5], text="t", body=body,
        long="l" * 2000, value=helper.make_tensor("v", FLOAT, [1], [1.0]), words=["a", "b"],
    )  # fmt: skip
    graph = operators_of(of_nodes(tmp_path, [node]))
    expected = {"one": 1, "two": (1.5,), "text": "t", "words": ("a", "b")}
    assert graph.operators[0].attributes == expected


def test_bounds_that_are_no_numbers_are_no_bounds(tmp_path: Path) -> None:
    node = helper.make_node("Clip", ["x"], ["y"], min=0.0, max=float("inf"))
    assert names_of(of_nodes(tmp_path, [node], opset=7)) == ["Relu"]


def test_the_producer_is_noted(tmp_path: Path) -> None:
    proto = ModelProto.FromString(building.small(tmp_path).read_bytes())
    proto.producer_name, proto.producer_version = "acme", "1.2"
    path = building.write(tmp_path, proto.SerializeToString())
    assert read(path).metadata["producer"] == "acme 1.2"


def test_reading_does_not_depend_on_the_order_of_the_files_fields(tmp_path: Path) -> None:
    proto = ModelProto.FromString(building.small(tmp_path).read_bytes())
    parts = []
    for name in ("graph", "opset_import", "ir_version"):
        part = ModelProto()
        getattr(part, name)  # the parser takes the fields in any order
        value = getattr(proto, name)
        if name == "ir_version":
            part.ir_version = value
        elif name == "graph":
            part.graph.CopyFrom(value)
        else:
            part.opset_import.extend(value)
        parts.append(part.SerializeToString())
    path = building.write(tmp_path, b"".join(parts))
    assert names_of(path) == ["Relu"]
