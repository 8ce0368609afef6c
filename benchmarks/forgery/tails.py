"""How likely a forger without the key reaches a false alarm: drawn from the null's model.

The best he can do is turn a tensor towards the victim's: a relative change gives at most a cosine
of its own size.  The cosine of the sums is then Fisher's [1915] around that, whichever key is
drawn.  The null itself is one about a cosine of 0.1, so that up to there the stated false alarm
holds by how it is made, whatever else is done; beyond, it is what is drawn here.  Of a matrix whose
rows are of many sizes, the null is one about what changing a tenth of it can give.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.comparisons import TOLERANCE
from assay.comparisons._tensor_pairs import FLOOR, Matching, Pair
from assay.comparisons.weights import false_alarm
from assay.sketches.nulls import free_values, log10_tail_of_cosine
from assay.sketches.projections import cosines
from assay.values import TensorSketch, WeightSketch

_WORTH = -3.0  # corrected, as the matching of tensors has it
_MOST = 0.99  # cosine: none is told from the same
_ANGLES = 4000  # of which the tail is looked up
_AT_ONCE = 100_000  # draws


def counting(tensor: TensorSketch) -> float:
    """How many of a tensor's sums count, where the other's energies are like its own."""
    cells = np.frombuffer(tensor.cells or b"", np.int8)[None]
    return float(cosines(cells, cells, tensor.shape)[1][0, 0])


@cache
def tails(shape: tuple[int, int], sums: float, given: float) -> NDArray[np.float64]:
    """log₁₀ of the false alarm at angles from 0 to π, in even steps, about a given cosine."""
    angles = np.linspace(0, np.pi, _ANGLES + 1)
    return np.array([log10_tail_of_cosine(each, sums, *shape, given) for each in np.cos(angles)])


def drawn(
    shape: tuple[int, int], sums: float, cosine: float, draws: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Cosines of sums of a tensor with this cosine to the victim's, over keys and strangers."""
    spread = free_values(*shape) ** -0.5
    given = np.tanh(random.normal(np.arctanh(cosine), spread, draws))
    own = 2 * random.standard_gamma(sums / 2, draws)  # χ²
    rest = 2 * random.standard_gamma((sums - 1) / 2, draws) * (1 - given**2)
    along = given * np.sqrt(own) + np.sqrt(1 - given**2) * random.standard_normal(draws)
    found: NDArray[np.float64] = along / np.sqrt(along**2 + rest)
    return found


def cheap(matrix: NDArray[np.float64], most: float) -> float:
    """The cosine that a change gives a matrix (r, c), whichever the other one is.

    A row of norm n gets a cosine of s by n · s.  So the smallest rows are replaced, and the others
    get what is as 1 / n².
    """
    rows = matrix - matrix.mean(1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1)
    unit = rows[norms > 0] / norms[norms > 0, None]
    apart = np.linalg.norm(unit - unit.mean(0))  # what all rows have in common does not count
    squares = np.sort(norms[norms > 0] ** 2)
    spent = np.cumsum(squares) - squares  # where so many rows, from 0, are replaced
    others = np.cumsum(1 / squares[::-1])[::-1]
    left = np.maximum((most * np.linalg.norm(matrix)) ** 2 - spent, 0)
    level = np.sqrt(left / others)
    replaced = np.flatnonzero(level <= squares)
    total = replaced[0] + (level * others)[replaced[0]] if len(replaced) else len(squares)
    return float(min(total / (len(squares) ** 0.5 * max(apart, 1e-9)), _MOST))


def reached(
    source: WeightSketch,
    given: float | Mapping[str, float],
    draws: int,
) -> dict[str, Any]:
    """The share of draws in which a model is near by the tolerance, or nearly so.

    Its tensors have ``given`` as cosines to the source's: all the same one, or each by its name.
    """
    random = np.random.default_rng(0)
    tensors = [tensor for tensor in source.tensors if tensor.code is not None]
    parts = [
        _alarms(tensors, given, min(_AT_ONCE, draws - start), random)
        for start in range(0, draws, _AT_ONCE)
    ]
    alarms = np.concatenate(parts)
    return {
        "draws": draws,
        "near": float(np.mean(alarms <= np.log10(TOLERANCE))),
        "shares": {level: float(np.mean(alarms <= level)) for level in (-2, -4, -6, -8)},
    }


def _alarms(
    tensors: list[TensorSketch],
    given: float | Mapping[str, float],
    draws: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """log₁₀ of the false alarms that are stated of models (draws)."""
    found = np.zeros((draws, len(tensors)), np.float32)
    for place, tensor in enumerate(tensors):
        cosine = given if isinstance(given, float) else given.get(tensor.name, 0.0)
        sums = counting(tensor)
        cosines_drawn = drawn(tensor.shape, sums, cosine, draws, random)
        angles = np.arccos(cosines_drawn) / np.pi
        places = np.rint(angles * _ANGLES).astype(np.intp)
        found[:, place] = tails(tensor.shape, sums, tensor.given)[places]
    same = [sum(other.shape == tensor.shape for other in tensors) for tensor in tensors]
    sizes = np.array([tensor.size for tensor in tensors])
    matching = partial(Matching, ([], []), (same, same))
    limits = np.array([_WORTH - np.log10(count) for count in same])
    alarms = np.zeros(draws)
    for row in np.flatnonzero((found <= limits).any(1)):
        near = np.flatnonzero(found[row] <= limits)
        if sizes[near].sum() >= (0.05 if len(near) > 1 else 0.5) * sizes.sum():
            pairs = [Pair(n, n, float(found[row, n]), 0, False) for n in near.tolist()]
            alarms[row] = false_alarm(matching(pairs), FLOOR)
    return alarms
