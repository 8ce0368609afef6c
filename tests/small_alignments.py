"""A small chain of layers, and what its freedoms allow, done by hand: always the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from small_weights import SHAPES, network

Array = NDArray[np.float32]
State = dict[str, Array]
LAYERS = [f"layer{number}" for number in range(len(SHAPES))]
HIDDEN = LAYERS[:-1]  # whose rows the next layer reads


def chain(seed: int = 0) -> State:
    """Layers by name, and a bias of each."""
    draw = np.random.default_rng([seed, 2])
    state = {each.name: each.read() for each in network(seed) if each.name in LAYERS}
    return state | {
        f"{name}.bias": draw.normal(size=len(state[name])).astype(np.float32) for name in LAYERS
    }


def reader(name: str) -> str:
    """Of a layer's rows."""
    return LAYERS[LAYERS.index(name) + 1]


def permuted(state: State, seed: int = 1) -> tuple[State, dict[str, NDArray[np.int64]]]:
    """Every hidden layer's channels in another order; where each channel went."""
    draw, child = np.random.default_rng(seed), dict(state)
    places = {}
    for name in HIDDEN:
        order = draw.permutation(len(child[name]))
        for own in (name, f"{name}.bias"):
            child[own] = child[own][order]
        child[reader(name)] = child[reader(name)][:, order]
        places[name] = np.argsort(order)
    return child, places


def scaled(state: State, seed: int = 1, strength: float = 4.0) -> State:
    """Every hidden channel times a factor, which its reader takes back."""
    draw, child = np.random.default_rng(seed), dict(state)
    for name in HIDDEN:
        size = len(child[name])
        factors = np.exp(draw.uniform(-1, 1, size) * np.log(strength)).astype(np.float32)
        child[name] = (child[name].T * factors).T
        child[f"{name}.bias"] = child[f"{name}.bias"] * factors
        axes = np.swapaxes(child[reader(name)], 1, -1) / factors
        child[reader(name)] = np.swapaxes(axes, 1, -1)
    return child


def pruned(state: State, share: float = 0.3) -> tuple[State, dict[str, NDArray[np.int64]]]:
    """Every hidden layer without its smallest channels; those that are left."""
    child, kept = dict(state), {}
    for name in HIDDEN:
        sizes = np.abs(state[name]).reshape(len(state[name]), -1).sum(1)
        left = np.sort(np.argsort(sizes)[round(share * len(sizes)) :])
        for own in (name, f"{name}.bias"):
            child[own] = child[own][left]
        child[reader(name)] = child[reader(name)][:, left]
        kept[name] = left
    return child, kept


def widened(state: State, kind: str, seed: int = 1, count: int = 4) -> State:
    """Hidden layers with neurons more that change nothing: zero, clique or split."""
    draw, child = np.random.default_rng(seed), dict(state)
    for name in HIDDEN:
        rows, bias, columns = child[name], child[f"{name}.bias"], child[reader(name)]
        chosen = draw.choice(len(rows), count, replace=False)
        if kind == "split":
            new_rows, new_bias = rows[chosen], bias[chosen]
            share = draw.random(columns[:, chosen].shape).astype(np.float32)
            new_columns = columns[:, chosen] * share
            columns = columns.copy()
            columns[:, chosen] -= new_columns
        else:
            like = draw.choice(len(rows), count if kind == "zero" else 1)
            new_rows = draw.permuted(rows[like], axis=1)
            new_rows = np.repeat(new_rows, count // len(like), axis=0)
            new_bias = np.repeat(bias[like], count // len(like))
            new_columns = draw.normal(size=columns[:, chosen].shape).astype(np.float32)
            new_columns -= new_columns.mean(1, keepdims=True)
            new_columns *= float(kind == "clique")
        child[name] = np.concatenate([rows, new_rows])
        child[f"{name}.bias"] = np.concatenate([bias, new_bias])
        child[reader(name)] = np.concatenate([columns, new_columns], axis=1)
    return child


def noisy(state: State, amount: float, seed: int = 3) -> State:
    """As after tuning: noise of that many deviations is added."""
    draw = np.random.default_rng(seed)
    return {
        name: (values + amount * values.std() * draw.normal(size=values.shape)).astype(np.float32)
        for name, values in state.items()
    }
