"""Recurrent layers of Core ML, of programs and of networks, in ONNX's words.

[coremltools, lstm, gru and rnn; NeuralNetwork.proto] Core ML keeps the gates in other orders than
ONNX, two directions apart, and one bias for input and state.  Canonical is i f c o and r z h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.errors import UnreadableModel
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.coreml.arguments import Op
from assay.weights import Weight
from assay.weights.layout import Stored

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_ORDER = {"LSTM": (0, 1, 3, 2), "GRU": (0, 2, 1), "RNN": (0,)}  # of i f o c and r h z: canonical
_BIAS = 2  # ONNX has one for the input and one for the state


@dataclass(frozen=True)
class Cell:
    """The weights of one direction, by name; "" where the layer has none."""

    weight: str
    recursion: str
    bias: str = ""
    peephole: str = ""


def add(
    build: GraphBuilder,
    op: str,
    x: str,
    cells: Sequence[Cell],
    states: Sequence[str],
    attributes: Mapping[str, Any],
) -> tuple[str, str, str]:
    """The operator; the names of all its outputs and the last ones, as ONNX has them.

    ``x`` is sequence, batch, features; ``states`` are batch, directions · hidden.
    """
    count, hidden = len(cells), _hidden(build, cells[0].recursion)
    both = (_joined(build, [getattr(c, key) for c in cells]) for key in ("weight", "recursion"))
    inputs = [x, *both, "", ""]
    if all(cell.bias for cell in cells):
        inputs[3] = build.fresh(op)
        build.untyped(inputs[3], (count, _BIAS * GATES[op] * hidden))
    for state in states:
        shape = build.constant([-1, count, hidden])
        inputs.append(build.transpose(build.add("Reshape", [state, shape]), (1, 0, 2)))
    if all(cell.peephole for cell in cells) and op == "LSTM":
        inputs += [""] * (7 - len(inputs))
        inputs.append(build.fresh(op))
        build.untyped(inputs[-1], (count, 3 * hidden))
    outputs = [build.fresh(op) for _ in range(3 if op == "LSTM" else 2)]
    build.add(op, inputs, outputs, {"hidden_size": hidden, **attributes})
    return outputs[0], outputs[1], outputs[-1]


def _hidden(build: GraphBuilder, recursion: str) -> int:
    shape = build.known(recursion).shape or ()
    if len(shape) != 2 or shape[1] < 1:
        raise UnreadableModel("a recurrent layer whose recursion matrix has no two axes")
    return shape[1]


def _joined(build: GraphBuilder, names: Sequence[str]) -> str:
    """The matrices of all directions, one above the other."""
    axis = build.constant([0])
    upright = [build.add("Unsqueeze", [name, axis]) for name in names]
    return upright[0] if len(upright) == 1 else build.add("Concat", upright, "", {"axis": 0})


def translate(op: Op) -> None:
    """A recurrent operation of a program."""
    kind = op.kind.upper()
    direction = op.text("direction", "forward")
    two = direction == "bidirectional"
    cells = [_cell(op, kind, suffix) for suffix in (("", "_back") if two else ("",))]
    states = [name for key in ("initial_h", "initial_c") for name in op.names(key)]
    for name in states:
        op.program.stored.pop(name, None)  # where a sequence begins is no weight
    attributes: dict[str, Any] = {"direction": direction}
    if kind == "GRU":
        attributes["linear_before_reset"] = op.integer("reset_after", 0)
    every, last, cell = add(op.build, kind, op.one("x"), cells, states, attributes)
    outputs = op.operation.outputs
    if op.integer("output_sequence", 0):
        _flat(op.build, every, (0, 2, 1, 3), [0, 0, -1], outputs[0])
    else:
        _flat(op.build, last, (1, 0, 2), [1, 0, -1], outputs[0])
    for output, state in zip(outputs[1:], (last, cell), strict=False):
        _flat(op.build, state, (1, 0, 2), [0, -1], output)


def _cell(op: Op, kind: str, suffix: str) -> Cell:
    names = {key: op.one(f"{key}{suffix}") for key in ("weight_ih", "weight_hh")}
    names |= {key: name for key in ("bias", "peephole") for name in op.names(f"{key}{suffix}")[:1]}
    for key in ("weight_ih", "weight_hh", "bias"):
        stored = op.program.stored.get(names.get(key, ""))
        if stored is not None:
            weight = canonical(names[key], stored, _ORDER[kind])
            op.program.canonical[weight.name] = weight
    bias, peephole = names.get("bias", ""), names.get("peephole", "")
    return Cell(names["weight_ih"], names["weight_hh"], bias, peephole)


def canonical(name: str, stored: Stored, order: Sequence[int]) -> Weight:
    """A weight of gates, one above the other, in another order."""
    if not stored.shape or stored.shape[0] % len(order):
        raise UnreadableModel(f"the weight {name[:80]!r} is not of {len(order)} gates")

    def read() -> Any:
        parts = np.split(stored.read(), len(order))
        return np.concatenate([parts[gate] for gate in order])

    return Weight(name, stored.shape, stored.dtype, read, True)


def _flat(
    build: GraphBuilder, name: str, axes: Sequence[int], shape: Sequence[int], output: str
) -> None:
    """Directions beside each other, in the last axis."""
    turned = build.transpose(name, axes)
    build.add("Reshape", [turned, build.constant(list(shape))], output)
