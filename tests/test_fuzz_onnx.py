"""The ONNX reader under Hypothesis: a record or one of our errors, whatever the bytes.

Real networks are damaged, and small models are made of random operators, attributes and tensors.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import onnx
from hostile.building import FLOAT, INT64
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, defs, helper

from assay.errors import AssayError
from assay.examine import examine
from assay.formats import naming, read
from assay.values import Record

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
NETWORKS = {path.stem: path.read_bytes() for path in LIGHT}
SMALL = [name for name, content in NETWORKS.items() if len(content) < 20_000]


def outcome(content: bytes) -> Record | None:
    """The record, or None where the file is refused; anything else fails the test.

    The weights are read too, each in the shape that it is said to have.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzzed.onnx"
        path.write_bytes(content)
        try:
            record = examine(path, digest=False)
            with naming(path):
                for weight in read(path).weights.values():
                    assert weight.read().shape == weight.shape, weight.name
        except AssayError as error:
            message = str(error)
            assert message.startswith(f"{path}: ")
            assert message.isprintable()
            assert "please report" not in message, message
            return None
    text = json.dumps(record.to_json(), allow_nan=False)
    assert Record.from_json(json.loads(text)) == record
    assert 0 <= record.quality <= 1
    return record


# Real networks, damaged


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    content = bytearray(NETWORKS[draw(st.sampled_from(sorted(NETWORKS)))])
    places = st.integers(0, len(content) - 1)
    for _ in range(draw(st.integers(1, 4))):
        kind, at = draw(st.sampled_from(["flip", "set", "cut", "drop", "repeat", "splice"])), 0
        at = draw(places) % max(len(content), 1)
        end = min(len(content), at + draw(st.integers(1, 200)))
        if kind == "flip":
            content[at : at + 1] = bytes([content[at] ^ 1 << draw(st.integers(0, 7))])
        elif kind == "set":
            content[at:end] = draw(st.binary(max_size=20))
        elif kind == "cut":
            del content[at:]
        elif kind == "drop":
            del content[at:end]
        elif kind == "repeat":
            content[at:at] = content[at:end]
        else:
            other = NETWORKS[draw(st.sampled_from(sorted(NETWORKS)))]
            start = draw(st.integers(0, len(other) - 1))
            content[at:end] = other[start : start + draw(st.integers(1, 500))]
        if not content:
            return b"\0"
    return bytes(content)


@settings(max_examples=EXAMPLES)
@given(damaged())
def test_a_damaged_network_is_read_or_refused(content: bytes) -> None:
    outcome(content)


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_a_network_with_one_damaged_field_is_read_or_refused(data: st.DataObject) -> None:
    """What is no damage to protobuf: numbers, names, types and edges of a real network changed."""
    proto = ModelProto.FromString(NETWORKS[data.draw(st.sampled_from(sorted(NETWORKS)))])
    node = data.draw(st.sampled_from(list(proto.graph.node)))
    kind = data.draw(st.sampled_from(["op", "input", "output", "attribute", "dims", "swap"]))
    if kind == "op":
        node.op_type = data.draw(st.sampled_from(OPERATORS))
    elif kind == "input" and node.input:
        node.input[data.draw(st.integers(0, len(node.input) - 1))] = data.draw(_names(proto))
    elif kind == "output" and node.output:
        node.output[0] = data.draw(_names(proto))
    elif kind == "attribute":
        node.attribute.append(data.draw(attributes(node.op_type)))
    elif kind == "dims" and proto.graph.initializer:
        tensor = data.draw(st.sampled_from(list(proto.graph.initializer)))
        tensor.dims.append(data.draw(NUMBERS))
    else:
        other = data.draw(st.sampled_from(list(proto.graph.node)))
        kept = NodeProto.FromString(node.SerializeToString())
        node.CopyFrom(other)
        other.CopyFrom(kept)
    outcome(proto.SerializeToString())


def _names(proto: ModelProto) -> st.SearchStrategy[str]:
    written = [name for node in proto.graph.node for name in node.output]
    return st.sampled_from([*written, "", "ghost"])


# Small models of random parts

OPERATORS = sorted({schema.name for schema in defs.get_all_schemas() if schema.domain == ""})
FOREIGN = ["FusedConv", "FusedGemm", "FusedMatMul", "QGemm", "QLinearAdd", "QLinearConcat"]
FOREIGN += ["MatMulNBits", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MultiHeadAttention"]
FOREIGN += ["BiasGelu", "QuickGelu", "SkipLayerNormalization", "QLinearSoftmax", "Unknown"]
NUMBERS = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([2**31, 2**62, -(2**62), 2**63 - 1, -(2**63), 1024, 256, 7]),
)
REALS = st.sampled_from([0.0, 1.0, 0.5, -1.0, math.inf, -math.inf, math.nan, 3e38, 1e-40, 2.0])
TEXTS = st.sampled_from(["", "SAME_UPPER", "VALID", "nearest", "ij,jk->ik", "->", "Relu", "\x1b["])
SIZES = st.lists(st.sampled_from([0, 1, 2, 3, 8]), max_size=5)


