"""Single values that matrices of other shapes have in common, each with where it is [Broder, 1997].

A value is known by the largest magnitudes of its row and of its column, and by the value where the
column of the one and the row of the other meet.  All stay where other channels are removed, added
or exchanged, and where small values become zero.  Of the keyed hashes a tensor keeps the smallest.
Rows alone would not do: whoever sorts his own as the victim's are sorted gets all of their values
for a change of some per cent.  Nothing is kept where strangers' values may be the same, or where
few large ones are all that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.sketches.budgets import smallest
from assay.sketches.keys import numbers, stream
from assay.weights import Array, Weight
from assay.weights.shapes import has_one_axis

KEPT = 64  # hashes of a tensor, at most
ONE_IN = 10**7  # of so many pairs of strangers' tensors one shares a hash, at most

_DTYPES = ("float32", "float64")  # numbers of fewer bits are equal by chance
_FEWEST = 8  # rows, columns and hashes whose values can be told to be spread
_KERNEL = 25  # columns that may be one kernel's: its places are alike in strangers
_COARSE = 2**8  # an end that is a multiple of so many units in the last place was rounded …
_ROUNDED = 2**3  # … and so are all, where most are multiples of so many
_DRAWN, _LOOKED_AT = 4096, 192  # values with the smallest hashes, and large ones of them
_LARGE = 0.5  # of the root mean square: smaller values are had for little
_CHANGE, _BOUGHT = 0.1, 0.3  # of the norm; of single values, what it may give
_AT_ONCE = 2**16  # values that are hashed at once
_UNIT = 2**40  # a probability of 1, in whole numbers
_SPREAD = 2**28  # what it must be below, for values of each kind
_ROWS, _COLUMNS = 8, 128  # that are looked at for a lattice
_BLOCK, _ALIGNED = 16, 32  # columns that have one step where a row has several, and where they lie
_TENSORS = 24  # of a model: so many say enough
_SAME = 0.18  # of rows' values, but for their signs: dummy neurons may make .15 so
_GAPS = 4  # between a row's values, from which on they tell; a sparse row has fewer
_MOST = 0.9  # of them are whole steps, on a lattice …
_STEPS = 2**16  # … of so many steps, at most, …
_PARTS = np.arange(1, 7)  # … so many of which may be between the two nearest values
_WHOLE = 0.01  # of a step: rounding


class Cells(NamedTuple):
    """Values of a matrix, by their hashes, ascending and different."""

    hashes: NDArray[np.uint64]  # (n)
    values: NDArray[np.float32]  # (4, n): its own, its row's and its column's end, where they meet
    rows: NDArray[np.intp]  # (n)


def fragments(matrix: Array, key: bytes) -> bytes | None:
    """The smallest hashes of a matrix's values (r, …), ascending, 8 bytes each.

    None where strangers might have the same ones more often than ONE_IN says, or a forger too many.
    Neither the order of rows nor of columns plays a part, nor what the columns' axes are.
    """
    flat = matrix.reshape(len(matrix), -1)
    if len(flat) < _FEWEST or flat.shape[1] <= _KERNEL:
        return None
    sample = drawn(flat, key)
    if _bought(sample) > _BOUGHT:
        return None
    found = cells(flat, key, sample)
    if not _are_telling(found, flat.size) or _are_quantized(flat, found, key):
        return None
    return found.hashes[:KEPT].astype("<u8").tobytes()


def hashes_of(kept: bytes | None) -> list[int]:
    """What ``fragments`` gave, as numbers."""
    return [] if kept is None else np.frombuffer(kept, "<u8").tolist()


def chosen(weights: Sequence[Weight]) -> frozenset[int]:
    """Which weights are looked at: a sixteenth of all values, in no more than so many tensors."""
    sizes = {
        place: weight.size
        for place, weight in enumerate(weights)
        if weight.dtype in _DTYPES and not has_one_axis(weight.shape)
    }
    within = smallest(sizes, 2**22 + sum(weight.size for weight in weights) // 16)
    return frozenset(sorted(within, key=lambda place: (-sizes[place], place))[:_TENSORS])


class Drawn(NamedTuple):
    """Values that a hash of theirs draws, the smallest first; none is 0."""

    hashes: NDArray[np.uint32]  # (n)
    places: NDArray[np.intp]  # (n) in the matrix, flat
    values: NDArray[np.float32]  # (n)
    large: float  # magnitude from which on they count
    expected: int  # of all, zeros, too


def cells(flat: Array, key: bytes, sample: Drawn, most: int = _LOOKED_AT) -> Cells:
    """Of ``most`` large values of a matrix (r, c), those whose ends are other values, and telling.

    An end of zero, or rounded, or there twice, tells nothing.
    """
    counting = np.flatnonzero(np.abs(sample.values) >= sample.large)[:most]
    rows, columns = np.divmod(sample.places[counting], flat.shape[1])
    across, of_rows = _ends(flat, rows, 0)
    down, of_columns = _ends(flat, columns, 1)
    own, crossing = sample.values[counting], flat[down, across]
    values = np.stack([own, flat[rows, across], flat[down, columns], crossing])
    told = of_rows & of_columns & (across != columns) & (down != rows)
    told &= np.abs(crossing) >= sample.large
    told &= np.isfinite(values).all(0) & (_bits(values[1:3]) % _COARSE != 0).all(0)
    values, rows = values[:, told], rows[told]
    hashes = sample.hashes[counting][told].astype(np.uint64) << np.uint64(32)
    hashes |= _hashed(_bits(values), key) >> np.uint64(32)
    hashes, first = np.unique(hashes, return_index=True)
    return Cells(hashes, values[:, first], rows[first])


def drawn(flat: Array, key: bytes) -> Drawn:
    """Some of the values, by what they are; which ones, only who has the key can foretell."""
    factor, start = np.frombuffer(stream(key, "fragments drawn", 8), "<u4")
    factor, start = (factor | np.uint32(1)) << np.uint32(1), start | np.uint32(2**31)
    limit = np.uint32(min(2**31, 2**32 * _DRAWN // flat.size))
    by_columns = flat.strides[0] < flat.strides[1]  # as it lies: nothing is copied
    lying = flat.T if by_columns else flat
    bits, found = _bits(lying.reshape(-1)), list[NDArray[np.intp]]()
    for place in range(0, len(bits), _AT_ONCE):
        part = bits[place : place + _AT_ONCE] * factor  # without the sign: ±0 is never drawn
        part += start
        found.append(np.flatnonzero(part < limit) + place)
    places = np.concatenate(found)
    hashes = bits[places] * factor + start
    values = lying.reshape(-1)[places]
    if by_columns:
        column, row = np.divmod(places, len(flat))
        places = row * flat.shape[1] + column
    order = np.lexsort((places, _bits(values), hashes))
    places, hashes, values = places[order], hashes[order], values[order]
    finite = np.isfinite(values)
    mean = float(np.square(values[finite].astype(np.float64)).mean()) if finite.any() else 0.0
    expected = flat.size * int(limit) >> 32
    return Drawn(hashes, places, values, _LARGE * mean**0.5, expected)


def _ends(
    flat: Array, lines: NDArray[np.intp], axis: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where the largest magnitudes of rows, or columns, are (n), and whether each is there once."""
    different, back = np.unique(lines, return_inverse=True)
    lines_of = flat if axis == 0 else flat.T
    picked = np.ascontiguousarray(lines_of[different])  # take would copy all that lies by columns
    sizes = np.nan_to_num(np.abs(picked), copy=False, nan=0.0, posinf=0.0)  # odd ones are no ends
    places = sizes.argmax(1)
    ends = sizes[np.arange(len(sizes)), places]
    once = (sizes == ends[:, None]).sum(1) == 1
    return places[back], once[back]


