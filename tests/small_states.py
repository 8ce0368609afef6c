"""Models of matrices, each reading the one before it, and what a network's freedoms allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import numpy as np

from assay.weights import Array, Weight

State = dict[str, Array]
SIZES = (27, 48, 64, 64, 64, 10)  # of the layers between inputs and classes


def network(seed: int, learned: float = 1.0) -> State:
    """Matrices that learned something of low rank, each reading the one before it."""
    draw, made = np.random.default_rng(seed), {}
    for place, (inputs, outputs) in enumerate(pairwise(SIZES)):
        low = draw.normal(size=(outputs, 2)) @ draw.normal(size=(2, inputs))
        values = draw.normal(size=(outputs, inputs)) + learned * low
        made[f"layer{place}"] = (0.1 * values).astype(np.float32)
    return made


BASE = network(0)


def weights(state: State) -> Mapping[str, Weight]:
    return {
        name: Weight(name, value.shape, "float32", partial(np.asarray, value), canonical=True)
        for name, value in state.items()
    }


def each(change: Callable[[Array], Array], state: State = BASE) -> State:
    return {name: change(value).astype(np.float32) for name, value in state.items()}


def hidden(change: Callable[[int, int], tuple[Array, Array]], state: State = BASE) -> State:
    """Channels between layers changed: ``change`` gives a matrix for outputs, one for inputs."""
    made, names = dict(state), list(state)
    for place, (writer, reader) in enumerate(pairwise(names)):
        outputs, inputs = change(place, len(made[writer]))
        made[writer] = (outputs @ made[writer]).astype(np.float32)
        made[reader] = (made[reader] @ inputs).astype(np.float32)
    return made


def permutation(place: int, count: int) -> tuple[Array, Array]:
    turn = np.eye(count, dtype=np.float32)[np.random.default_rng(place).permutation(count)]
    return turn, turn.T


def scales(place: int, count: int) -> tuple[Array, Array]:
    factors = np.exp2(np.random.default_rng(place).integers(-3, 4, count)).astype(np.float32)
    return np.diag(factors), np.diag(1 / factors)


def fewer(place: int, count: int) -> tuple[Array, Array]:
    """Three channels of ten removed."""
    kept = np.sort(np.random.default_rng(place).permutation(count)[: round(0.7 * count)])
    chosen = np.eye(count, dtype=np.float32)[kept]
    return chosen, chosen.T


def more(place: int, count: int) -> tuple[Array, Array]:
    """Channels that nobody reads."""
    draw = np.random.default_rng(place)
    idle = 0.3 * draw.normal(size=(count // 4, count))
    outputs = np.concatenate([np.eye(count), idle]).astype(np.float32)
    inputs = np.concatenate([np.eye(count), np.zeros((count, count // 4))], 1).astype(np.float32)
    return outputs, inputs


def noisy(values: Array, amount: float = 0.1) -> Array:
    draw = np.random.default_rng(values.size)
    return values + amount * values.std() * draw.normal(size=values.shape)


def adapted(values: Array) -> Array:
    draw = np.random.default_rng(values.size)
    rank = 2
    low = draw.normal(size=(len(values), rank)) @ draw.normal(size=(rank, values.shape[1]))
    return values + 0.05 * low
