"""TensorFlow Lite's operators that look values up, or say where they are, in ONNX's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.errors import UnreadableModel
from assay.vocabularies.tflite.moves import Rule, axis_of, integer, parts_of, plain, single
from assay.vocabularies.tflite.schema import StoredOperator

if TYPE_CHECKING:
    from assay.vocabularies.tflite.graph import Writer


def _gather(writer: Writer, node: StoredOperator) -> None:
    """GATHER reads the table, then the places; EMBEDDING_LOOKUP the places first."""
    table, places = node.inputs[:2] if node.op == "GATHER" else node.inputs[1::-1]
    rank = len(writer.shape(table))
    if node.op == "GATHER" and integer(node, 1):  # places of each batch
        writer.opaque(node)
        return
    axis = axis_of(integer(node, 0) if node.op == "GATHER" else 0, rank, first=False)
    inputs = (writer.read(table), writer.read(places))
    writer.emit("Gather", inputs, node.outputs[0], {"axis": axis})


def _arg(writer: Writer, node: StoredOperator) -> None:
    rank = len(writer.shape(node.inputs[0]))
    axis = axis_of(single(writer, node.inputs[1], node.op), rank, first=False)
    op = {"ARG_MAX": "ArgMax"}.get(node.op, "ArgMin")
    attributes = {"axis": axis, "keepdims": 0}
    writer.emit(op, (writer.read(node.inputs[0]),), node.outputs[0], attributes)


def _one_hot(writer: Writer, node: StoredOperator) -> None:
    """The values of hits and misses are two inputs; ONNX has both in one, misses first."""
    one = writer.vector((1,))
    on, off = (writer.step("Reshape", (writer.read(place), one)) for place in node.inputs[2:4])
    values = writer.step("Concat", (off, on), {"axis": 0})
    names = (*(writer.read(place) for place in node.inputs[:2]), values)
    writer.emit("OneHot", names, node.outputs[0], {"axis": integer(node, 0, -1)})


def _top_k(writer: Writer, node: StoredOperator) -> None:
    if len(node.outputs) != 2:
        raise UnreadableModel(f"{node.op} has {len(node.outputs)} outputs")
    count = writer.step("Reshape", (writer.read(node.inputs[1]), writer.vector((1,))))
    inputs = (writer.read(node.inputs[0]), count)
    parts_of(writer, node, ("TopK", inputs, {"axis": -1}))


def _cumulated(writer: Writer, node: StoredOperator) -> None:
    flags = (False, False) if node.options is None else map(node.options.flag, (0, 1))
    attributes = dict(zip(("exclusive", "reverse"), map(int, flags), strict=True))
    inputs = [writer.read(place) for place in node.inputs[:2]]
    writer.emit("CumSum", inputs, node.outputs[0], attributes)


LOOKUPS: dict[str, Rule] = {
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _arg),
    **dict.fromkeys(("GATHER", "EMBEDDING_LOOKUP"), _gather),
    "ONE_HOT": _one_hot,
    "TOPK_V2": _top_k,
    "GATHER_ND": plain("GatherND", (0, 1)),
    "CUMSUM": _cumulated,
}
