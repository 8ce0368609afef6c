"""A graph isomorphism network whose codes are near for graphs of one model, far for all others.

[Xu et al., GIN, ICLR 2019; Khosla et al., supervised contrastive learning, NeurIPS 2020.]  It sees
directions, shapes and exact costs, which HNN-Net does not, and is trained on what a copier leaves
of a model rather than on categories alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from assay.hashers._arrays import Floats, Ints, softmax
from assay.hashers._layer_inputs import MACS, NUMBERS, PARAMETERS, LayerInputs, layer_inputs
from assay.hashers._learned import LearnedHasher, Output
from assay.hashers._network_file import HashNetwork
from assay.values import LayerGraph

WIDTH = 64  # of a layer's state
ROUNDS = 3  # of messages
WHOLE = 3  # numbers of the graph as a whole: layers, multiply-accumulates, parameters
CONNECTED = (256, 128)  # the second is the embedding
EPSILON = 1e-5  # in layer normalization


@dataclass(frozen=True)
class ContrastiveGin(LearnedHasher):
    """64 bits, or those of a network of one's own; the embedding has 128 numbers."""

    def shapes(self, network: HashNetwork) -> dict[str, tuple[int, ...]]:
        linear = {"inputs": (len(network.vocabulary) + 1 + NUMBERS, WIDTH)}
        for number in range(ROUNDS):
            linear |= {
                f"{name}{number}": (WIDTH, WIDTH) for name in ("own", "before", "behind", "out")
            }
        widths = (2 * WIDTH * (ROUNDS + 1) + WHOLE, *CONNECTED)
        linear |= {f"fc{number}": pair for number, pair in enumerate(pairwise(widths), 1)}
        linear["code"] = (CONNECTED[-1], network.bits)
        if network.categories:
            linear["classifier"] = (CONNECTED[-1], len(network.categories))
        result: dict[str, tuple[int, ...]] = {}
        for name, (before, after) in linear.items():
            result[f"{name}.weight"] = (after, before)
            if not name.startswith(("before", "behind")):
                result[f"{name}.bias"] = (after,)
        return result

    def run(self, graph: LayerGraph, network: HashNetwork, weights: Mapping[str, Floats]) -> Output:
        read = layer_inputs(graph, network.vocabulary)
        state = _linear(weights, "inputs", np.hstack([read.ops, read.numbers]))
        pooled = [_pool(state)]
        for number in range(ROUNDS):
            state = state + _round(weights, number, read, state)
            pooled.append(_pool(state))
        features = np.concatenate([*pooled, _whole(read)])
        hidden = np.maximum(_linear(weights, "fc1", features), 0)
        embedding = _linear(weights, "fc2", hidden)
        logits = _linear(weights, "code", np.maximum(embedding, 0))
        if not network.categories:
            return Output(embedding, logits)
        scores = _linear(weights, "classifier", np.maximum(embedding, 0))
        return Output(embedding, logits, softmax(scores))


def _round(weights: Mapping[str, Floats], number: int, read: LayerInputs, state: Floats) -> Floats:
    """What layers learn from those before and behind them: (n, width)."""
    heard = _linear(weights, f"own{number}", state)
    heard = heard + _sum(state @ weights[f"before{number}.weight"].T, read.sources, read.targets)
    heard = heard + _sum(state @ weights[f"behind{number}.weight"].T, read.targets, read.sources)
    centered = heard - heard.mean(1, keepdims=True)
    normal = centered / np.sqrt((centered**2).mean(1, keepdims=True) + EPSILON)
    return _linear(weights, f"out{number}", np.maximum(normal, 0))


def _sum(messages: Floats, senders: Ints, receivers: Ints) -> Floats:
    """Sums of the messages (n, d) that each layer receives."""
    result = np.zeros_like(messages)
    if len(senders):
        order = np.argsort(receivers, kind="stable")
        who, starts = np.unique(receivers[order], return_index=True)
        result[who] = np.add.reduceat(messages[senders[order]], starts, axis=0)
    return result


def _pool(state: Floats) -> Floats:
    """The mean state, and how many layers have each feature, on a logarithmic scale: (2 d)."""
    return np.concatenate([state.mean(0), np.log1p(np.maximum(state, 0).sum(0))])


def _whole(read: LayerInputs) -> Floats:
    """How large the graph is: by layers, multiply-accumulates and parameters (3).

    The last two are logarithms of the sum, over the layers, of their powers of 1 / ln 2.
    """
    totals = [np.logaddexp.reduce(10 * read.numbers[:, column]) for column in (MACS, PARAMETERS)]
    return 0.1 * np.array([10 * np.log(len(read.numbers)) / 3, *totals])


def _linear(weights: Mapping[str, Floats], name: str, x: Floats) -> Floats:
    product: Floats = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return product
