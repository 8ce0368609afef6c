"""ONNX's recurrent operators, step by step [ONNX operators].

So run those that torch's layers cannot be: other activations, peepholes, lengths, a reset before
the product.  The outputs are every state (steps, directions, n, hidden) and the last ones
(directions, n, hidden).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.errors import UnfitModel
from assay.graphs.operators import Operator
from assay.running.network.elementwise import Function

EXTRA = "torch"

USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
_OPTIONS = {  # activations with alpha and beta
    "Relu": lambda x, a, b: F.relu(x),
    "Tanh": lambda x, a, b: torch.tanh(x),
    "Sigmoid": lambda x, a, b: torch.sigmoid(x),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: F.leaky_relu(x, a),
    "ThresholdedRelu": lambda x, a, b: F.threshold(x, a, 0.0),
    "ScaledTanh": lambda x, a, b: a * torch.tanh(b * x),
    "HardSigmoid": lambda x, a, b: torch.clamp(a * x + b, 0, 1),
    "Elu": lambda x, a, b: F.elu(x, a),
    "Softsign": lambda x, a, b: F.softsign(x),
    "Softplus": lambda x, a, b: F.softplus(x),
}
_ALPHA = {"LeakyRelu": 0.01, "ThresholdedRelu": 1.0, "HardSigmoid": 0.2, "Elu": 1.0, "Affine": 1.0}
_BETA = {"HardSigmoid": 0.5}


def activations_of(node: Operator) -> tuple[str, ...]:
    """Its activations, for all directions."""
    count = DIRECTIONS.get(node.attributes.get("direction", "forward"), 1)
    return tuple(node.attributes.get("activations", USUAL[node.op] * count))


def _stepwise(node: Operator, x: Tensor, w: Tensor, r: Tensor, *rest: Tensor | None) -> Any:
    """All steps of all directions, one after the other."""
    bias, lengths, hidden, cell, peepholes = (*rest, *[None] * 5)[:5]
    batch_first = bool(node.integer("layout", 0))
    if batch_first:
        x = x.transpose(0, 1)  # (steps, n, inputs)
        hidden, cell = (None if s is None else s.transpose(0, 1) for s in (hidden, cell))
    zero = x.new_zeros(len(w), x.shape[1], r.shape[-1])
    hidden, cell = (zero if s is None else s.expand_as(zero) for s in (hidden, cell))
    names = activations_of(node)
    each = len(names) // len(w)
    found, ends = [], []
    for d in range(len(w)):
        own = None if bias is None else bias[d]
        peeps = None if peepholes is None else peepholes[d]
        act = _activations(node, names[d * each : (d + 1) * each], d * each)
        turn = _turn(node, (w[d], r[d]), own, peeps, act)
        is_backward = d == 1 or node.attributes.get("direction") == "reverse"
        every, state = _walk(turn, x, [hidden[d], cell[d]], lengths, is_backward=is_backward)
        found.append(every)
        ends.append(state)
    result = torch.stack(found, 1)  # (steps, directions, n, hidden)
    last = [torch.stack([end[place] for end in ends]) for place in range(2)]
    if batch_first:
        result, last = result.permute(2, 0, 1, 3), [end.transpose(0, 1) for end in last]
    return (result, *last) if node.op == "LSTM" else (result, last[0])


Turn = Callable[[Tensor, Tensor, Tensor], list[Tensor]]


def _walk(
    turn: Turn, x: Tensor, state: list[Tensor], lengths: Tensor | None, *, is_backward: bool
) -> tuple[Tensor, list[Tensor]]:
    """Every state, (steps, n, hidden), and the last; nothing happens after a sequence's end."""
    every: list[Tensor] = []
    steps = range(len(x))
    for step in reversed(steps) if is_backward else steps:
        new = turn(x[step], *state)
        if lengths is None:
            every.append(new[0])
        else:
            lives = (step < lengths).unsqueeze(-1)
            new = [torch.where(lives, a, b) for a, b in zip(new, state, strict=True)]
            every.append(torch.where(lives, new[0], 0.0))
        state = new
    return torch.stack(every[::-1] if is_backward else every), state


def _turn(
    node: Operator,
    weights: tuple[Tensor, Tensor],
    bias: Any,
    peepholes: Tensor | None,
    act: list[Callable[[Tensor], Tensor]],
) -> Turn:
    """One step of one direction: input, state and cell give the new state and cell."""
    w, r = weights
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[node.op]
    w_bias, r_bias = (w.new_zeros(2, len(w)) if bias is None else bias.reshape(2, -1)).unbind(0)
    limit = node.real("clip", 0.0)

    def cut(x: Tensor) -> Tensor:
        return x.clamp(-limit, limit) if limit else x

    def rnn(x: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
        return [act[0](cut(F.linear(x, w, w_bias) + F.linear(h, r, r_bias))), c]

    def gru(x: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
        z, reset, new = F.linear(x, w, w_bias).chunk(gates, -1)
        r_z, r_r, r_h = r.chunk(gates)
        b_z, b_r, b_h = r_bias.chunk(gates)
        z = act[0](cut(z + F.linear(h, r_z, b_z)))
        reset = act[0](cut(reset + F.linear(h, r_r, b_r)))
        if node.integer("linear_before_reset", 0):
            new = act[1](cut(new + reset * F.linear(h, r_h, b_h)))
        else:
            new = act[1](cut(new + F.linear(reset * h, r_h, b_h)))
        return [(1 - z) * new + z * h, c]

    def lstm(x: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
        both = F.linear(x, w, w_bias) + F.linear(h, r, r_bias)
        i, o, f, new = both.chunk(gates, -1)
        p_i, p_o, p_f = (0, 0, 0) if peepholes is None else peepholes.chunk(3)
        i, f = act[0](cut(i + p_i * c)), act[0](cut(f + p_f * c))
        f = 1 - i if node.integer("input_forget", 0) else f
        c = f * c + i * act[1](cut(new))
        return [act[0](cut(o + p_o * c)) * act[2](c), c]

    return {"LSTM": lstm, "GRU": gru, "RNN": rnn}[node.op]


def _activations(node: Operator, names: Any, start: int) -> list[Callable[[Tensor], Tensor]]:
    found = []
    for place, name in enumerate(names):
        if name not in _OPTIONS:
            raise UnfitModel(f"{node.op} {node.outputs[0]!r} has the activation {name!r}")
        options = []
        for key, usual in (("activation_alpha", _ALPHA), ("activation_beta", _BETA)):
            given = node.attributes.get(key, ())
            inside = start + place < len(given)
            options.append(given[start + place] if inside else usual.get(name, 0.0))
        found.append(_with(_OPTIONS[name], *options))
    return found


def _with(function: Callable[..., Tensor], alpha: float, beta: float) -> Callable[[Tensor], Tensor]:
    return lambda x: function(x, alpha, beta)


RECURRENT: dict[str, Function] = dict.fromkeys(USUAL, _stepwise)