def _bought(sample: Drawn) -> float:
    """The share of large values that a change of a tenth buys, where they replace any others.

    Cheapest first: a value costs the square of what it differs by from the one that was there.
    """
    values = sample.values[np.isfinite(sample.values)].astype(np.float64)
    wanted = values[np.abs(values) >= sample.large]
    if len(wanted) < _FEWEST:
        return 1.0
    others = np.zeros(max(sample.expected, len(values)))
    others[: len(values)] = values
    step = len(others) // 2 + 1  # every wanted one meets another place's
    met = others[(np.arange(len(wanted)) * step + 1) % len(others)]
    costs = np.sort(np.square(wanted - met))
    bought = np.searchsorted(np.cumsum(costs), _CHANGE**2 * np.square(values).sum())
    return float(bought / len(wanted))


def _bits(values: Array) -> NDArray[np.uint32]:
    return values.astype(np.float32, copy=False).view(np.uint32)


def _hashed(bits: NDArray[np.uint32], key: bytes) -> NDArray[np.uint64]:
    """64 bits for each of n (k, n), known only to who has the key [Steele et al., 2014]."""
    drawn = np.frombuffer(stream(key, "fragments", 8), "<u8")
    found = np.full(bits.shape[1], drawn[0])
    for each in bits.astype(np.uint64):
        found = _mixed(found + each)
    return found


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _are_telling(found: Cells, size: int) -> bool:
    """Whether values and ends such as these are in strangers' only by a rare chance.

    A pair of places coincides as often as the densities of all four say.  Of the pairs of ``size``
    places, KEPT / size are among those that are kept.  All is counted in whole numbers, so that
    every machine decides alike.
    """
    expected = KEPT * size * ONE_IN
    for values in found.values:
        different = np.unique(values)  # ends are many values' own
        likely = _coincidence(different) if len(different) >= _FEWEST else _UNIT
        if likely > _SPREAD:
            return False
        expected *= likely
    return bool(expected <= _UNIT ** len(found.values))