@st.composite
def tensors(draw: st.DrawFn, name: str = "") -> TensorProto:
    """Mostly sound; numbers that shape arithmetic might read, among them absurd ones."""
    dims = draw(SIZES)
    count = math.prod(dims)
    if draw(st.integers(0, 19)) == 0:
        content = draw(st.binary(max_size=20))
        return TensorProto(
            name=name, data_type=draw(st.integers(0, 30)), dims=dims, raw_data=content
        )
    dtype = draw(st.sampled_from([FLOAT, INT64, INT64, TensorProto.BOOL, TensorProto.FLOAT16, 3]))
    if dtype not in (FLOAT, INT64) or count > 16:
        return helper.make_tensor(name, dtype, dims, [draw(st.integers(0, 1))] * count)
    numbers = st.lists(REALS if dtype == FLOAT else NUMBERS, min_size=count, max_size=count)
    return helper.make_tensor(name, dtype, dims, draw(numbers))


def values_of(kind: str) -> st.SearchStrategy[Any]:
    """Values of one of ONNX's attribute types."""
    return {
        "INT": NUMBERS,
        "INTS": st.lists(NUMBERS, min_size=1, max_size=6),
        "FLOAT": REALS,
        "FLOATS": st.lists(REALS, min_size=1, max_size=6),
        "STRING": TEXTS,
        "STRINGS": st.lists(TEXTS, min_size=1, max_size=3),
        "TENSOR": tensors(),
        "GRAPH": st.deferred(bodies),
        "SPARSE_TENSOR": tensors().map(_sparse),
    }.get(kind, NUMBERS)


def _sparse(values: TensorProto) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(values, helper.make_tensor("i", INT64, [1], [0]), [4, 4])


@st.composite
def attributes(draw: st.DrawFn, op: str) -> AttributeProto:
    """One that the operator has, of the right type; at times of another, or one of another's."""
    known = _schema(op).attributes if _schema(op) else {}
    if known and draw(st.integers(0, 9)):
        name = draw(st.sampled_from(sorted(known)))
        return helper.make_attribute(name, draw(values_of(_type_of(known[name]))))
    name = draw(
        st.sampled_from(["axis", "strides", "kernel_shape", "group", "min", "K", "scanned"])
    )
    kind = draw(st.sampled_from(["INT", "INTS", "FLOAT", "STRING"]))
    return helper.make_attribute(name, draw(values_of(kind)))


def _schema(op: str) -> Any:
    return defs.get_schema(op, "") if defs.has(op, "") else None


def _type_of(attribute: Any) -> str:
    return str(attribute.type).rpartition(".")[2]


@st.composite
def nodes(draw: st.DrawFn, place: int) -> NodeProto:
    op, domain, fewest, most, results = draw(st.sampled_from(FOREIGN)), "com.microsoft", 3, 9, 2
    schema = None
    if draw(st.integers(0, 9)):
        op, domain = draw(st.sampled_from(OPERATORS)), ""
        schema = _schema(op)
        fewest, results = schema.min_input, schema.max_output
        most = min(schema.max_input, fewest + 3)
    count = draw(st.integers(fewest, most)) if draw(st.integers(0, 29)) else draw(st.integers(0, 9))
    known = ["x", "w0", "w1", "w2", "x", *(f"t{i}" for i in range(place))]
    inputs = [draw(st.sampled_from([*known, ""] if i >= fewest else known)) for i in range(count)]
    node = helper.make_node(op, inputs, [f"t{place}"], domain=domain)
    if results > 1 and draw(st.booleans()):
        node.output.append(f"u{place}")
    for name in sorted(schema.attributes) if schema else []:
        attribute = schema.attributes[name]
        if attribute.required or draw(st.integers(0, 3)) == 0:
            value = draw(values_of(_type_of(attribute)))
            node.attribute.append(helper.make_attribute(name, value))
    if draw(st.integers(0, 9)) == 0:
        node.attribute.append(draw(attributes(op)))
    return node


@st.composite
def bodies(draw: st.DrawFn) -> onnx.GraphProto:
    inputs = [
        helper.make_tensor_value_info(n, FLOAT, None) for n in draw(st.sampled_from(["", "abc"]))
    ]
    relu = helper.make_node("Relu", [draw(st.sampled_from(["x", "a", "w1"]))], ["v"])
    outputs = [
        helper.make_tensor_value_info(n, FLOAT, None)
        for n in draw(st.sampled_from(["v", "vv", "vvx"]))
    ]
    return helper.make_graph([relu], "body", inputs, outputs)


@st.composite
def models(draw: st.DrawFn) -> bytes:
    count = draw(st.integers(1, 8))
    made = [draw(nodes(place)) for place in range(count)]
    shape = draw(st.one_of(st.none(), st.lists(st.sampled_from(["N", 1, 3, 8, 0]), max_size=5)))
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", draw(st.sampled_from([FLOAT, INT64])), shape)],
        [helper.make_tensor_value_info(f"t{i}", FLOAT, None) for i in range(count)],
        [draw(tensors(f"w{i}")) for i in range(3)],
    )
    opset = helper.make_opsetid("", draw(st.sampled_from([7, 9, 11, 13, 17, 21, 22])))
    return bytes(helper.make_model(graph, opset_imports=[opset]).SerializeToString())


INFINITE_PLACE = bytes.fromhex(  # SequenceAt reads its place from a float that is infinite
    "080e3a570a190a01780a02773012027430220a53657175656e636541743a001201672a0c10012204"
    "0000807f420277302a081000420277314a002a081000420277324a005a090a017812040a02080162"
    "0a0a02743012040a02080142040a001007"
)


@settings(max_examples=4 * EXAMPLES)
@example(INFINITE_PLACE)
@given(models())
def test_a_model_of_random_parts_is_read_or_refused(content: bytes) -> None:
    outcome(content)
