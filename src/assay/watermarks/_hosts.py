"""Hosts: the tensors that a mark lies in, as a key names them, and found again in a suspect."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UnfitModel
from assay.values import Json
from assay.watermarks import Weights
from assay.weights import Weight

Array = NDArray[np.float32]
_LOOKED_AT = 20_000_000  # magnitudes of a model that quantiles are taken of


def matrices(weights: Weights) -> dict[str, Weight]:
    """What has two axes or more: what is pruned, and what marks lie in."""
    return {n: w for n, w in weights.items() if len(w.shape) > 1 and min(w.shape) > 0}


def hosts_of(weights: Weights, names: Sequence[str], fewest: int) -> list[Json]:
    """The named tensors, or the largest, of which each has so many values; for a template.

    Raises UnfitModel where there are none.
    """
    known = matrices(weights)
    if not known:
        raise UnfitModel("the model has no weight of two axes or more to be marked")
    chosen = list(names) or [max(known, key=lambda name: known[name].size)]
    for name in chosen:
        if name not in known:
            listed = ", ".join(sorted(known, key=lambda n: -known[n].size)[:8])
            raise UnfitModel(f"no weight {name!r} to be marked; the largest are: {listed}")
        if known[name].size < fewest:
            raise UnfitModel(
                f"{name} has {known[name].size:,} weights, and the mark wants a layer of"
                f" {fewest:,}: a shorter payload, less redundancy, or more hosts"
            )
    return [
        {"name": name, "shape": list(known[name].shape), "place": _alike(known, name).index(name)}
        for name in chosen
    ]


def found(weights: Weights, host: Json) -> Array | None:
    """A host's values in a suspect, where there is a tensor of its name and shape.

    Files of other formats may name it otherwise: then the tensor at its place among those of its
    shape, where there are as many.  Raises UnreadableModel.
    """
    name = name_in(weights, host)
    return None if name is None else np.asarray(weights[name].read(), np.float32)


def name_in(weights: Weights, host: Json) -> str | None:
    """What a host is called in other weights; None where they have none like it."""
    shape = tuple(host["shape"])
    if host["name"] in weights and weights[host["name"]].shape == shape:
        return str(host["name"])
    alike = [name for name, weight in matrices(weights).items() if weight.shape == shape]
    return alike[host["place"]] if host["place"] < len(alike) else None


def replaced(weights: Weights, name: str, values: Array) -> dict[str, Weight]:
    """``weights`` with other values of one of them."""
    old = weights[name]
    new = Weight(name, old.shape, "float32", lambda: values, canonical=old.canonical)
    return {**weights, name: new}


def magnitudes(weights: Weights) -> NDArray[np.float32]:
    """Those of all matrices together; of a large model an even part of them."""
    known = matrices(weights).values()
    every = max(1, ceil(sum(weight.size for weight in known) / _LOOKED_AT))
    return np.concatenate([np.abs(weight.read()).reshape(-1)[::every] for weight in known])


def finite(values: Any) -> NDArray[np.float64]:
    """Magnitudes; what is no number is none."""
    return np.nan_to_num(np.abs(np.asarray(values, np.float64)), nan=0.0, posinf=0.0)


def _alike(known: Weights, name: str) -> list[str]:
    return [other for other, weight in known.items() if weight.shape == known[name].shape]


def size(host: Json) -> int:
    """How many values a host has."""
    return prod(host["shape"])
