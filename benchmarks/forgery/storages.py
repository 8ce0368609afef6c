"""The same numbers, stored in another way: who loads the file must know how."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attacks
import numpy as np
from ground import SECRET, Ground, Row, State
from numpy.typing import NDArray
from safetensors.numpy import save_file

from assay.formats import read
from assay.sketches import sketch
from assay.sketches.readings import tried
from assay.values import Record

Change = Callable[[str, NDArray[Any]], Mapping[str, NDArray[Any]]]


def stored(ground: Ground, network: str) -> Iterator[tuple[str, Callable[[], Row]]]:
    """A copy in each way that a program may store a model in."""
    for way, change in WAYS.items():
        yield f"stored | {network} | {way} | 0", partial(_stored, ground, network, change)


def _stored(ground: Ground, network: str, change: Change) -> Row:
    source, key = ground.state(network, 0), SECRET[0]
    copy: State = {}
    for name, value in source.items():
        copy |= change(name, value) if value.ndim > 1 else {name: value}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "copy.safetensors"
        save_file({name: np.ascontiguousarray(value) for name, value in copy.items()}, file)
        found = sketch(read(file).weights.values(), key, tried)
    records = Record("", "", sketch=found), Record("", "", sketch=attacks.sketched(source, key))
    evidence = attacks.JUDGE.compare(*records)
    if evidence is None:
        return {"secret": {"relation": "unrelated", "log10_false_alarm": 0.0}}
    relation = str(attacks.JUDGE.relation(evidence))
    return {"secret": {"relation": relation, "log10_false_alarm": evidence.log10_false_alarm}}


def _one(make: Callable[[NDArray[Any]], NDArray[Any]]) -> Change:
    return lambda name, value: {name: make(value)}


def _axes(*order: int) -> Change:
    return _one(lambda value: value.transpose(order) if value.ndim == 4 else value)


def _shares(name: str, value: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    """Two tensors whose sum is the weight."""
    random = np.random.default_rng(0).normal(size=value.shape).astype(np.float32)
    return {f"{name}.0": random, f"{name}.1": value - random}


def _first_missing(value: NDArray[Any]) -> NDArray[Any]:
    """No number at the first place, which nobody uses."""
    found = value.copy()
    found.flat[0] = np.nan
    return found


WAYS: Mapping[str, Change] = {
    "float64": _one(lambda value: value.astype(np.float64)),
    "int32, fixed point": _one(lambda value: np.rint(value * 2**20).astype(np.int32)),
    "int64, fixed point": _one(lambda value: np.rint(value * 2**20).astype(np.int64)),
    "bytes": _one(lambda value: value.view(np.uint8)),
    "axes h, w, i, o": _axes(2, 3, 1, 0),
    "axes o, h, w, i": _axes(0, 2, 3, 1),
    "axes i, o, h, w": _axes(1, 0, 2, 3),
    "half as many rows, twice as long": _one(lambda v: v.reshape(len(v) // 2, -1)),
    "one axis": _one(lambda value: value.reshape(-1)),
    "sum of two": _shares,
    "one value not a number": _one(_first_missing),
}
