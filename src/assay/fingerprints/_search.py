"""Queries made by asking alone: pixels that part the answers to an input and to its copy.

[ModelDiff, ISSTA 2021, algorithm 1.]
"""

from __future__ import annotations

import numpy as np

from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array

SHARE = 0.5  # λ: how much the diversity of the answers counts beside their divergence
_CLOSE = 0.011  # quantile of the distances of two answers, below which a pair lacks diversity


def search(
    model: Predictor, inputs: Array, *, step: float, rounds: int, rng: np.random.Generator
) -> Array:
    """Inputs (n, …) changed one value at a time, so that the model's answers move and differ.

    Each round adds ``step`` to, or takes it from, one value of all inputs that still answer as
    before, and keeps what is better.  It asks 2 n inputs a round.
    """
    low, high = float(inputs.min()), float(inputs.max())
    before = model.ask(inputs)
    origin, labels = before.probabilities, before.labels
    moved, answers = inputs.copy(), origin
    best = SHARE * _distances(origin).mean()
    places = rng.permutation(int(np.prod(inputs.shape[1:])))
    for place in places[:rounds]:
        todo = _unfinished(origin, answers, labels)
        if not todo.any():
            break
        candidates = [_stepped(moved, todo, place, sign * step, low, high) for sign in (1, -1)]
        given = [model.ask(candidate).probabilities for candidate in candidates]
        found = [
            _divergences(origin, each).mean() + SHARE * _distances(each).mean() for each in given
        ]
        better = int(np.argmax(found))
        if found[better] > best:
            best, moved, answers = found[better], candidates[better], given[better]
    return moved


def _stepped(inputs: Array, rows: Array, place: int, step: float, low: float, high: float) -> Array:
    flat = inputs.reshape(len(inputs), -1).copy()
    flat[rows, place] = np.clip(flat[rows, place] + step, low, high)
    return flat.reshape(inputs.shape)


def _unfinished(origin: Array, answers: Array, labels: Array) -> Array:  # -> (n,)
    """Inputs that keep their label, and moved little, or answer as another input does."""
    divergences, distances = _divergences(origin, answers), _distances(answers)
    np.fill_diagonal(distances, np.inf)
    close = distances < np.quantile(distances[np.isfinite(distances)], _CLOSE)
    kept: Array = answers.argmax(1) == labels
    unfinished: Array = kept & ((divergences <= divergences.mean()) | close.any(1))
    return unfinished


def _divergences(first: Array, second: Array) -> Array:
    lengths: Array = np.linalg.norm(first - second, axis=1)
    return lengths


def _distances(answers: Array) -> Array:  # (n, c) -> (n, n)
    lengths: Array = np.linalg.norm(answers[:, None] - answers[None], axis=2)
    return lengths
