"""Every disguise we know of, on real networks: the layer graph comes out as before.

Each function changes how a network is written, not what it computes.  A new evasion that is learned
of goes here as one more function.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from assay.comparisons import kin
from assay.examine import examine
from assay.graphs.neighborhoods import fingerprint
from assay.values import Relation

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
NETWORKS = ("light_resnet50", "light_squeezenet", "light_shufflenet", "light_inception_v2")
Disguise = Callable[[ModelProto], None]


def nodes_of(model: ModelProto, op: str) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type == op]


def insert_after(model: ModelProto, node: NodeProto, new: NodeProto) -> None:
    """``new`` reads what ``node`` wrote under a new name, and writes it under the old one."""
    (old,) = new.output
    place = list(model.graph.node).index(node)
    node.output[0] = new.input[0]
    model.graph.node.insert(place + 1, new)
    assert new.output[0] == old


def everything_renamed(model: ModelProto) -> None:
    names = {"": ""}

    def rename(name: str) -> str:
        return names.setdefault(name, f"t{len(names)}")

    for tensor in model.graph.initializer:
        tensor.name = rename(tensor.name)
    for value in (*model.graph.input, *model.graph.output):
        value.name = rename(value.name)
    for place, node in enumerate(model.graph.node):
        node.name = f"mine_{place}"
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
    del model.graph.value_info[:]
    model.producer_name = model.graph.name = "mine"


def listed_in_another_valid_order(model: ModelProto) -> None:
    shuffle = random.Random(0)
    known = {t.name for t in model.graph.initializer} | {v.name for v in model.graph.input} | {""}
    waiting, listed = list(model.graph.node), []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        node = shuffle.choice(ready)
        waiting.remove(node)
        listed.append(node)
        known.update(node.output)
    del model.graph.node[:]
    model.graph.node.extend(listed)


def identities_inserted(model: ModelProto) -> None:
    for place, node in enumerate(nodes_of(model, "Relu")):
        name = node.output[0]
        kind = ("Identity", "Dropout", "Identity")[place % 3]
        insert_after(model, node, helper.make_node(kind, [f"{name}/inner"], [name]))


def casts_there_and_back(model: ModelProto) -> None:
    for node in nodes_of(model, "Conv")[::3]:
        name = node.output[0]
        back = helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT)
        insert_after(model, node, back)
        there = helper.make_node(
            "Cast", [f"{name}/inner"], [f"{name}/half"], to=TensorProto.FLOAT16
        )
        insert_after(model, node, there)


def relu_as_clip(model: ModelProto) -> None:
    for node in nodes_of(model, "Relu"):
        node.op_type = "Clip"
        node.attribute.append(helper.make_attribute("min", 0.0))


def relu_as_max(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "zero"))
    for node in nodes_of(model, "Relu"):
        node.op_type = "Max"
        node.input.append("zero")


def batch_norm_as_mul_and_add(model: ModelProto) -> None:
    """Scale and shift for each channel, as after constant folding."""
    for node in nodes_of(model, "BatchNormalization"):
        name, scale, shift = node.output[0], f"{node.output[0]}/scale", f"{node.output[0]}/shift"
        channels = length_of(model, node.input[1])
        for constant in (scale, shift):
            values = np.ones((1, channels, 1, 1), np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, constant))
        node.op_type = "Mul"
        node.input[:] = [node.input[0], scale]
        del node.attribute[:]
        insert_after(model, node, helper.make_node("Add", [f"{name}/inner", shift], [name]))


def batch_norm_folded(model: ModelProto) -> None:
    """The convolution before gets a bias, the batch norm goes."""
    writers = {name: node for node in model.graph.node for name in node.output}
    for node in nodes_of(model, "BatchNormalization"):
        before = writers.get(node.input[0])
        if before is None or before.op_type != "Conv":
            continue
        if len(before.input) < 3:
            before.input.append(node.input[2])
        before.output[0] = node.output[0]
        model.graph.node.remove(node)


def length_of(model: ModelProto, name: str) -> int:
    """The length of a vector, stored or made with ConstantOfShape."""
    stored = {t.name: t for t in model.graph.initializer}
    if name in stored:
        return stored[name].dims[0]
    maker = next(node for node in model.graph.node if name in node.output)
    return int(numpy_helper.to_array(stored[maker.input[0]])[0])


def dead_layers_added(model: ModelProto) -> None:
    for place, node in enumerate(nodes_of(model, "Relu")):
        dead = helper.make_node("Sigmoid", [node.output[0]], [f"dead{place}"])
        model.graph.node.append(dead)


def hidden_in_a_branch(model: ModelProto) -> None:
    """The whole network stands in the branch of an If that is always taken."""
    graph = model.graph
    outputs = [value.name for value in graph.output]
    body = helper.make_graph(list(graph.node), "taken", [], list(graph.output))
    other = helper.make_graph(
        [helper.make_node("Identity", [graph.input[0].name], ["other"])],
        "never",
        [],
        [helper.make_empty_tensor_value_info("other")],
    )
    del graph.node[:]
    graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    inner = [f"{name}/inner" for name in outputs]
    for value, name in zip(body.output, inner, strict=True):
        for node in body.node:
            node.output[:] = [name if o == value.name else o for o in node.output]
        value.name = name
    graph.node.append(
        helper.make_node("If", ["always"], outputs, then_branch=body, else_branch=other)
    )


def hidden_in_a_function(model: ModelProto) -> None:
    """Each Relu is a call of a function of the model's own."""
    relu = helper.make_function(
        "mine", "Act", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], model.opset_import
    )
    model.functions.append(relu)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    for node in nodes_of(model, "Relu"):
        node.op_type, node.domain = "Act", "mine"


