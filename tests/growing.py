"""Graphs that grow without end, made in a process of its own: ``python growing.py NAME COUNT``.

Whoever writes one can make it as long as the reader allows, so the work must grow with it, not with
its square.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np

from assay.comparisons.structure import Structure
from assay.examine import quality
from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import Operator, OperatorGraph, Tensor
from assay.graphs.parts import parts
from assay.hashers.boosted_minhash import BoostedMinhash
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.values import LayerGraph, Record

MAP = (1, 8, 6, 6)
TENSORS = {
    "x": Tensor(1, MAP),
    "w": Tensor(1, (8, 8, 1, 1), None, True),
    "g": Tensor(1, (8,), None, True),
    "c": Tensor(1, (8, 1, 1), None, True),
    "half": Tensor(1, (), np.asarray(0.5, np.float32), True),
    "shape": Tensor(7, (4,), np.asarray(MAP), True),
    "places": Tensor(7, (4, 3, 4, 3, 2), None, True),
    "zero": Tensor(7, (), np.asarray(0), True),
}
Nodes = Iterator[tuple[str, tuple[str, ...], str] | Operator]
GROWING: dict[str, Callable[[int], Nodes]] = {}


def growing(make: Callable[[int], Nodes]) -> Callable[[int], Nodes]:
    GROWING[make.__name__] = make
    return make


def chain(op: str, count: int, *others: str, start: str = "x") -> Nodes:
    before = start
    for i in range(count):
        yield op, (before, *others), f"{op}{i}"
        before = f"{op}{i}"


@growing
def alike_layers(count: int) -> Nodes:
    yield from chain("Relu", count)


@growing
def shortcuts(count: int) -> Nodes:
    yield from chain("Add", count, "x")


@growing
def scales(count: int) -> Nodes:
    yield from chain("Mul", count, "c")


@growing
def moves(count: int) -> Nodes:
    yield from chain("Reshape", count, "shape")


@growing
def slices(count: int) -> Nodes:
    yield from chain("Gather", count, "zero", start="x")


@growing
def concatenations(count: int) -> Nodes:
    before = "x"
    for i in range(count // 2):
        yield Operator("Concat", (before, "x"), (f"c{i}",), {"axis": 1})
        yield "Relu", (f"c{i}",), f"r{i}"
        before = f"c{i}"


@growing
def moves_by_computed_shapes(count: int) -> Nodes:
    before = "x"
    for i in range(count // 2):
        yield "mine::Shape", ("x",), f"s{i}"
        yield "Reshape", (before, f"s{i}"), f"m{i}"
        before = f"m{i}"


@growing
def one_tensor_with_many_readers(count: int) -> Nodes:
    yield "Relu", ("x",), "t"
    for i in range(count - 1):
        yield "Tanh", ("t",), f"r{i}"


@growing
def one_sum_of_many(count: int) -> Nodes:
    for i in range(count - 1):
        yield "Tanh", ("x",), f"r{i}"
    yield "Sum", tuple(f"r{i}" for i in range(count - 1)), "y"


@growing
def one_sum_of_many_with_many_readers(count: int) -> Nodes:
    yield from one_sum_of_many(count // 2)
    for i in range(count // 2):
        yield "Relu", ("y",), f"z{i}"


@growing
def one_split_into_many(count: int) -> Nodes:
    yield Operator("Split", ("x",), tuple(f"p{i}" for i in range(count)), {"axis": 1})


@growing
def softmaxes_on_one_trunk(count: int) -> Nodes:
    before = "x"
    for i in range(count // 2):
        yield "Add", (before, "c"), f"a{i}"
        yield "Softmax", (f"a{i}",), f"s{i}"
        before = f"a{i}"


@growing
def sums_of_two_trunks(count: int) -> Nodes:
    yield from chain("Add", count // 3, "c")
    for i in range(count // 3):
        yield "Add", (f"Add{count // 3 - 1}", "x"), f"s{i}"
        yield "Softmax", (f"s{i}",), f"p{i}"


@growing
def attentions(count: int) -> Nodes:
    before = "x"
    for i in range(count // 3):
        yield "MatMul", (before, "x"), f"s{i}"
        yield "Softmax", (f"s{i}",), f"p{i}"
        yield "MatMul", (f"p{i}", "x"), f"v{i}"
        before = f"v{i}"


@growing
def swishes(count: int) -> Nodes:
    before = "x"
    for i in range(count // 2):
        yield "Sigmoid", (before,), f"s{i}"
        yield "Mul", (before, f"s{i}"), f"m{i}"
        before = f"m{i}"


@growing
def gathered_windows(count: int) -> Nodes:
    for i in range(count // 2):
        yield "GatherND", ("x", "places"), f"g{i}"
        yield "Mul", (f"g{i}", "half"), f"m{i}"


@growing
def windows_on_one_trunk(count: int) -> Nodes:
    yield "GatherND", ("x", "places"), "m"
    yield from chain("Mul", count, "half", start="m")


@growing
def normed_layers_that_are_outputs(count: int) -> Nodes:
    for i in range(count // 2):
        yield "Conv", ("x", "w"), f"c{i}"
        yield "BatchNormalization", (f"c{i}", "g", "g", "g", "g"), f"n{i}"


@growing
def branches(count: int) -> Nodes:
    before = "x"
    for i in range(count // 3):
        yield "Relu", (before,), f"r{i}"
        yield "Tanh", (before,), f"t{i}"
        yield "Add", (f"r{i}", f"t{i}"), f"a{i}"
        before = f"a{i}"


def network(name: str, count: int) -> OperatorGraph:
    """Every tensor that nothing reads is an output."""
    nodes = [
        one if isinstance(one, Operator) else Operator(one[0], one[1], (one[2],))
        for one in GROWING[name](count)
    ]
    read = {name for node in nodes for name in node.inputs}
    outputs = tuple(name for node in nodes for name in node.outputs if name not in read)
    return OperatorGraph(tuple(nodes), ("x",), outputs, TENSORS)


def work(graph: OperatorGraph) -> LayerGraph:
    """All that is done with a graph once it is read."""
    made = layer_graph(graph)
    record = Record("a", "onnx", code=WeisfeilerLehman()(made), graph=made, quality=quality(made))
    Structure().compare(record, record)
    fingerprint(made)
    parts(made)
    if made.layers:
        BoostedMinhash().digest(made)
    return made


if __name__ == "__main__":
    result = work(network(sys.argv[1], int(sys.argv[2])))
    sys.stdout.write(f"{len(result.layers)} {len(result.edges)}\n")
