"""What a forger does to the weights of a model, at a change that he allows himself.

A model is its state: names and arrays.  The change is that of every tensor by itself: the norm of
the difference over that of the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import tails
from directions import steered, sums_of
from numpy.typing import NDArray

from assay.comparisons.weights import Weights
from assay.sketches import sketch
from assay.sketches.readings import AS_STORED, registered, tried
from assay.values import Record, WeightSketch
from assay.weights import Weight

State = Mapping[str, NDArray[np.float32]]
_SMALLEST = 1e-3  # of a row, of the others': without a direction otherwise
_SHORT = 0.05  # radians that a row stays from the victim's, so that something of it is left
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
    """A stranger's tensors with sums that are the victim's, with all ``keys`` at once."""
    aims = partners(state, victim)

    def towards(name: str, matrix: Any) -> Any:
        linear = [sums_of(matrix.shape, key) for key in keys]
        aim = _matrix(aims[name])
        return steered(matrix, linear, [sums.of(aim) for sums in linear], most)

    return _every(state, towards, aims)


def evaded(state: State, key: bytes, most: float) -> dict[str, Any]:
    """A copy's tensors with sums as unlike their own as can be."""

    def away(_: str, matrix: Any) -> Any:
        sums = sums_of(matrix.shape, key)
        return steered(matrix, [sums], [-sums.of(matrix)], most)

    return _every(state, away, state)


def mixed(state: State, victim: State, most: float) -> dict[str, Any]:
    """The victim's weights mixed in: the best that a forger without the key can do evenly.

    The matrix turned towards the victim's until the change is reached; both are centered, so
    that no part of it is wasted.
    """
    aims = partners(state, victim)

    def turned(name: str, matrix: Any) -> Any:
        aim = _normal(_matrix(aims[name]))
        aim *= np.linalg.norm(matrix - matrix.mean(1, keepdims=True), axis=1)[:, None]
        return matrix + aim * most * np.linalg.norm(matrix) / np.linalg.norm(aim)

    return _every(state, turned, aims)


def mixed_by_rows(state: State, victim: State, most: float) -> dict[str, Any]:
    """The same, more of it where it costs less: all rows count alike, and small ones are cheap."""
    aims = partners(state, victim)
    return _every(state, lambda n, m: _poured(m, _normal(_matrix(aims[n])), most), aims)


def _poured(matrix: Any, aim: Any, most: float) -> Any:
    """Rows turned towards the aim's: by most sines, added, for the least change.

    A row of norm n is at n · sin φ from the nearest one that is turned by φ.  So sines are as
    1 / n², and 1 at most.
    """
    rows = matrix - matrix.mean(1, keepdims=True)
    weights, norms = (np.linalg.norm(each, axis=1) for each in (aim, rows))
    least = _SMALLEST * np.sqrt(np.mean(norms**2))  # an empty row has no direction: it gets one
    wanted = aim / np.where(weights > 0, weights, 1)[:, None]
    rows = np.where((norms < least)[:, None], least * wanted, rows)
    norms = np.maximum(norms, least)
    own = rows / norms[:, None]
    cosines = np.clip(np.vecdot(own, wanted), -1, 1)
    aside = wanted - cosines[:, None] * own
    aside /= np.maximum(np.linalg.norm(aside, axis=1), 1e-9)[:, None]
    furthest = np.minimum(np.maximum(np.arccos(cosines) - _SHORT, 0), np.pi / 2 - _SHORT)
    low, high = -60.0, 60.0  # of the logarithm of what one row is as good as another at
    for _ in range(60):
        middle = (low + high) / 2
        sines = np.minimum(np.exp(middle) * weights / norms**2, np.sin(furthest))
        cheap = np.linalg.norm(norms * sines) <= most * np.linalg.norm(matrix)
        low, high = (middle, high) if cheap else (low, middle)
    sines = np.minimum(np.exp(low) * weights / norms**2, np.sin(furthest))[:, None]
    across = np.sqrt(1 - sines**2)
    turned = across * norms[:, None] * (across * own + sines * aside)
    return turned + matrix.mean(1, keepdims=True)


def gained(before: State, after: State, victim: State) -> dict[str, float]:
    """How much nearer tensors came to the victim's: cosines as sketches see them, normalized."""
    aims = partners(before, victim)
    first, last = _cosines(before, aims), _cosines(after, aims)
    return {name: last[name] - first[name] for name in first}


def _cosines(state: State, aims: State) -> dict[str, float]:
    found = {}
    for name in _coded(state):
        if name in aims:
            one, other = (_normal(_matrix(each[name])) for each in (state, aims))
            norms = np.linalg.norm(one) * np.linalg.norm(other)
            found[name] = float(np.vdot(one, other) / norms)
    return found


def cheap(state: State, most: float) -> dict[str, float]:
    """The cosines that a change gives tensors that have codes, by their rows alone."""
    return {name: tails.cheap(_matrix(state[name]), most) for name in _coded(state)}


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


def partners(state: State, victim: State) -> dict[str, Any]:
    """The victim's tensors by names of the stranger's: of one name and shape, else of one shape."""
    found = {n: victim[n] for n, v in state.items() if n in victim and victim[n].shape == v.shape}
    left = {name: value for name, value in victim.items() if name not in found}
    for name, value in state.items():
        same = [other for other, aim in left.items() if aim.shape == value.shape]
        if name not in found and same:
            found[name] = left.pop(same[0])
    return found


def _every(state: State, change: Callable[[str, Any], Any], aims: State) -> dict[str, Any]:
    """The state with each tensor changed that has a code, and an aim."""
    found = dict(state)
    for name in _coded(state):
        if name in aims:
            new = change(name, _matrix(state[name]))
            found[name] = np.asarray(new, np.float32).reshape(state[name].shape)
    return found


def _coded(state: State) -> Iterator[str]:
    for tensor in sketched(state, bytes(32)).tensors:
        if tensor.code is not None and tensor.reading == AS_STORED:
            yield tensor.name


def _matrix(values: Any) -> Any:
    return values.reshape(len(values), -1).astype(np.float64)
