"""Recurrent operators as torch's layers, where these can do it [ONNX operators].

ONNX orders the gates i o f c and z r h; torch i f c o and r z n.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from assay.graphs.operators import Operator
from assay.running.network.elementwise import Function
from assay.running.network.layers import Facts, Layer
from assay.running.network.recurrent import DIRECTIONS, USUAL, activations_of
from assay.running.network.sizes import as_tensor

EXTRA = "torch"

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}  # of ONNX's gates, in torch's order
_KIND = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


def _as_layer(node: Operator, facts: Facts) -> Layer | None:
    weights = [facts.constant(node, place) for place in (1, 2)]
    bias = facts.constant(node, 3)
    given = [place < len(node.inputs) and node.inputs[place] != "" for place in range(8)]
    count = DIRECTIONS.get(node.attributes.get("direction", "forward"), 0)
    usual = {USUAL[node.op], ("Relu",)} if node.op == "RNN" else {USUAL[node.op]}
    kinds = {names for names in usual if names * count == activations_of(node)}
    is_plain = (
        all(weights)
        and bool(bias) == given[3]
        and not given[4]  # lengths of sequences
        and not given[7]  # peepholes
        and "clip" not in node.attributes
        and not node.integer("input_forget", 0)
        and bool(kinds)
        and (node.op != "GRU" or node.integer("linear_before_reset", 0) == 1)
    )
    if not is_plain:
        return None
    w, r = (facts.constants[name] for name in weights)
    hidden, size = r.shape[-1], w.shape[-1]
    options: dict[str, Any] = {"bias": bool(bias), "bidirectional": count == 2}
    if node.op == "RNN":
        options["nonlinearity"] = kinds.pop()[0].lower()
    module = _KIND[node.op](size, hidden, device="meta", **options).to_empty(device="cpu")
    for direction in range(count):
        end = "_l0_reverse" if direction else "_l0"
        _set(module, f"weight_ih{end}", node.op, w[direction])
        _set(module, f"weight_hh{end}", node.op, r[direction])
        if bias:
            both = facts.constants[bias][direction]
            _set(module, f"bias_ih{end}", node.op, both[: len(both) // 2])
            _set(module, f"bias_hh{end}", node.op, both[len(both) // 2 :])
    states = ("" if facts.is_zero(name) else name for name in node.inputs[5:7])
    inputs = (node.inputs[0], *states)  # torch starts from zeros by itself
    return Layer(module, {"weight": weights[0]}, inputs)


def _set(module: nn.Module, name: str, op: str, values: Any) -> None:
    gates = as_tensor(values, torch.device("cpu")).chunk(len(_ORDER[op]))
    with torch.no_grad():
        getattr(module, name).copy_(torch.cat([gates[place] for place in _ORDER[op]]))


def _call(node: Operator, module: Any, x: Tensor, *states: Tensor | None) -> tuple[Tensor, ...]:
    """Torch's layer, with ONNX's axes."""
    batch_first = bool(node.integer("layout", 0))
    x = x.transpose(0, 1) if batch_first else x  # (steps, n, inputs)
    backward = node.attributes.get("direction", "forward") == "reverse"
    x = x.flip(0) if backward else x
    given = [None if s is None else s.transpose(0, 1) if batch_first else s for s in states]
    wide = [None if s is None else s.expand(-1, x.shape[1], -1).contiguous() for s in given]
    start = _start(node.op, module, wide, x)
    found, last = module(x) if start is None else module(x, start)
    found = found.flip(0) if backward else found
    directions = 2 if module.bidirectional else 1
    every = found.unflatten(-1, (directions, -1)).transpose(1, 2)  # (steps, directions, n, hidden)
    ends = list(last) if isinstance(last, tuple) else [last]
    if batch_first:
        return every.permute(2, 0, 1, 3), *(end.transpose(0, 1) for end in ends)
    return every, *ends


def _start(op: str, module: Any, states: list[Tensor | None], x: Tensor) -> Any:
    if all(state is None for state in states):
        return None
    if op != "LSTM":
        return states[0]
    directions = 2 if module.bidirectional else 1
    zero = x.new_zeros(directions, x.shape[1], module.hidden_size)
    both = [zero if state is None else state for state in (*states, None)[:2]]
    return tuple(both)


RECURRENT_LAYERS = dict.fromkeys(_KIND, _as_layer)
CALLS: dict[str, Function] = dict.fromkeys(_KIND, _call)
