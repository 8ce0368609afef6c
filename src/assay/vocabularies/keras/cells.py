"""What a cell of Keras' recurrent layers computes, in ONNX's words [Keras layers API].

Keras lists the gates of a bias as i f c o and z r h, ONNX as i o f c and z r h.  ONNX has a bias
for what is read and one for the state; Keras has both only where the state is reset after it was
multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from assay.vocabularies.keras.layer import Layer

CELLS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN", "CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}
KERNELS = ("kernel", "recurrent_kernel")
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}  # of Keras, in ONNX's order
_USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_ACTIVATIONS = {  # → ONNX's, with its factor and its summand
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "elu": ("Elu", 1.0, None),
    "leaky_relu": ("LeakyRelu", 0.2, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "linear": ("Affine", 1.0, 0.0),
    "None": ("Affine", 1.0, 0.0),
}


def cell_options(layer: Layer, kind: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the operator is told of one direction; None where ONNX has no way to say it."""
    op = CELLS[kind]
    known = _ACTIVATIONS | {"hard_sigmoid": ("HardSigmoid", layer.hard_slope(), 0.5)}
    own = known.get(str(config.get("activation", "tanh")))
    gate = known.get(str(config.get("recurrent_activation", "sigmoid")))
    if own is None or gate is None:
        return None
    each = {"LSTM": (gate, own, own), "GRU": (gate, own), "RNN": (own,)}[op]
    options: dict[str, Any] = {}
    if op == "GRU" and config.get("reset_after", kind == "CuDNNGRU"):
        options["linear_before_reset"] = 1
    names = tuple(name for name, _, _ in each)
    if names == _USUAL[op]:
        return options
    options["activations"] = names
    factors = tuple(factor for _, factor, _ in each if factor is not None)
    summands = tuple(summand for _, _, summand in each if summand is not None)
    options |= {"activation_alpha": factors} if factors else {}
    return options | ({"activation_beta": summands} if summands else {})


def bias_of(layer: Layer, kind: str, bias: str, recurrent: str) -> list[str]:
    """The bias of one direction as ONNX reads it; none where it is not as long as its gates."""
    order, hidden = _GATES[CELLS[kind]], layer.length(recurrent, -1)
    size = prod(layer.shape(bias)) if bias else 0
    rows = size // max(len(order) * hidden, 1)
    if rows not in (1, 2) or size != rows * len(order) * hidden:
        return []
    flat = layer.add("Reshape", [bias, layer.constant([-1])])
    parts = [layer.fresh() for _ in range(rows * len(order))]
    layer.build.add("Split", [flat], parts, {"axis": 0, "num_outputs": len(parts)})
    ordered = [parts[row * len(order) + gate] for row in range(rows) for gate in order]
    if rows == 1:
        ordered.append(layer.add("Expand", [layer.number(0.0), layer.constant([size])]))
    return [layer.add("Concat", ordered, {"axis": 0})]
