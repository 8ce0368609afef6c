"""Graphs that are sound and large, laid out so that a careless pass takes their square."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnx import helper

from hostile.building import FLOAT, INT64, attack, chain, of_nodes

MOST = 49_900  # operators, just under the limit
MANY = 20_000  # enough to see a square: it would take minutes


def _sum(names: Sequence[str], output: str = "y") -> object:
    return helper.make_node("Sum", names, [output])


@attack("")
def long_chain(folder: Path) -> Path:
    return of_nodes(folder, chain(lambda a, b, i: helper.make_node("Relu", [a], [b]), MOST))


@attack("")
def long_chain_listed_backwards(folder: Path) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("Relu", [a], [b]), MANY)
    return of_nodes(folder, nodes[::-1])


@attack("")
def many_convolutions(folder: Path) -> Path:
    weight = helper.make_tensor("w", FLOAT, [3, 3, 3, 3], [0.0] * 81)
    square = {"kernel_shape": [3, 3], "strides": [1, 1], "dilations": [1, 1]}
    nodes = chain(
        lambda a, b, i: helper.make_node("Conv", [a, "w"], [b], pads=[1] * 4, group=1, **square),
        MOST,
    )
    return of_nodes(folder, nodes, [weight])


@attack("")
def dense_additions(folder: Path) -> Path:
    names = ["x", *(f"t{i}" for i in range(MOST))]
    nodes = [
        helper.make_node("Add", [names[i], names[max(0, i - 7)]], [names[i + 1]])
        for i in range(MOST - 1)
    ]
    return of_nodes(folder, nodes, output=names[MOST - 1])


@attack("")
def concatenations_of_two_before(folder: Path) -> Path:
    names = ["x", *(f"t{i}" for i in range(MOST))]
    nodes = [
        helper.make_node("Concat", [names[i], names[max(0, i - 1)]], [names[i + 1]], axis=1)
        for i in range(MOST - 1)
    ]
    return of_nodes(folder, nodes, output=names[MOST - 1])


@attack("")
def concatenations_that_grow(folder: Path) -> Path:
    nodes = chain(lambda a, b, i: helper.make_node("Concat", [a, "x"], [b], axis=1), MANY)
    return of_nodes(folder, nodes)


@attack("")
def operators_with_many_inputs(folder: Path) -> Path:
    names = [f"a{i}" for i in range(1000)]
    nodes = [helper.make_node("Relu", ["x"], [name]) for name in names]
    nodes += [_sum(names, f"s{i}") for i in range(290)]
    nodes.append(_sum([f"s{i}" for i in range(290)]))
    return of_nodes(folder, nodes)


@attack("")
def one_tensor_read_by_all(folder: Path) -> Path:
    nodes = []
    for i in range(MANY // 2):
        nodes.append(helper.make_node("Sigmoid", ["x"], [f"s{i}"]))
        nodes.append(helper.make_node("Mul", ["x", f"s{i}"], [f"m{i}"]))
    nodes.append(_sum([f"m{i}" for i in range(MANY // 2)]))
    return of_nodes(folder, nodes)


@attack("")
def layouts_that_gather_everything(folder: Path) -> Path:
    """Each hands on what all before it read."""
    names = ["x", *(f"t{i}" for i in range(MANY // 2))]
    nodes = []
    for i in range(MANY // 2):
        nodes.append(helper.make_node("Shape", [f"r{i - 1}" if i else "x"], [f"s{i}"]))
        nodes[-1] = helper.make_node("Relu", [f"r{i - 1}" if i else "x"], [f"r{i}"])
        nodes.append(helper.make_node("Reshape", [names[i], f"r{i}"], [names[i + 1]]))
    return of_nodes(folder, nodes, output=names[-1])


@attack("")
def many_gathers(folder: Path) -> Path:
    places = helper.make_tensor("p", INT64, [2, 1, 2, 1, 2], [0] * 8)
    count = MOST - 1
    nodes = [helper.make_node("GatherND", ["x", "p"], [f"g{i}"]) for i in range(count)]
    return of_nodes(folder, [*nodes, _sum([f"g{i}" for i in range(count)])], [places])


@attack("")
def softmaxes_behind_long_additions(folder: Path) -> Path:
    """The search for the product before each softmax must not walk all of them."""
    half = MANY // 3
    mask = helper.make_tensor("m", FLOAT, [1, 3, 8, 8], [0.5] * 192)
    nodes = chain(lambda a, b, i: helper.make_node("Add", [a, "m"], [b]), half)
    nodes[-1].output[0] = "end"
    for i in range(half):
        nodes.append(helper.make_node("Softmax", ["end"], [f"s{i}"]))
        nodes.append(helper.make_node("MatMul", [f"s{i}", "x"], [f"v{i}"]))
    nodes.append(_sum([f"v{i}" for i in range(half)]))
    return of_nodes(folder, nodes, [mask])


@attack("")
def softmaxes_before_long_moves(folder: Path) -> Path:
    third = MANY // 3
    nodes = []
    before = "x"
    for i in range(third):
        nodes.append(helper.make_node("Softmax", ["x"], [f"s{i}"]))
        nodes.append(helper.make_node("Reshape", [before, f"s{i}"], [f"r{i}"]))
        nodes.append(helper.make_node("Transpose", [f"r{i}"], [f"t{i}"], perm=[1, 0, 3, 2]))
        before = f"t{i}"
    return of_nodes(folder, [*nodes, helper.make_node("Relu", [before], ["y"])])


@attack("")
def additions_that_lead_to_each_other(folder: Path) -> Path:
    names = ["x", *(f"t{i}" for i in range(MANY // 2))]
    nodes = [
        helper.make_node("Add", [names[i], names[i]], [names[i + 1]]) for i in range(MANY // 2 - 1)
    ]
    softmaxes = [
        helper.make_node("Softmax", [names[i]], [f"s{i}"]) for i in range(1, MANY // 2 - 1)
    ]
    outputs = [node.output[0] for node in softmaxes]
    return of_nodes(folder, [*nodes, *softmaxes, _sum(outputs)])


@attack("")
def batch_norms_that_are_all_outputs(folder: Path) -> Path:
    half = MANY // 2
    names = ["scale", "shift", "mean", "variance"]
    parts = [helper.make_tensor(n, FLOAT, [3], [1.0] * 3) for n in names]
    nodes = chain(lambda a, b, i: helper.make_node("BatchNormalization", [a, *names], [b]), half)
    path = of_nodes(folder, nodes, parts)
    from onnx import ModelProto

    proto = ModelProto.FromString(path.read_bytes())
    for i in range(half - 1):
        proto.graph.output.add(name=f"t{i}")
    path.write_bytes(proto.SerializeToString())
    return path


@attack("")
def slices_of_one_split(folder: Path) -> Path:
    parts = [f"p{i}" for i in range(40_000)]
    nodes = [helper.make_node("Split", ["x"], parts, axis=0), _sum(parts)]
    return of_nodes(folder, nodes, shape=[40_000, 3])


@attack("")
def shape_arithmetic_without_end(folder: Path) -> Path:
    nodes = [helper.make_node("Shape", ["x"], ["s"])]
    nodes += chain(lambda a, b, i: helper.make_node("Add", [a if i else "s", "s"], [b]), MANY - 5)
    nodes.append(helper.make_node("Expand", ["x", "y"], ["z"]))
    return of_nodes(folder, nodes, output="z")
