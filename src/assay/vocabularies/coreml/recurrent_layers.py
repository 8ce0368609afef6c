"""Recurrent layers of Core ML neural networks, in ONNX's words [NeuralNetwork.proto].

Each gate has matrices of its own, which are read as one: i f c o, or r z h, as canonical has them.
The first axis of what goes in is the sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.vocabularies.coreml.network import Layer
from assay.vocabularies.coreml.parameters import stored
from assay.vocabularies.coreml.recurrent import Cell, add
from assay.weights.layout import Stored
from assay.weights.shapes import shape_of

# Fields of the gates, in canonical order: input matrices, recursion matrices, biases.
_LSTM = ((1, 2, 3, 4), (20, 21, 22, 23), (40, 41, 42, 43))
_GRU = ((31, 30, 32), (51, 50, 52), (71, 70, 72))
_RNN = ((30,), (31,), (32,))
_PEEPHOLES = (60, 62, 61)  # as ONNX has them: i o f
_LSTM_KINDS = {420: 1, 430: 2}  # directions


def _gates(name: str, params: Message, fields: Sequence[int], shape: tuple[int, ...]) -> Stored:
    """The tensors of the gates, each of ``shape``, one above the other."""
    parts = [stored(name, params.message(field), shape) for field in fields]
    whole = shape_of(f"tensor {name!r}", (shape[0] * len(parts), *shape[1:]))
    return Stored(whole, parts[0].dtype, lambda: np.concatenate([part.read() for part in parts]))


def _cell(
    layer: Layer, params: Message, fields: Sequence[Sequence[int]], options: Mapping[str, bool]
) -> Cell:
    """The weights of one direction."""
    inputs, hidden = layer.options.integer(1), layer.options.integer(2)
    if hidden < 1:
        raise UnreadableModel(f"layer {layer.name[:80]!r} has no outputs")
    shapes = {"weights": (hidden, inputs), "recursion": (hidden, hidden), "bias": (hidden,)}
    names = dict.fromkeys((*shapes, "peephole"), "")
    for (what, shape), numbers in zip(shapes.items(), fields, strict=True):
        if what != "bias" or options["bias"]:
            found = _gates(f"{layer.name}/{what}", params, numbers, shape)
            names[what] = layer.keep(what, found)
    if options.get("peephole"):
        found = _gates(f"{layer.name}/peephole", params, _PEEPHOLES, (hidden,))
        names["peephole"] = layer.keep("peephole", found)
    return Cell(names["weights"], names["recursion"], names["bias"], names["peephole"])


def _lstm(layer: Layer) -> None:
    options = layer.options.message(15)
    has = {"bias": bool(options.integer(20)), "peephole": bool(options.integer(40))}
    directions = layer.options.messages(20)
    if len(directions) != _LSTM_KINDS[layer.kind]:
        raise UnreadableModel(f"layer {layer.name[:80]!r} has {len(directions)} directions")
    cells = [_cell(layer, params, _LSTM, has) for params in directions]
    _emit(layer, "LSTM", cells, bool(options.integer(10)))


def _gru(layer: Layer) -> None:
    has = {"bias": bool(layer.options.integer(20))}
    cells = [_cell(layer, layer.options, _GRU, has)]
    _emit(layer, "GRU", cells, bool(layer.options.integer(15)))


def _rnn(layer: Layer) -> None:
    has = {"bias": bool(layer.options.integer(20))}
    cells = [_cell(layer, layer.options, _RNN, has)]
    _emit(layer, "RNN", cells, bool(layer.options.integer(15)))


def _emit(layer: Layer, op: str, cells: Sequence[Cell], every: bool) -> None:
    """Sequence, features in; sequence or one, features out; states as vectors.

    Blobs of five axes have a batch of their own.
    """
    if not layer.outputs:
        raise UnreadableModel(f"layer {layer.name[:80]!r} writes nothing")
    build, inputs = layer.build, layer.options.integer(1)
    direction = "reverse" if layer.options.integer(100) else "forward"
    attributes: dict[str, Any] = {"direction": "bidirectional" if len(cells) > 1 else direction}
    five = layer.network.is_exact and layer.rank > 2
    x = build.add("Reshape", [layer.x, build.constant([0, 0, inputs] if five else [0, 1, inputs])])
    width = len(cells) * layer.options.integer(2)
    states = []
    for place in range(1, 3 if op == "LSTM" else 2):
        given = [layer.inputs[i] for i in _places(place, len(cells)) if i < len(layer.inputs)]
        if len(given) == len(cells):
            flat = build.constant([-1, layer.options.integer(2)])
            rows = [build.add("Reshape", [name, flat]) for name in given]
            states.append(rows[0] if len(rows) == 1 else build.add("Concat", rows, "", {"axis": 1}))
    all_steps, last, cell = add(build, op, x, cells, states, attributes)
    if every:
        shape = [0, 0, width, 1, 1] if five else [0, width]
        turned = build.transpose(all_steps, (0, 2, 1, 3))
        build.add("Reshape", [turned, build.constant(shape)], layer.outputs[0])
    else:
        turned = build.transpose(last, (1, 0, 2))
        shape = [1, -1, width, 1, 1] if five else [-1, width]
        build.add("Reshape", [turned, build.constant(shape)], layer.outputs[0])
    _states(layer, [last, cell] if op == "LSTM" else [last], len(cells), five)


def _states(layer: Layer, names: Sequence[str], directions: int, five: bool) -> None:
    """The states as further outputs: those of the way there, then those of the way back."""
    build, hidden = layer.build, layer.options.integer(2)
    shape = build.constant([1, -1, hidden, 1, 1] if five else [-1, hidden])
    parts = [[build.fresh(name) for name in names] for _ in range(directions)]
    for name, each in zip(names, zip(*parts, strict=True), strict=True):
        build.add("Split", [name], each, {"axis": 0})
    flat = [part for direction in parts for part in direction]
    for part, output in zip(flat, layer.outputs[1:], strict=False):
        build.add("Reshape", [part, shape], output)


def _places(place: int, directions: int) -> tuple[int, ...]:
    """The inputs that are a state: h, c, and then those of the way back."""
    return (place,) if directions == 1 else (place, place + 2)


RULES: Mapping[int, Callable[[Layer], None]] = {
    400: _rnn,
    410: _gru,
    420: _lstm,
    430: _lstm,
}
