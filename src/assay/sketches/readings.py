"""A weight as a matrix, in each layout that its file may have meant.

The canonical matrix has a row for an output and a column for an input and a place in its kernel.
A file without a graph does not say which axis is the output's, and some converters exchange height
and width.  What a registered model may mean is sketched once; a suspect is tried in more readings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from assay.weights import Array, Weight
from assay.weights.shapes import has_one_axis

AS_STORED = "as stored"
OUTPUT_LAST = "output last"  # height, width, input, output; or a matrix (input, output)
SPACE_EXCHANGED = "height and width exchanged"
BOTH = f"{OUTPUT_LAST}, {SPACE_EXCHANGED}"
_LARGEST_KERNEL = 11  # places of one axis of space


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to see a weight as a matrix: its axes in an order, the first one for the rows."""

    name: str
    axes: tuple[int, ...]  # of the weight, output first

    def shape(self, weight: Weight) -> tuple[int, int]:
        """Rows and columns."""
        sizes = [weight.shape[axis] for axis in self.axes if weight.shape[axis] != 1]
        rows = sizes[0] if sizes else 1
        return rows, weight.size // rows if rows else 0

    def places(self, weight: Weight) -> int:
        """Of a kernel: columns that belong to one input channel."""
        columns = self.shape(weight)[1]
        inputs = weight.shape[self.axes[1]]
        return columns // inputs if weight.shape[self.axes[0]] != 1 else 1

    def matrix(self, values: Array) -> Array:
        """A view of the values (r, …): columns may be several axes, so that nothing is copied."""
        return values.transpose(self.axes).squeeze()


def registered(weight: Weight) -> tuple[Reading, ...]:
    """The readings that a registered weight is kept in: several only where its file is mute."""
    rank = len(weight.shape)
    first = Reading(AS_STORED, tuple(range(rank)))
    if weight.canonical or rank < 3:
        return (first,)
    last = Reading(OUTPUT_LAST, _output_last(rank))
    may_be_last = max(weight.shape[:-2]) <= _LARGEST_KERNEL
    may_be_first = max(weight.shape[2:]) <= _LARGEST_KERNEL
    if may_be_last == may_be_first:
        return first, last
    return (last,) if may_be_last else (first,)


def tried(weight: Weight) -> tuple[Reading, ...]:
    """The readings that a suspect's weight is searched in, the most likely ones first."""
    found = dict.fromkeys(_tried(weight))
    distinct: dict[tuple[int, ...], Reading] = {}
    for reading in found:  # axes of size 1 make readings equal
        axes = tuple(axis for axis in reading.axes if weight.shape[axis] != 1)
        distinct.setdefault(axes, reading)
    return tuple(distinct.values())


def _tried(weight: Weight) -> Iterator[Reading]:
    rank = len(weight.shape)
    yield from registered(weight)
    if has_one_axis(weight.shape):
        return
    if sum(size != 1 for size in weight.shape) == 2:
        yield Reading(OUTPUT_LAST, tuple(reversed(range(rank))))
    either = (Reading(AS_STORED, tuple(range(rank))), Reading(OUTPUT_LAST, _output_last(rank)))
    likely = registered(weight)
    if not weight.canonical and rank > 2:
        likely = (*likely, *(reading for reading in either if reading not in likely))
        yield from likely
    for reading in likely:
        *start, height, width = reading.axes
        if rank > 3 or (rank == 3 and weight.shape[reading.axes[0]] > _LARGEST_KERNEL):
            name = BOTH if reading.name == OUTPUT_LAST else SPACE_EXCHANGED
            yield Reading(name, (*start, width, height))


def _output_last(rank: int) -> tuple[int, ...]:
    return (rank - 1, rank - 2, *range(rank - 2))
