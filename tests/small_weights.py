"""Weights of small made-up networks, what is done to them, and their records; always the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from assay.registry import Registry
from assay.sketches import Readings, sketch
from assay.sketches.readings import registered
from assay.values import Kin, Record
from assay.weights import Array, Weight

SHAPES = ((16, 3, 3, 3), (32, 16, 3, 3), (64, 32, 3, 3), (64, 64), (10, 64))
KEY = bytes(range(32))


def weight(name: str, values: Array, canonical: bool = True) -> Weight:
    return Weight(name, values.shape, "float32", lambda: values, canonical)


def network(
    seed: int, shapes: Sequence[tuple[int, ...]] = SHAPES, learned: float = 0.8
) -> list[Weight]:
    """Normal values and what they learned, which is of low rank; and a bias that tells nothing."""
    draw = np.random.default_rng(seed)
    made = []
    for i, shape in enumerate(shapes):
        start, down = draw.normal(size=(shape[0], prod(shape[1:]))), draw.normal(size=(shape[0], 2))
        values = start + learned * down @ draw.normal(size=(2, start.shape[1]))
        made.append(weight(f"layer{i}", values.reshape(shape).astype(np.float32)))
    return [*made, weight("bias", np.ones(64, np.float32))]


def changed(weights: Sequence[Weight], change: Callable[[Array], Array]) -> list[Weight]:
    """Every tensor changed."""
    return [weight(each.name, change(each.read()).astype(np.float32)) for each in weights]


def moved(weights: Sequence[Weight], seed: int, amount: float) -> list[Weight]:
    """Trained on: noise of ``amount`` times the values' size is added, the same for one seed."""
    draw = np.random.default_rng([seed, 1])
    return changed(weights, lambda x: x + amount * x.std() * draw.normal(size=x.shape))


def eight_bits(values: Array) -> Array:
    """Whole numbers, with a scale for each output."""
    rows = values.reshape(len(values), -1)
    scale = np.abs(rows).max(1, keepdims=True) / 127
    return (np.rint(rows / scale) * scale).reshape(values.shape)


def pruned(values: Array, rate: float) -> Array:
    """The smallest values are zero."""
    return np.where(np.abs(values) > np.quantile(np.abs(values), rate), values, 0)


def without_channels(weights: Sequence[Weight], seed: int, rate: float = 0.3) -> list[Weight]:
    """Each layer but the last loses some of its outputs, and the next one what read them."""
    draw = np.random.default_rng([seed, 2])
    inputs: NDArray[np.intp] | None = None
    made = []
    for each in weights:
        values = each.read()
        if values.ndim > 1:
            values = values if inputs is None else values[:, inputs]
            inputs = np.sort(draw.permutation(len(values))[: round((1 - rate) * len(values))])
            values = values[inputs] if each.name != weights[-2].name else values
        made.append(weight(each.name, np.ascontiguousarray(values)))
    return made


def renamed(weights: Sequence[Weight], prefix: str) -> list[Weight]:
    return [replace(each, name=f"{prefix}.{each.name}") for each in weights]


def sketched(weights: Sequence[Weight], readings: Readings = registered) -> Record:
    """As ``examine`` would give it for a file of weights."""
    return Record("a.safetensors", "safetensors", sketch=sketch(weights, KEY, readings))


def saved(folder: Path, name: str, weights: Sequence[Weight]) -> Path:
    """Write them to a file of that name."""
    file = folder / f"{name}.safetensors"
    save_file({each.name: each.read() for each in weights}, file)
    return file


def found(registry: Registry, file: Path, **options: object) -> dict[str, Kin]:
    """What a registry says of a file, by the names of its models."""
    return {each.record.name: each for each in registry.check(file, **options).matches}  # type: ignore[arg-type]
