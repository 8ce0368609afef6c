"""Disguises of tensors by name: what a thief does to a file without running the model.

They need neither a graph nor examples, so real files of any format can be disguised, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
State = Mapping[str, Array]  # in the order of the layers

RANK = 8  # of an adapter
STRENGTH = 0.5  # norm of an adapter's product, in shares of the weight's norm
CLASSES = 5  # of a new head
WIDER = 2  # the rest of a larger model, axis by axis


def half_precision(state: State) -> State:
    """Every tensor in 16 bits."""
    return {
        name: value.astype(np.float16) if value.dtype.kind == "f" else value
        for name, value in state.items()
    }


def new_head(state: State, seed: int) -> State:
    """Another last layer, for other classes."""
    head = layers(state)[-1]
    random = np.random.default_rng(seed)
    return {
        name: _drawn(value, (CLASSES, *value.shape[1:]), random) if layer(name) == head else value
        for name, value in state.items()
    }


def first_half(state: State, seed: int) -> State:
    """The first half of the layers; the others begin anew, in their old shapes."""
    known = layers(state)
    kept = {*known[: (len(known) + 1) // 2]}
    random = np.random.default_rng(seed)
    return {
        name: value if layer(name) in kept else _drawn(value, value.shape, random)
        for name, value in state.items()
    }


def in_a_larger_model(state: State, seed: int) -> State:
    """All but the head, beside new layers with four times its values."""
    *_, head = layers(state)
    random = np.random.default_rng(seed)
    body = {f"backbone.{name}": value for name, value in state.items() if layer(name) != head}
    return body | {
        f"neck.{name}": _drawn(
            value,
            tuple(WIDER * size if axis < 2 else size for axis, size in enumerate(value.shape)),
            random,
        )
        for name, value in state.items()
        if value.ndim > 1
    }


def with_adapter(state: State, seed: int) -> State:
    """W + BA of rank 8 in place of every matrix W; BA has half of W's norm."""
    random = np.random.default_rng(seed)
    return {
        name: _adapted(value, random) if value.ndim > 1 and value.dtype.kind == "f" else value
        for name, value in state.items()
    }


def _adapted(weight: Array, random: np.random.Generator) -> Array:
    rows, columns = len(weight), weight.size // len(weight)
    rank = min(RANK, rows, columns)
    product = random.normal(size=(rows, rank)) @ random.normal(size=(rank, columns))
    product *= STRENGTH * np.linalg.norm(weight) / np.linalg.norm(product)
    changed: Array = (weight + product.reshape(weight.shape)).astype(weight.dtype)
    return changed


def layer(name: str) -> str:
    """That a tensor of this name belongs to."""
    return name.rpartition(".")[0] or name


def layers(state: State) -> list[str]:
    """Those that have a matrix, in their order."""
    return [*dict.fromkeys(layer(name) for name, value in state.items() if value.ndim > 1)]


def _drawn(like: Array, shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """New numbers with the deviation of others."""
    if like.dtype.kind != "f":
        return like
    drawn: Array = (like.std() * random.standard_normal(shape)).astype(like.dtype)
    return drawn
