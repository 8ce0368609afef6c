"""Shapes that a file claims, held to what a tensor can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from assay.errors import UnreadableModel
from assay.graphs.operators import MOST_AXES, Shape

LARGEST = 2**31 - 1  # of one dimension
MOST_ELEMENTS = 2**48  # of one tensor; of an empty one, of its other axes


def shape_of(what: str, dims: Iterable[int]) -> Shape:
    """The dimensions as a shape.  Raises UnreadableModel where no tensor could have it."""
    shape = tuple(dims)
    if max(shape, default=0) > LARGEST or not _fits(shape):
        raise UnreadableModel(f"{what} has an absurd shape {spelled(shape[:8])}")
    return shape


def is_shape(dims: object) -> bool:
    """Whether ``dims`` is a list of whole numbers, of any size, that a tensor can have."""
    return isinstance(dims, list) and all(type(dim) is int for dim in dims) and _fits(dims)


def has_one_axis(shape: Shape) -> bool:
    """Whether at most one axis has several places, so that every layout is the same."""
    return sum(dim != 1 for dim in shape) <= 1


def _fits(dims: Sequence[int]) -> bool:
    """NumPy makes no array where the axes are too many or too long, be it an empty one."""
    small = len(dims) <= MOST_AXES and min(dims, default=0) >= 0
    return small and prod(dim for dim in dims if dim) <= MOST_ELEMENTS


def spelled(dims: Iterable[int | str | None]) -> str:
    """For messages: 1x3x?x?."""
    return "x".join("?" if dim is None else str(dim) for dim in dims) or "a scalar"