def quantized_and_back(model: ModelProto) -> None:
    for node in nodes_of(model, "Relu"):
        name, scale = node.output[0], f"{node.output[0]}/scale"
        model.graph.initializer.append(numpy_helper.from_array(np.float32(0.1), scale))
        inner = [f"{name}/inner", scale]
        back = helper.make_node("DequantizeLinear", [f"{name}/q", scale], [name])
        insert_after(model, node, back)
        insert_after(model, node, helper.make_node("QuantizeLinear", inner, [f"{name}/q"]))


def transposed_there_and_back(model: ModelProto) -> None:
    for node in nodes_of(model, "Relu")[::4]:
        name = node.output[0]
        back = helper.make_node("Transpose", [f"{name}/t"], [name], perm=[0, 2, 3, 1])
        insert_after(model, node, back)
        there = helper.make_node("Transpose", [f"{name}/inner"], [f"{name}/t"], perm=[0, 3, 1, 2])
        insert_after(model, node, there)


DISGUISES: tuple[Disguise, ...] = (
    everything_renamed,
    listed_in_another_valid_order,
    identities_inserted,
    casts_there_and_back,
    relu_as_clip,
    relu_as_max,
    batch_norm_as_mul_and_add,
    batch_norm_folded,
    dead_layers_added,
    hidden_in_a_branch,
    hidden_in_a_function,
    quantized_and_back,
    transposed_there_and_back,
)
OF_BATCH_NORMS = (batch_norm_as_mul_and_add, batch_norm_folded)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda disguise: disguise.__name__)
def test_a_disguised_network_keeps_its_layer_graph(
    network: str, disguise: Disguise, tmp_path: Path
) -> None:
    original = LIGHT / f"{network}.onnx"
    model = onnx.load(original)
    before = model.SerializeToString()
    normalized = bool(nodes_of(model, "BatchNormalization"))
    disguise(model)
    changed = model.SerializeToString() != before
    assert changed == (normalized or disguise not in OF_BATCH_NORMS)
    path = tmp_path / "suspect.onnx"
    onnx.save(model, path)
    source, suspect = examine(original), examine(path)
    assert source.graph is not None
    assert suspect.graph is not None
    assert fingerprint(suspect.graph) == fingerprint(source.graph)
    assert suspect.code == source.code
    assert kin(suspect, source).relation in (Relation.SAME_ARCHITECTURE, Relation.IDENTICAL)


@pytest.mark.parametrize("network", NETWORKS)
def test_all_disguises_together_keep_the_code(network: str, tmp_path: Path) -> None:
    model = onnx.load(LIGHT / f"{network}.onnx")
    for disguise in (
        identities_inserted,
        relu_as_max,
        quantized_and_back,
        batch_norm_folded,
        dead_layers_added,
        everything_renamed,
        listed_in_another_valid_order,
    ):
        disguise(model)
    path = tmp_path / "suspect.onnx"
    onnx.save(model, path)
    assert examine(path).code == examine(LIGHT / f"{network}.onnx").code


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("op", ["Foo", "Foo+Conv", "MaxPool"])
def test_a_layer_of_absurd_attributes_does_not_move_the_code_far(
    network: str, op: str, tmp_path: Path
) -> None:
    """Its numbers are cut off: one layer counts as one of many."""
    original = LIGHT / f"{network}.onnx"
    model = onnx.load(original)
    domain = "" if op == "MaxPool" else "custom"
    sizes = {"kernel_shape": [2**62] * 2, "strides": [2**62] * 2, "group": 2**62}
    end = model.graph.output[0]
    if op == "MaxPool":
        del sizes["group"]
    node = helper.make_node(op, [end.name], ["absurd"], domain=domain, **sizes)
    model.graph.node.append(node)
    end.name = "absurd"
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    suspect = tmp_path / "suspect.onnx"
    onnx.save(model, suspect)
    moved = examine(suspect).code - examine(original).code  # type: ignore[operator]
    assert moved <= 8
