"""Graphs that are none."""

from __future__ import annotations

from pathlib import Path

from onnx import helper

from hostile.building import FLOAT, RELU, attack, chain, model, of_nodes, saved, write


@attack("cycle")
def cycle(folder: Path) -> Path:
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    return of_nodes(folder, nodes)


@attack("cycle")
def node_that_reads_itself(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Add", ["x", "y"], ["y"])])


@attack("cycle")
def cycle_in_a_body(folder: Path) -> Path:
    return saved(
        folder,
        """g (float[1, 3, 8, 8] x, bool c) => (float[1, 3, 8, 8] y) {
            y = If (c) <
                then_branch = t () => (float[1, 3, 8, 8] v) { u = Softmax(v)  v = Transpose(u) },
                else_branch = e () => (float[1, 3, 8, 8] w) { w = Relu(x) }>
        }""",
    )


@attack("nothing writes")
def dangling_edge(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Add", ["x", "ghost"], ["y"])])


@attack("nothing writes")
def dangling_edge_in_a_body(folder: Path) -> Path:
    return saved(
        folder,
        """g (float[1, 3, 8, 8] x, bool c) => (float[1, 3, 8, 8] y) {
            y = If (c) <
                then_branch = t () => (float[1, 3, 8, 8] v) { v = Add(x, ghost) },
                else_branch = e () => (float[1, 3, 8, 8] w) { w = Relu(x) }>
        }""",
    )


@attack("written by nothing")
def output_that_nothing_writes(folder: Path) -> Path:
    return of_nodes(folder, [helper.make_node("Relu", ["x"], ["z"])])


@attack("written twice")
def duplicate_names(folder: Path) -> Path:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Tanh", ["x"], ["y"])]
    return of_nodes(folder, nodes)


@attack("two tensors are called")
def duplicate_initializers(folder: Path) -> Path:
    weights = [helper.make_tensor("w", FLOAT, [3], [float(i)] * 3) for i in range(2)]
    nodes = [helper.make_node("PRelu", ["x", "w"], ["y"], name="same") for _ in range(1)]
    return of_nodes(folder, nodes, weights)


@attack("no opset")
def missing_opset(folder: Path) -> Path:
    proto = model(RELU)
    del proto.opset_import[:]
    return write(folder, proto.SerializeToString())


@attack("no opset")
def negative_opset(folder: Path) -> Path:
    return _with_opset(folder, -3)


@attack("")
def opset_of_the_future(folder: Path) -> Path:
    return _with_opset(folder, 2**62)


def _with_opset(folder: Path, version: int) -> Path:
    proto = model(RELU)
    proto.opset_import[0].version = version
    return write(folder, proto.SerializeToString())


@attack("")
def unknown_operators(folder: Path) -> Path:
    domains = ["acme", "ai.onnx.ml", "com.microsoft", ""]
    nodes = chain(lambda a, b, i: helper.make_node(f"Op{i}", [a], [b], domain=domains[i]), 4)
    return of_nodes(folder, nodes)


@attack("")
def unknown_operator_with_odd_attributes(folder: Path) -> Path:
    odd = {"strides": "two", "group": [1.5], "kernel_shape": 2.5, "min": float("nan"), "K": "x"}
    node = helper.make_node("Conv", ["x"], ["y"], domain="acme", **odd, blob=b"\xff" * 100_000)
    return of_nodes(folder, [node])
