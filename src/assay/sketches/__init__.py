"""Sketches of weights: short codes whose distance tells how near two tensors are.

A weight is read as a matrix (``readings``), left out where it tells nothing (``formulas``), and
projected with a key (``projections``), twice where it is not too large: the second code stays when
channels change places (``invariants``).  Hashes of exact values stay when channels are removed or
added (``fragments``).  ``nulls`` says how likely a distance is between strangers,
``starts`` whether a weight is more than the random numbers that it began with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import numpy as np

from assay.sketches import fragments, invariants
from assay.sketches.formulas import formula
from assay.sketches.given import given
from assay.sketches.keys import PUBLIC, scheme
from assay.sketches.projections import projected_finely
from assay.sketches.readings import Reading, registered
from assay.sketches.starts import learned
from assay.values import TensorSketch, WeightSketch
from assay.weights import Array, Weight
from assay.weights.indices import INDICES
from assay.weights.shapes import has_one_axis

SMALLEST = 256  # values: fewer bits of code than values, or the code says nothing

_TINY = 1e-37  # what may be divided by

Readings = Callable[[Weight], Sequence[Reading]]


def sketch(
    weights: Iterable[Weight], key: bytes = PUBLIC, readings: Readings = registered
) -> WeightSketch:
    """Sketches weights one by one; no more than one of them is in memory.

    ``readings`` says in which layouts: ``registered``, or ``tried`` for a suspect.  Raises
    UnreadableModel where a weight is damaged, BadOption where the key is no key.
    """
    name = scheme(key)
    listed = tuple(weights)
    permutable, exact = invariants.chosen(listed), fragments.chosen(listed)
    found: list[TensorSketch] = []
    for place, weight in enumerate(listed):
        more = {"invariant"} if place in permutable else set[str]()
        more |= {"fragments"} if place in exact else set()
        found += _tensors(weight, key, readings, more)
    return WeightSketch(name, tuple(found))


def _tensors(
    weight: Weight, key: bytes, readings: Readings, more: Collection[str]
) -> Iterator[TensorSketch]:
    """The sketch of one weight in each reading, with ``more`` than its code; or why it has none.

    What is a formula as it is registered tells nothing in any reading; what looks like one in a
    reading that is merely tried is not tried.
    """
    left_out = untold(weight)
    if left_out is not None:
        yield TensorSketch(weight.name, weight.shape, left_out=left_out)
        return
    values, likely = weight.read(), registered(weight)
    stored = values
    for reading in readings(weight):
        matrix, places = reading.matrix(values), reading.places(weight)
        why = formula(matrix, key)
        found = None if why else projected_finely(matrix, key)
        if why is None and found is None:  # one odd value hides no tensor
            values = _tame(values)
            matrix = reading.matrix(values)
            why = formula(matrix, key)
            found = None if why else projected_finely(matrix, key)
        if found is None and reading in likely:
            why = why or "rows or columns that repeat themselves"
            yield TensorSketch(weight.name, weight.shape, left_out=why)
            return
        if found is not None:
            second = invariants.invariant(matrix, places, key) if "invariant" in more else None
            exact = reading.matrix(stored)
            one_kernel = places == reading.shape(weight)[1]  # alike in strangers, place by place
            wanted = "fragments" in more and not one_kernel
            rows = fragments.fragments(exact, key) if wanted else None
            near = found.sums, found.cells, given(matrix, key)
            kept = found.code, second, None, learned(matrix, key), *near, rows
            yield TensorSketch(weight.name, reading.shape(weight), places, reading.name, *kept)


def _tame(values: Array) -> Array:
    """Values without those that are not finite, and none so large that sums overflow."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    tame: Array = finite / max(float(np.abs(finite).max()), _TINY)
    return tame


def untold(weight: Weight, smallest: int = SMALLEST) -> str | None:
    """Why a weight tells nothing, as far as can be said without reading it."""
    if has_one_axis(weight.shape):
        return "one axis"
    if weight.size < smallest:
        return f"fewer than {smallest} values"
    return "whole numbers" if weight.dtype in INDICES else None
