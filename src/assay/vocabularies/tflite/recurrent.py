"""TensorFlow Lite's recurrent layers in ONNX's operators [TensorFlow Lite, LSTM].

The file has a matrix for each gate, in the order input, forget, cell, output; ONNX has one for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.graphs.operators import FLOAT, Shape, Tensor
from assay.vocabularies.tflite.schema import StoredOperator

if TYPE_CHECKING:
    from assay.vocabularies.tflite.graph import Writer

_IOFC = (0, 3, 1, 2)  # ONNX's order of the gates


def lstm(writer: Writer, node: StoredOperator) -> None:
    """One direction without peepholes or projection; ONNX joins what the file has gate by gate."""
    x = node.inputs[0]
    into, over = node.inputs[1:5], node.inputs[5:9]
    plain = len(node.inputs) >= 16 and not any(i >= 0 for i in node.inputs[9:12])
    plain = plain and not any(i >= 0 for i in (*node.inputs[16:18], *node.inputs[20:24]))
    plain = plain and not any(i < 0 or not writer.is_constant(i) for i in (*into, *over))
    if not plain or len(writer.shape(x)) != 3 or not writer.shape(over[0]):
        writer.opaque(node)
        return
    hidden = writer.shape(over[0])[0]
    names = [_joined(writer, places) for places in (into, over)]
    if all(place >= 0 for place in node.inputs[12:16]):
        size = len(_IOFC) * hidden
        zeros = np.broadcast_to(np.float32(0), (size,))  # ONNX has a second bias, which adds up
        none = writer.own(Tensor(FLOAT, (size,), zeros, True))
        names.append(_joined(writer, node.inputs[12:16], none))
    name, time_major = writer.read(x), node.options is not None and node.options.flag(3)
    if not time_major:
        name = writer.turned(name, (1, 0, 2))
    made = writer.step("LSTM", (name, *names), {"hidden_size": hidden})
    one = writer.vector((1,))
    if time_major:
        writer.emit("Squeeze", (made, one), node.outputs[0])
        return
    made = writer.step("Squeeze", (made, one))
    writer.emit("Transpose", (made,), node.outputs[0], {"perm": (1, 0, 2)})


def _joined(writer: Writer, gates: Shape, *more: str) -> str:
    """One tensor of all gates, for one direction."""
    parts = [writer.read(gates[i]) for i in _IOFC]
    whole = writer.step("Concat", (*parts, *more), {"axis": 0})
    return writer.step("Unsqueeze", (whole, writer.vector((0,))))
