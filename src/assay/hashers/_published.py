"""The network of GHashing and HNN-Net, run in NumPy: three convolutions, pooled by attention.

[Qin, Bai, Sun, GHashing, KDD 2020; HNN-Net, Symmetry 2022, §3.3.]  HNN-Net takes GHashing's
network over and adds costs to its input and a classifier to its output, so both are run here.
Attention pooling follows each convolution, not only the last: 256 + 128 + 64 = 448, the published
input of FC1.  FC1 and FC2 are rectified, FC3, the embedding, is linear, FC4 is rectified.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from assay.hashers._arrays import DIGITS, Floats, GraphArrays, softmax
from assay.hashers._learned import Output
from assay.hashers._network_file import HashNetwork

Weights = Mapping[str, Floats]


BLOCK = 2**14  # edges that are propagated at once: bounds the memory
CONVOLUTIONS = (256, 128, 64)  # outputs of GCN1 … GCN3
CONNECTED = (348, 256, 256, 128)  # outputs of FC1 … FC4


def shapes(network: HashNetwork, costs: bool) -> dict[str, tuple[int, ...]]:
    """Shape of each weight, by name."""
    result: dict[str, tuple[int, ...]] = {}
    inputs = len(network.vocabulary) + 1 + 2 * DIGITS * costs
    for number, (before, after) in enumerate(pairwise((inputs, *CONVOLUTIONS)), 1):
        result[f"gcn{number}.weight"] = (before, after)
        result[f"gap{number}.weight"] = (after, after)
    widths = pairwise((sum(CONVOLUTIONS), *CONNECTED, network.bits))
    linear = {f"fc{number}": pair for number, pair in enumerate(widths, 1)}
    if network.categories:
        linear["classifier"] = (network.bits, len(network.categories))
    for name, (before, after) in linear.items():
        result[f"{name}.weight"] = (after, before)
        result[f"{name}.bias"] = (after,)
    return result


def run(weights: Weights, graph: GraphArrays, costs: bool) -> Output:
    """One graph through the network, in float64.

    Args:
        weights: by name, ``gcn1.weight`` (inputs, 256) … ``fc5.bias`` (bits).
        graph: n layers.
        costs: whether the input has the digits of MACs and parameters (HNN-Net, eq. 3) beside the
            operator (GHashing); the one-hot vectors are divided by their number, to sum to 1.
    """
    pooled = []
    hidden = _propagate(graph, _first(weights, graph, costs))
    for number in (1, 2, 3):
        if number > 1:
            hidden = _propagate(graph, hidden @ weights[f"gcn{number}.weight"])
        hidden = np.maximum(hidden, 0)
        pooled.append(_attention(hidden, weights[f"gap{number}.weight"]))
    features = np.concatenate(pooled)  # (448)
    features = np.maximum(_linear(weights, "fc1", features), 0)
    features = np.maximum(_linear(weights, "fc2", features), 0)
    embedding = _linear(weights, "fc3", features)
    logits = _linear(weights, "fc5", np.maximum(_linear(weights, "fc4", embedding), 0))
    if "classifier.weight" not in weights:
        return Output(embedding, logits, None)
    scores = _linear(weights, "classifier", sigmoid(logits))
    return Output(embedding, logits, softmax(scores))


def _first(weights: Weights, graph: GraphArrays, costs: bool) -> Floats:
    """X W1 (n, 256): rows of W1 picked, since X is made of one-hot vectors."""
    weight = weights["gcn1.weight"]
    rows: Floats = weight[graph.ops]
    if costs:
        operators = len(weight) - 2 * DIGITS
        rows = rows + weight[operators + graph.macs] + weight[operators + DIGITS + graph.parameters]
        rows /= 3
    return rows


def _propagate(graph: GraphArrays, rows: Floats) -> Floats:
    """Â times ``rows`` (n, d)."""
    result = np.zeros_like(rows)
    owners = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    for first in range(0, len(owners), BLOCK):
        part = slice(first, first + BLOCK)
        products = rows[graph.columns[part]] * graph.weights[part, None]
        heads = np.flatnonzero(np.diff(owners[part], prepend=-1))
        result[owners[part][heads]] += np.add.reduceat(products, heads, axis=0)
    return result


def _attention(rows: Floats, weight: Floats) -> Floats:
    """Σ σ(u·c) u with c = relu(W · mean u) [SimGNN, WSDM 2019, as GHashing has it]: (d)."""
    context = np.maximum(weight @ rows.mean(0), 0)
    return sigmoid(rows @ context) @ rows


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e⁻ˣ), without overflow."""
    result: Floats = 0.5 * (1 + np.tanh(0.5 * x))
    return result


def _linear(weights: Weights, name: str, x: Floats) -> Floats:
    product: Floats = weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]
    return product
