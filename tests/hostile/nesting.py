"""Bodies inside bodies, and functions that expand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from onnx import AttributeProto, helper

from hostile.building import FLOAT, INT64, attack, chain, field, of_nodes, raw_graph, write


def _nested_if(depth: int) -> object:
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["v"])], "b", [], [_info("v")])
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["v"], then_branch=body, else_branch=body)
        body = helper.make_graph([node], "b", [], [_info("v")])
    return helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)


def _info(name: str) -> object:
    return helper.make_tensor_value_info(name, FLOAT, None)


@attack("too many operators")
def bodies_that_double_at_each_level(folder: Path) -> Path:
    return of_nodes(folder, [_nested_if(16)], [helper.make_tensor("c", 9, [], [True])])


def _deep_bytes(depth: int, levels: Sequence[int]) -> bytes:
    """A graph in an attribute of a node of a graph …"""
    graph = b""
    for _ in range(depth):
        for number in levels:
            graph = field(number, graph)
    return graph


@attack("not an ONNX file")
def bodies_of_100_levels(folder: Path) -> Path:
    return write(folder, raw_graph(_deep_bytes(100, (6, 5, 1))))


@attack("nested more than")
def bodies_of_5000_levels(folder: Path) -> Path:
    return write(folder, raw_graph(_deep_bytes(5000, (6, 5, 1))))


@attack("not an ONNX file")
def types_of_5000_levels(folder: Path) -> Path:
    kind = field(1, b"")
    for _ in range(5000):
        kind = field(4, field(1, kind))  # a sequence of sequences …
    return write(folder, raw_graph(field(11, field(1, b"z") + field(2, kind))))


def _function(name: str, nodes: Sequence[object], extra: bytes = b"") -> bytes:
    proto = helper.make_function(
        "f", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 17)], attributes=["size"]
    )
    return field(25, proto.SerializeToString() + extra)


def _calling(folder: Path, functions: Iterable[bytes], calls: int = 1) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("F0", [a], [b], domain="f"), calls)
    path = of_nodes(folder, nodes)
    return write(folder, path.read_bytes() + b"".join(functions))


@attack("nested more than")
def function_that_calls_itself(folder: Path) -> Path:
    node = helper.make_node("F0", ["a"], ["b"], domain="f")
    return _calling(folder, [_function("F0", [node])])


@attack("more than 50,000 operators")
def functions_that_double_at_each_level(folder: Path) -> Path:
    functions = [
        _function(
            f"F{i}",
            [
                helper.make_node(f"F{i + 1}", ["a"], ["m"], domain="f"),
                helper.make_node(f"F{i + 1}", ["m"], ["b"], domain="f"),
            ],
        )
        for i in range(30)
    ]
    return _calling(
        folder, [*functions, _function("F30", [helper.make_node("Relu", ["a"], ["b"])])]
    )


@attack("MiB of memory")
def function_with_a_large_constant_called_often(folder: Path) -> Path:
    value = helper.make_tensor("v", INT64, [1000], range(1000))
    nodes = [
        helper.make_node("Constant", [], ["c"], value=value),
        helper.make_node("Add", ["a", "c"], ["b"]),
    ]
    return _calling(folder, [_function("F0", nodes)], 16_000)


@attack("MiB of memory")
def function_with_a_long_name_called_often(folder: Path) -> Path:
    long = "n" * 2**20
    nodes = [helper.make_node("Relu", ["a"], [long]), helper.make_node("Relu", [long], ["b"])]
    return _calling(folder, [_function("F0", nodes)], 16_000)


@attack("")
def function_with_a_large_attribute_called_often(folder: Path) -> Path:
    node = helper.make_node("Flatten", ["a"], ["b"])
    reference = AttributeProto(name="axis", ref_attr_name="size", type=AttributeProto.INT)
    node.attribute.append(reference)
    node.attribute.append(helper.make_attribute("note", "n" * 30_000))
    nodes = [helper.make_node("F0", ["x"], [f"t{i}"], domain="f", size=1) for i in range(2000)]
    nodes.append(helper.make_node("Sum", [f"t{i}" for i in range(2000)], ["y"]))
    path = of_nodes(folder, nodes)
    return write(folder, path.read_bytes() + _function("F0", [node]))
