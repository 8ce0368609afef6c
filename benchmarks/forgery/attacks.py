"""What a forger does to the weights of a model, at a change that he allows himself.

A model is its state: names and arrays.  The change is that of every tensor by itself: the norm of
the difference over that of the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from directions import moved, of_code
from numpy.typing import NDArray

from assay.comparisons.weights import Weights
from assay.sketches import sketch
from assay.sketches.readings import AS_STORED, registered, tried
from assay.values import Record, WeightSketch
from assay.weights import Weight

State = Mapping[str, NDArray[np.float32]]
_ROUNDS = 4  # gradients are exact where they are taken, so they are taken again
JUDGE = Weights()


def sketched(state: State, key: bytes, suspect: bool = False) -> WeightSketch:
    """As a registry does it that has this key."""
    weights = [Weight(n, v.shape, "float32", partial(np.asarray, v)) for n, v in state.items()]
    return sketch(weights, key, tried if suspect else registered)


def said(suspect: State, source: WeightSketch, key: bytes) -> dict[str, Any]:
    """What a check says of a suspect, of which only the weights are known."""
    record = Record("", "", sketch=sketched(suspect, key, suspect=True))
    evidence = JUDGE.compare(record, Record("", "", sketch=source))
    assert evidence is not None
    return {
        "relation": str(JUDGE.relation(evidence)),
        "log10_false_alarm": evidence.log10_false_alarm,
        **{name: evidence.detail[name] for name in ("matched", "median", "near", "permuted")},
    }


def change(before: State, after: State) -> float:
    """The largest one of all tensors of two axes or more, as far as their shapes stay."""
    kept = [n for n, v in before.items() if v.ndim > 1 and after[n].shape == v.shape]
    norm = np.linalg.norm
    return max((float(norm(after[n] - before[n]) / norm(before[n])) for n in kept), default=0.0)


def framed(state: State, victim: State, keys: Sequence[bytes], most: float) -> dict[str, Any]:
    """Codes of a stranger's tensors moved to the victim's, with all ``keys`` at once."""
    return _every(state, lambda n, m: _towards(m, _matrix(victim[n]), keys, most), victim)


def _towards(matrix: Any, aim: Any, keys: Sequence[bytes], most: float) -> Any:
    if matrix.shape != aim.shape:
        return matrix
    wanted = np.concatenate([np.sign(of_code(aim, key) @ aim.reshape(-1)) for key in keys])
    return _rounds(matrix, lambda m: [of_code(m, key) for key in keys], wanted, most)


def evaded(state: State, key: bytes, most: float) -> dict[str, Any]:
    """Codes of a copy's tensors moved away from what they are."""

    def away(_: str, matrix: Any) -> Any:
        wanted = -np.sign(of_code(matrix, key) @ matrix.reshape(-1))
        return _rounds(matrix, lambda m: [of_code(m, key)], wanted, most)

    return _every(state, away, state)


def _rounds(matrix: Any, gradients: Callable[[Any], list[Any]], wanted: Any, most: float) -> Any:
    found = matrix
    for _ in range(_ROUNDS):
        found = moved(matrix, gradients(found), wanted, most)
    return found


def mixed(state: State, victim: State, most: float) -> dict[str, Any]:
    """The victim's weights mixed in: the best that a forger without the key can do.

    The matrix turned towards the victim's until the change is reached; both are centered, so
    that no part of it is wasted.
    """

    def turned(name: str, matrix: Any) -> Any:
        aim = _matrix(victim[name])
        aim = _normal(aim) * np.linalg.norm(matrix - matrix.mean(1, keepdims=True), axis=1)[:, None]
        return matrix + aim * most * np.linalg.norm(matrix) / np.linalg.norm(aim)

    return _every(state, turned, victim)


def noisy(state: State, most: float, seed: int, rank: int | None = None) -> dict[str, Any]:
    """Noise added: normal, or of a low rank."""
    random = np.random.default_rng(seed)

    def added(_: str, matrix: Any) -> Any:
        rows, columns = matrix.shape
        noise = random.normal(size=matrix.shape)
        if rank is not None:
            noise = random.normal(size=(rows, rank)) @ random.normal(size=(rank, columns))
        return matrix + noise * most * np.linalg.norm(matrix) / np.linalg.norm(noise)

    return _every(state, added, state)


def _normal(matrix: Any) -> Any:
    """Rows centered and scaled to unit norm, then columns centered."""
    rows = matrix - matrix.mean(1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(norms > 0, norms, 1)
    return rows - rows.mean(0)


def _every(state: State, change: Callable[[str, Any], Any], victim: State) -> dict[str, Any]:
    """The state with each tensor changed that has a code, and the victim's shape."""
    found = dict(state)
    for name in _coded(state):
        if name in victim and victim[name].shape == state[name].shape:
            new = change(name, _matrix(state[name]))
            found[name] = np.asarray(new, np.float32).reshape(state[name].shape)
    return found


def _coded(state: State) -> Iterator[str]:
    for tensor in sketched(state, bytes(32)).tensors:
        if tensor.code is not None and tensor.reading == AS_STORED:
            yield tensor.name


def _matrix(values: Any) -> Any:
    return values.reshape(len(values), -1).astype(np.float64)
