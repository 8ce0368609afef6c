"""ATen's recurrent layers in ONNX's words [ATen: lstm, gru, rnn_tanh, rnn_relu and their cells].

PyTorch lists a gate's rows as input, forget, cell, output (LSTM) and reset, update, new (GRU); ONNX
as input, output, forget, cell and update, reset, hidden.  The rows are cut and joined in the graph,
so that the weights are known by the layer that reads them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.layers import linear
from assay.vocabularies.torchscript.moves import chunk, cut
from assay.vocabularies.torchscript.values import Traced, Value

Rule = Callable[..., Value]
_ORDERS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
_MOST_LAYERS = 256


def _gates(g: TorchGraph, weight: Traced, op: str) -> Traced:
    """The rows of a weight in ONNX's order."""
    order = _ORDERS[op]
    if len(order) == 1:
        return weight
    hidden = g.sizes(weight)[0] // len(order)
    parts = [cut(g, weight, 0, gate * hidden, (gate + 1) * hidden) for gate in order]
    return g.add("Concat", parts, {"axis": 0})


def _directions(g: TorchGraph, parts: list[Traced]) -> Traced:
    stacked = [g.add("Unsqueeze", [part, np.array([0])]) for part in parts]
    return stacked[0] if len(stacked) == 1 else g.add("Concat", stacked, {"axis": 0})


def _bias(g: TorchGraph, own: Traced, recurrent: Traced, op: str) -> Traced:
    return g.add("Concat", [_gates(g, own, op), _gates(g, recurrent, op)], {"axis": 0})


def _recurrent(op: str, activation: str = "") -> Rule:
    def layer(
        g: TorchGraph,
        x: Traced,
        hx: Value,
        params: list[Traced],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool = False,
    ) -> Value:
        if not isinstance(has_biases, bool) or not 0 < num_layers <= _MOST_LAYERS:
            raise ValueError("a packed sequence")
        g.need(x, [None, None, g.sizes(params[0])[1]])
        states = [hx] if isinstance(hx, Traced) else list(hx)
        if batch_first:
            x = g.add("Transpose", [x], {"perm": (1, 0, 2)})
        directions, each = 1 + bidirectional, 4 if has_biases else 2
        hidden = g.sizes(params[1])[1]
        attributes = {
            "hidden_size": hidden,
            "direction": "bidirectional" if bidirectional else "forward",
            **({"linear_before_reset": 1} if op == "GRU" else {}),
            **({"activations": (activation,) * directions} if activation else {}),
        }
        lasts: list[list[Traced]] = [[] for _ in states]
        for number in range(num_layers):
            at = number * directions
            own = [params[(at + d) * each : (at + d + 1) * each] for d in range(directions)]
            weights = [_directions(g, [_gates(g, p[k], op) for p in own]) for k in (0, 1)]
            bias = _directions(g, [_bias(g, p[2], p[3], op) for p in own]) if has_biases else None
            first = [cut(g, state, 0, at, at + directions) for state in states]
            outputs = g.several(op, [x, *weights, bias, None, *first], 1 + len(states), attributes)
            whole = g.add("Transpose", [outputs[0]], {"perm": (0, 2, 1, 3)})
            x = g.add("Reshape", [whole, np.array([0, 0, -1])])
            for last, output in zip(lasts, outputs[1:], strict=True):
                last.append(output)
        if batch_first:
            x = g.add("Transpose", [x], {"perm": (1, 0, 2)})
        joined = [g.add("Concat", last, {"axis": 0}) for last in lasts]
        return x, *joined

    return layer


def _lstm_cell(
    g: TorchGraph,
    x: Traced,
    hx: list[Traced],
    w_ih: Traced,
    w_hh: Traced,
    b_ih: Traced | None = None,
    b_hh: Traced | None = None,
) -> Value:
    """One step of an LSTM, taken apart."""
    h, c = hx
    sums = g.add("Add", [linear(g, x, w_ih, b_ih), linear(g, h, w_hh, b_hh)])
    i, f, n, o = chunk(g, sums, 4, 1)
    keep = g.add("Mul", [g.add("Sigmoid", [f]), c])
    new = g.add("Mul", [g.add("Sigmoid", [i]), g.add("Tanh", [n])])
    cell = g.add("Add", [keep, new])
    return g.add("Mul", [g.add("Sigmoid", [o]), g.add("Tanh", [cell])]), cell


def _gru_cell(
    g: TorchGraph,
    x: Traced,
    h: Traced,
    w_ih: Traced,
    w_hh: Traced,
    b_ih: Traced | None = None,
    b_hh: Traced | None = None,
) -> Traced:
    """One step of a GRU, taken apart."""
    own = chunk(g, linear(g, x, w_ih, b_ih), 3, 1)
    back = chunk(g, linear(g, h, w_hh, b_hh), 3, 1)
    reset, update = (g.add("Sigmoid", [g.add("Add", [own[k], back[k]])]) for k in (0, 1))
    new = g.add("Tanh", [g.add("Add", [own[2], g.add("Mul", [reset, back[2]])])])
    difference = g.add("Sub", [h, new])
    return g.add("Add", [g.add("Mul", [difference, update]), new])


RECURRENT: dict[str, Rule] = {
    "lstm": _recurrent("LSTM"),
    "gru": _recurrent("GRU"),
    "rnn_tanh": _recurrent("RNN"),
    "rnn_relu": _recurrent("RNN", "Relu"),
    "lstm_cell": _lstm_cell,
    "gru_cell": _gru_cell,
}
