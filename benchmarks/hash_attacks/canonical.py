"""Rewrites of a real ONNX file, and whether the graph rules undo them.

Each function changes how a network is written, not what it computes.  ``tests/test_evasions.py``
has more that are undone, on larger networks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from assay.examine import DEFAULT_HASHER, examine
from assay.graphs.neighborhoods import fingerprint
from assay.hashers import HASHERS
from assay.values import Json

Floats = NDArray[np.float32]
WIDTHS = (8, 8, 16, 16, 32)  # channels; a stride of two where they grow
SIDE, CLASSES = 32, 10
DOMAIN = "mine"


def network() -> ModelProto:
    """Five convolutions, each with a Relu, every second one added to what it reads."""
    rng = np.random.default_rng(0)
    model = helper.make_model(
        helper.make_graph(
            [],
            "network",
            [helper.make_tensor_value_info("x", 1, [1, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("y", 1, [1, CLASSES])],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    model.ir_version = 8
    before, read = "x", 3
    for place, width in enumerate(WIDTHS):
        weights = rng.standard_normal((width, read, 3, 3)).astype(np.float32) / 8
        inputs = [before, stored(model, f"w{place}", weights)]
        inputs.append(stored(model, f"b{place}", rng.standard_normal(width).astype(np.float32)))
        stride = 2 if place and width > read else 1
        put(model, "Conv", inputs, f"c{place}", strides=[stride] * 2, pads=[1] * 4)
        put(model, "Relu", [f"c{place}"], f"r{place}")
        if read == width:
            put(model, "Add", [f"r{place}", before], f"a{place}")
        before, read = f"a{place}" if read == width else f"r{place}", width
    put(model, "GlobalAveragePool", [before], "p")
    put(model, "Flatten", ["p"], "f")
    head = rng.standard_normal((CLASSES, read)).astype(np.float32)
    put(model, "Gemm", ["f", stored(model, "head", head)], "y", transB=1)
    return model


def stored(model: ModelProto, name: str, values: Floats | NDArray[np.int64]) -> str:
    """Keeps a tensor in the file; its name."""
    model.graph.initializer.append(numpy_helper.from_array(values, name))
    return name


def put(
    model: ModelProto,
    op: str,
    inputs: list[str],
    output: str,
    at: int | None = None,
    **options: list[int] | int,
) -> NodeProto:
    """Adds an operator, last or at a place."""
    node = helper.make_node(op, inputs, [output], **options)
    model.graph.node.insert(len(model.graph.node) if at is None else at, node)
    return node


def ones(model: ModelProto, shape: tuple[int, ...], value: float = 1.0) -> str:
    """A tensor of equal numbers."""
    values = np.full(shape, value, np.float32)
    return stored(model, f"n{len(model.graph.initializer)}", values)


def behind(model: ModelProto, tensor: str, *steps: tuple[str, list[str], Json]) -> None:
    """A chain of operators after what writes ``tensor``, which its last one writes from now on."""
    place = next(i for i, node in enumerate(model.graph.node) if tensor in node.output)
    before = f"{tensor}/0"
    model.graph.node[place].output[0] = before
    for number, (op, others, options) in enumerate(steps, start=1):
        after = tensor if number == len(steps) else f"{tensor}/{number}"
        put(model, op, [before, *others], after, place + number, **options)
        before = after


def weights(model: ModelProto, name: str) -> Floats:
    """Values of a stored tensor."""
    found = next(each for each in model.graph.initializer if each.name == name)
    return np.array(numpy_helper.to_array(found), np.float32)


def node_of(model: ModelProto, output: str) -> NodeProto:
    """What writes a tensor."""
    return next(node for node in model.graph.node if output in node.output)


def replaced(model: ModelProto, name: str, values: Floats) -> None:
    """Other values of a stored tensor."""
    old = next(each for each in model.graph.initializer if each.name == name)
    old.CopyFrom(numpy_helper.from_array(values, name))


def identities(model: ModelProto) -> None:
    """Operators that do nothing in inference."""
    behind(model, "c1", ("Identity", [], {}), ("Dropout", [], {}))


def by_one(model: ModelProto) -> None:
    """A product with one number."""
    behind(model, "c1", ("Mul", [ones(model, ())], {}))


def by_ones(model: ModelProto) -> None:
    """A product with stored ones."""
    behind(model, "r1", ("Mul", [ones(model, (1, 8, 1, 1))], {}))


def zero_added(model: ModelProto) -> None:
    """A sum with zero."""
    behind(model, "r1", ("Add", [ones(model, (), 0.0)], {}))


def double_relu(model: ModelProto) -> None:
    """One behind the other."""
    behind(model, "r1", ("Relu", [], {}))


def relu_as_max(model: ModelProto) -> None:
    """As some exporters write it."""
    node = node_of(model, "r1")
    node.op_type = "Max"
    node.input.append(ones(model, (), 0.0))


def negated_twice(model: ModelProto) -> None:
    """Each undoes the other."""
    behind(model, "r1", ("Neg", [], {}), ("Neg", [], {}))


def transposes(model: ModelProto) -> None:
    """Channels last, and first again."""
    back, forth = {"perm": [0, 2, 3, 1]}, {"perm": [0, 3, 1, 2]}
    behind(model, "c1", ("Transpose", [], back), ("Transpose", [], forth))


def transposes_around(model: ModelProto) -> None:
    """A Relu whose channels are last."""
    back, forth = {"perm": [0, 2, 3, 1]}, {"perm": [0, 3, 1, 2]}
    steps = ("Transpose", [], back), ("Sigmoid", [], {}), ("Transpose", [], forth)
    node_of(model, "r1").op_type = "Identity"
    behind(model, "c1", *(("Relu", [], {}) if step[0] == "Sigmoid" else step for step in steps))


def sliced(model: ModelProto) -> None:
    """Channels taken apart and put together."""
    place = next(i for i, node in enumerate(model.graph.node) if "r1" in node.output)
    model.graph.node[place].output[0] = "r1/0"
    both = helper.make_node("Split", ["r1/0"], ["r1/1", "r1/2"], axis=1)
    model.graph.node.insert(place + 1, both)
    put(model, "Concat", ["r1/1", "r1/2"], "r1", place + 2, axis=1)


def dead_end(model: ModelProto) -> None:
    """Nothing reads what it makes."""
    put(model, "Conv", ["r1", ones(model, (64, 8, 1, 1))], "nowhere")


def zeros_added(model: ModelProto) -> None:
    """Its weights are zeros."""
    place = next(i for i, node in enumerate(model.graph.node) if "r1" in node.output)
    model.graph.node[place].output[0] = "r1/0"
    put(model, "Conv", ["r1/0", ones(model, (8, 8, 1, 1), 0.0)], "r1/1", place + 1)
    put(model, "Add", ["r1/0", "r1/1"], "r1", place + 2)


def identity_convolution(model: ModelProto) -> None:
    """Of one point, by the identity matrix."""
    name = stored(model, "eye", np.eye(8, dtype=np.float32)[:, :, None, None])
    behind(model, "r1", ("Conv", [name], {}))


def convolution_split(model: ModelProto) -> None:
    """Some of its channels by one, some by another."""
    node, values, bias = node_of(model, "c1"), weights(model, "w1"), weights(model, "b1")
    place = [*model.graph.node].index(node)
    options = {"strides": [1, 1], "pads": [1, 1, 1, 1]}
    for number, part in enumerate((slice(0, 3), slice(3, None))):
        inputs = [node.input[0], stored(model, f"w1/{number}", values[part])]
        inputs.append(stored(model, f"b1/{number}", bias[part]))
        put(model, "Conv", inputs, f"c1/{number}", place + number, **options)
    model.graph.node.remove(node)
    put(model, "Concat", ["c1/0", "c1/1"], "c1", place + 2, axis=1)


def rim_of_zeros(model: ModelProto) -> None:
    """A window of five for one of three."""
    replaced(model, "w1", np.pad(weights(model, "w1"), ((0, 0), (0, 0), (1, 1), (1, 1))))
    for option in node_of(model, "c1").attribute:
        if option.name == "pads":
            option.ints[:] = [2] * 4


def channels_of_zeros(model: ModelProto) -> None:
    """Of two convolutions that are added; readers skip them."""
    for name, width in (("w2", 4), ("b2", 4), ("w3", 4), ("b3", 4)):
        values = weights(model, name)
        replaced(model, name, np.pad(values, ((0, width), *((0, 0),) * (values.ndim - 1))))
    for name in ("w3", "w4"):
        replaced(model, name, np.pad(weights(model, name), ((0, 0), (0, 4), (0, 0), (0, 0))))


def computed_twice(model: ModelProto) -> None:
    """Each reader has its own."""
    put(model, "Relu", ["c0"], "r0/copy", 2)
    node_of(model, "a1").input[1] = "r0/copy"


def as_function(model: ModelProto) -> None:
    """Its body says what it is."""
    body = [helper.make_node("Relu", ["in"], ["out"])]
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_function(DOMAIN, "Opaque", ["in"], ["out"], body, opsets)
    model.functions.append(made)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    node = node_of(model, "r1")
    node.op_type, node.domain = "Opaque", DOMAIN


def custom(model: ModelProto) -> None:
    """Nothing says what it computes."""
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    node = node_of(model, "r1")
    node.op_type, node.domain = "Unheard", DOMAIN


REWRITES: dict[str, Callable[[ModelProto], None]] = {
    "Identity and Dropout": identities,
    "two Transposes that cancel": transposes,
    "Transposes around a Relu": transposes_around,
    "a branch that reaches no output": dead_end,
    "a Relu as Max(x, 0)": relu_as_max,
    "a Relu as a function of the file": as_function,
    "Mul by 1": by_one,
    "Mul by a vector of ones": by_ones,
    "Add of 0": zero_added,
    "a second Relu": double_relu,
    "Neg twice": negated_twice,
    "Split and Concat": sliced,
    "a Relu computed twice": computed_twice,
    "a convolution of zeros, added": zeros_added,
    "an identity convolution": identity_convolution,
    "a convolution split, and Concat": convolution_split,
    "a kernel with a rim of zeros": rim_of_zeros,
    "channels of zeros": channels_of_zeros,
    "a custom operator without a body": custom,
}


def rewritten(name: str) -> ModelProto:
    """The network after one rewrite."""
    model = network()
    REWRITES[name](model)
    return model


def undone(name: str) -> Json:
    """Whether the layer graph is as before a rewrite, and how many bits differ."""
    with TemporaryDirectory() as folder:
        records = []
        for place, model in enumerate((network(), rewritten(name))):
            file = Path(folder) / f"{place}.onnx"
            onnx.save(model, file)
            records.append(examine(file, digest=False))
    graphs = [record.graph for record in records if record.graph is not None]
    first, second = (HASHERS[DEFAULT_HASHER]()(graph) for graph in graphs)
    same = len({fingerprint(graph) for graph in graphs}) == 1
    layers = [len(graph.layers) for graph in graphs]
    return {"same": same, "bits": second - first, "layers": layers}
