"""Orders of channels that two tensors' values suggest [weight matching: Ainsworth et al., 2023].

A row is known, whatever the order of columns, by its sorted values.  Rows that are matched so, even
if some are wrong, tell which columns are alike; these tell the rows; and so on until nothing gets
better.  Of a large tensor some of the source's channels are looked for first, and what tells an
order is not what it is judged by: so strangers are known as such before all channels are matched.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assay.alignment.assignment import matched
from assay.alignment.matrices import Array, Index

Candidate = tuple[Index, Index, tuple[int, ...]]  # rows, columns, and axes that were searched

_QUANTILES = 64  # of a row, by which it is known
_PASSES = 8  # over rows and columns, at most, as long as …
_BETTER = 0.005  # … each adds as much to the correlation
_LARGE = 2**17  # values of a tensor, of which …
_SOME = 256  # … no more channels are looked at, to match the others, and …
_LONG, _FEWER = 2**24, 128  # … fewer where so many pairs of channels are compared, and …
_FIRST = 512  # … no more are matched, before that is worth it; …
_APART = 64  # … if there are so many, with …
_TELLING = 512  # … so many values each, some tell the order, others how good it is
_DIRECTIONS = 12  # principal ones, by which rows are known
_POWERS = 6  # of a matrix, to find them
_FEW = 96  # channels of an axis, by which alignments are compared; fewer if kernels have places


def candidates(ours: Array, theirs: Array) -> Iterator[Candidate]:
    """One axis as it is, then none, of equilibrated matrices (r, c, k).

    Of an axis that was searched, no more than 512 of a large source's channels have one of ours.
    """
    if ours.shape[1:] == theirs.shape[1:]:
        columns = np.arange(theirs.shape[1])
        yield first_rows_for(ours, theirs, columns), columns, (0,)
    if ours.shape[::2] == theirs.shape[::2]:
        rows = np.arange(len(theirs))
        yield rows, first_columns_for(ours, theirs, rows), (1,)
    if ours.shape[1] == 1 or theirs.shape[1] == 1:
        return
    flat = ours - ours.mean((0, 1)), theirs - theirs.mean((0, 1))
    yield (*_descent(*flat, alike_rows(*flat)), (0, 1))
    turned = alike_rows(flat[0].swapaxes(0, 1), flat[1].swapaxes(0, 1))
    yield (*_descent(*flat, first_rows_for(*flat, turned)), (0, 1))
    yield (*_descent(*flat, _by_spectrum(*flat)), (0, 1))


def completed(ours: Array, theirs: Array, candidate: Candidate) -> Candidate:
    """A candidate with all channels of the axes that were searched."""
    rows, columns, searched = candidate
    if 0 in searched and len(theirs) > len(_first(theirs)):
        rows = rows_for(ours, theirs, columns)
    turned = theirs.swapaxes(0, 1)
    if 1 in searched and len(turned) > len(_first(turned)):
        columns = columns_for(ours, theirs, rows)
    return rows, columns, searched


def fits(ours: Array, theirs: Array, rows: Index, columns: Index) -> float:
    """The correlation of some rows and columns of two equilibrated matrices (r, c, k).

    Of large ones, these are others than those that tell an order.
    """
    some, count = [], round(_FEW / theirs.shape[2] ** 0.5)
    for index in (rows, columns):
        there = np.flatnonzero(index >= 0)
        if _is_apart(theirs, len(there)):
            there = there[1::2]
        some.append(_evenly(there, count))
    one = ours[np.ix_(rows[some[0]], columns[some[1]])]
    other = theirs[np.ix_(*some)]
    one, other = one - one.mean((0, 1)), other - other.mean((0, 1))
    size = float(np.sqrt(np.vdot(one, one) * np.vdot(other, other)))
    return float(np.vdot(one, other)) / size if size > 0 else 0.0


def rows_for(ours: Array, theirs: Array, columns: Index) -> Index:
    """The rows of ``theirs`` (r, c, k): those of ``ours`` that are most alike in known columns."""
    return _rows_for(ours, theirs, columns, np.arange(len(theirs)))


def columns_for(ours: Array, theirs: Array, rows: Index) -> Index:
    """The same for columns, in known rows."""
    return rows_for(ours.swapaxes(0, 1), theirs.swapaxes(0, 1), rows)


def first_rows_for(ours: Array, theirs: Array, columns: Index) -> Index:
    """The same for some rows, if the matrix is large; −1 for the others."""
    return _rows_for(ours, theirs, columns, _first(theirs))


def first_columns_for(ours: Array, theirs: Array, rows: Index) -> Index:
    """The same for columns, in known rows."""
    return first_rows_for(ours.swapaxes(0, 1), theirs.swapaxes(0, 1), rows)


def alike_rows(ours: Array, theirs: Array) -> Index:
    """Some rows of ``theirs``: those of ``ours`` whose sorted values are nearest."""
    count, first = min(ours.shape[1], theirs.shape[1], _QUANTILES), _first(theirs)
    near = _nearest(_sorted_values(ours, count), _sorted_values(theirs[first], count))
    return _placed(near, first, len(theirs))


def _rows_for(ours: Array, theirs: Array, columns: Index, wanted: Index) -> Index:
    known = np.flatnonzero(columns >= 0)
    if _is_large(theirs):
        if _is_apart(theirs, len(known)):
            known = known[::2]
        known = _evenly(known, _SOME if len(wanted) * len(ours) <= _LONG else _FEWER)
    one, other = theirs[np.ix_(wanted, known)], ours[:, columns[known]]
    found = matched(one.reshape(len(one), -1), other.reshape(len(other), -1))
    return _placed(found, wanted, len(theirs))


def _is_large(matrix: Array) -> bool:
    return matrix.size > _LARGE


def _is_apart(matrix: Array, count: int) -> bool:
    """Whether half of so many channels suffice to tell an order, and others to judge it."""
    enough = count >= _APART and count * matrix.shape[2] >= _TELLING
    return enough and _is_large(matrix)


def _first(matrix: Array) -> Index:
    """Rows of a matrix that are looked for at first."""
    rows = np.arange(len(matrix))
    return _evenly(rows, _FIRST) if _is_large(matrix) else rows


def _evenly(index: Index, count: int) -> Index:
    """So many of an index, at most, from its begin to its end."""
    return index[np.unique(np.linspace(0, len(index) - 1, count).astype(np.int64))]


def _placed(found: Index, wanted: Index, size: int) -> Index:
    """What was found for some channels, among all of them."""
    index: Index = np.full(size, -1)
    index[wanted] = found
    return index


def _descent(ours: Array, theirs: Array, rows: Index) -> tuple[Index, Index]:
    """Columns by rows and rows by columns, until they no longer fit better."""
    best, found = -np.inf, None
    for _ in range(_PASSES):
        columns = first_columns_for(ours, theirs, rows)
        fit = fits(ours, theirs, rows, columns)
        if fit <= best + _BETTER and found is not None:
            break
        best, found = fit, (rows, columns)
        rows = first_rows_for(ours, theirs, columns)
    assert found is not None
    return found


def _by_spectrum(ours: Array, theirs: Array) -> Index:
    """Some rows of ``theirs``: those of ``ours`` with as much of each principal direction."""
    first = _first(theirs)
    one, other = _shares(ours), _shares(theirs)[first]
    count = min(one.shape[1], other.shape[1])
    return _placed(_nearest(one[:, :count], other[:, :count]), first, len(theirs))


def _nearest(ours: Array, theirs: Array) -> Index:
    """For each of their rows (m, d) the one of ours (n, d) at the least distance, one to one."""
    halves = [np.square(each).sum(1, keepdims=True) / 2 for each in (theirs, ours)]
    ones = [np.ones_like(half) for half in halves]
    return matched(np.hstack([theirs, -halves[0], ones[0]]), np.hstack([ours, ones[1], -halves[1]]))


def _shares(matrix: Array) -> Array:
    """(r, 12) sizes of a row's parts in the left singular directions, the largest first."""
    flat = matrix.reshape(len(matrix), -1)
    count = min(2 * _DIRECTIONS, *flat.shape)
    basis = np.random.default_rng(0).standard_normal((flat.shape[1], count), np.float32)
    for _ in range(_POWERS):  # subspace iteration [Halko et al., 2011]
        basis, _ = np.linalg.qr(flat.T @ (flat @ basis))
    left, _, _ = np.linalg.svd(flat @ basis, full_matrices=False)
    found: Array = np.abs(left[:, :_DIRECTIONS])
    return found


def _sorted_values(matrix: Array, count: int) -> Array:
    """(r, count · f): quantiles of each row's kernels by their sizes, and by their places."""
    known = np.sort(matrix.swapaxes(1, 2), axis=2)  # (r, k, c)
    places = np.clip((np.arange(count) + 0.5) / count * known.shape[2] - 0.5, 0, None)
    low = places.astype(np.int64)
    high = np.minimum(low + 1, known.shape[2] - 1)
    share = (places - low).astype(np.float32)
    quantiles: Array = known[:, :, low] * (1 - share) + known[:, :, high] * share
    return quantiles.reshape(len(matrix), -1)
