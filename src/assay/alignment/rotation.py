"""A turned residual stream turned back [orthogonal Procrustes: Schönemann, 1966].

Who reads a stream in other axes has turned columns, who writes to it turned rows: W R, or RᵀW.  The
angles between rows of the first, and columns of the second, stay, which shows what was turned.  The
turn is one for all tensors of a width, so each is judged by the turn that fits the others best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import log10

import numpy as np

from assay.alignment.candidates import alike_rows, rows_for
from assay.alignment.matrices import Array, Index
from assay.alignment.nulls import log10_orders
from assay.alignment.search import Found, judged

_MOST = 4096  # channels of an axis that is turned back
_SOME = 512  # rows whose angles are looked at
_SEARCHED = 0.5  # correlation of angles, where the order of rows is searched …
_MOST_SEARCHED = 1024  # … among no more than these
_CLEARLY = 2  # times the correlation of what is in place
_PASSES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A suspect's tensor and the source's, one of whose axes may be turned."""

    name: str
    source: str
    axis: int
    product: Array  # (d, d) theirsᵀ · ours, of the rows that belong together
    order: Index | None  # (n) of the source's channels on the other axis; None where they were

    def found(self, ours: Array, theirs: Array, turn: Array) -> Found:
        """The two tensors (r, c, k), one turned back."""
        rows, columns = (np.arange(size) for size in theirs.shape[:2])
        tried, other = log10(2), 1 - self.axis  # either axis may be the one that was turned
        if self.order is not None:
            rows, columns = (self.order, columns) if other == 0 else (rows, self.order)
            tried += log10_orders([(ours.shape[other], theirs.shape[other])])
        back = rotated(ours, turn, self.axis)
        found = judged(back, theirs, rows, columns, tried, borrowed=True)
        searched = () if self.order is None else (other,)
        return replace(found, turn=(self.axis, turn), searched=searched)


def turned_back(
    suspect: Mapping[str, Array],
    source: Mapping[str, Array],
    names: Mapping[str, str],
    alike: float = 0.3,
) -> Iterator[tuple[str, str, Found]]:
    """Suspect's and source's names, and how they belong together.

    Args:
        suspect: (r, c, k) by name.
        source: the same.
        names: pairs that may belong together, of the suspect and of the source.
        alike: correlation of angles, from which on an axis may be turned.
    """
    groups: dict[int, list[Turned]] = defaultdict(list)
    for name, other in names.items():
        one = _turned((name, other), suspect[name], source[other], alike)
        if one is not None:
            groups[len(one.product)].append(one)
    for group in groups.values():
        whole = sum(each.product for each in group)
        for each in group if len(group) > 1 else []:
            turn = _best_turn(whole - each.product)
            found = each.found(suspect[each.name], source[each.source], turn)
            others = frozenset(other.source for other in group if other is not each)
            yield each.name, each.source, replace(found, carried=others)


def rotated(matrix: Array, turn: Array, axis: int) -> Array:
    """A matrix (r, c, k) with one axis turned by (d, d)."""
    moved = np.moveaxis(matrix, axis, -1) @ turn.T
    return np.ascontiguousarray(np.moveaxis(moved, -1, axis))


def _turned(names: tuple[str, str], ours: Array, theirs: Array, least: float) -> Turned | None:
    """On the axis whose turn would explain the pair best; None where none would."""
    if ours.shape[2] != theirs.shape[2]:
        return None
    best, found = least, None
    for axis in (0, 1):
        if ours.shape[axis] != theirs.shape[axis] or not 1 < ours.shape[axis] <= _MOST:
            continue
        one, two = (_directions(np.moveaxis(each, axis, -1)) for each in (ours, theirs))
        alike, order = 0.0, None
        if len(one) == len(two):
            alike = _angles_alike(one, two)
        if alike < _SEARCHED and ours.shape[2] == 1 and max(len(one), len(two)) <= _MOST_SEARCHED:
            searched = _by_angles(one, two)
            there = searched >= 0
            value = _angles_alike(one[searched[there]], two[there])
            if value > max(_SEARCHED, _CLEARLY * alike):
                alike, order = value, searched
        if alike > best:
            there = np.ones(len(two), bool) if order is None else order >= 0
            product = two[there].T @ (one if order is None else one[order[there]])
            best, found = alike, Turned(*names, axis, product, order)
    return found


def _by_angles(ours: Array, theirs: Array) -> Index:
    """The rows of ``theirs`` (n, d): those of ``ours`` that have the same angles to the others."""
    one, other = ((each @ each.T)[:, :, None] for each in (ours, theirs))
    order = alike_rows(one, other)
    for _ in range(_PASSES):
        order = rows_for(one, other, order)
    return order


def _directions(matrix: Array) -> Array:
    """(n, d) rows of length 1."""
    flat = matrix.reshape(-1, matrix.shape[-1])
    sizes = np.sqrt(np.square(flat).sum(1, keepdims=True))
    found: Array = flat / np.maximum(sizes, 1e-30)
    return found


def _angles_alike(one: Array, other: Array) -> float:
    """The correlation of cosines between pairs of rows (n, d) of two matrices."""
    some = np.unique(np.linspace(0, len(one) - 1, _SOME).astype(np.int64))
    if len(some) < 4:
        return 0.0
    pairs = np.triu_indices(len(some), 1)
    ours, theirs = ((each[some] @ each[some].T)[pairs] for each in (one, other))
    ours, theirs = ours - ours.mean(), theirs - theirs.mean()
    size = float(np.sqrt(np.vdot(ours, ours) * np.vdot(theirs, theirs)))
    return float(np.vdot(ours, theirs)) / size if size > 0 else 0.0


def _best_turn(product: Array) -> Array:
    """The orthogonal matrix (d, d) that brings ours nearest to theirs, by theirsᵀ · ours."""
    left, _, right = np.linalg.svd(product.astype(np.float64))
    found: Array = (left @ right).astype(np.float32)
    return found