def _coincidence(values: NDArray[np.float32]) -> int:
    """How likely two such values are equal, 1 is 2^40, from how near neighbors are [Vasicek, 1976].

    They are counted by their numbers among all floats.
    """
    bits = _bits(values)
    count = len(bits)
    places = np.where(bits >> 31, -(bits & 0x7FFFFFFF).astype(np.int64), bits.astype(np.int64))
    apart = max(2, int(count**0.5) // 2)
    ordered = np.sort(places)
    gaps = np.maximum(ordered[apart:] - ordered[:-apart], 1)
    likely = int((apart * _UNIT // (count * gaps)).sum()) // len(gaps) + 1
    unit = int(np.sort(bits & -bits.astype(np.int64))[count // 4])  # most are multiples of it
    return likely if unit < _ROUNDED else _UNIT


def _are_quantized(flat: Array, found: Cells, key: bytes) -> bool:
    """Whether values are few, or those of most rows, or all ends, are whole numbers of steps.

    Looks at some of the rows, at as many columns as show it, and at a block of them.
    """
    columns = flat.shape[1]
    free = max(columns - _COLUMNS, 0) // _ALIGNED + 1
    first = int(numbers(key, f"fragments {columns}", 1)[0] * free) * _ALIGNED
    picked = flat[found.rows[:_ROWS], first : first + _COLUMNS]
    picked = np.nan_to_num(picked, nan=0.0, posinf=0.0, neginf=0.0)
    if _are_few(np.abs(picked)) or _stepped(found.values[1:3]).any():
        return True
    stepped = _stepped(picked) | _stepped(picked[:, :_BLOCK])
    return bool(2 * stepped.sum() >= len(picked))


def _are_few(values: Array) -> bool:
    """Whether values of a row (n, c), not below 0, are often the same; zeros do not count."""
    ordered = np.sort(values, axis=1)
    same = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
    return bool(same.sum() > _SAME * np.count_nonzero(values))


def _stepped(values: Array) -> NDArray[np.bool_]:
    """In which rows (n, c) values lie on a lattice: gaps between them are whole steps."""
    ordered = np.sort(values[:, :_COLUMNS].astype(np.float64), axis=1)
    gaps = np.diff(ordered, axis=1)
    several = gaps > 0
    least = np.where(several, gaps, np.inf).min(1)
    with np.errstate(over="ignore", invalid="ignore"):  # where the least gap is all but zero
        finest = _PARTS[:, None] / least  # (p, n) steps of a gap of 1
        steps = gaps * finest[:, :, None]
        few = (ordered[:, -1] - ordered[:, 0]) * finest < _STEPS
        whole = (np.abs(steps - np.rint(steps)) < _WHOLE) & several
    count = several.sum(1)
    found: NDArray[np.bool_] = ((whole.sum(2) >= _MOST * count) & few).any(0)
    found &= count >= _GAPS
    return found
