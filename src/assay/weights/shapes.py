"""Shapes that a file claims, held to what a tensor can have."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from assay.errors import UnreadableModel
from assay.graphs.operators import MOST_AXES, Shape

LARGEST = 2**31 - 1  # of one dimension
MOST_ELEMENTS = 2**48  # of one tensor


def shape_of(what: str, dims: Iterable[int]) -> Shape:
    """The dimensions as a shape.  Raises UnreadableModel where no tensor could have it."""
    shape = tuple(dims)
    small = len(shape) <= MOST_AXES and all(0 <= dim <= LARGEST for dim in shape)
    if not small or prod(shape) > MOST_ELEMENTS:
        raise UnreadableModel(f"{what} has an absurd shape {spelled(shape[:8])}")
    return shape


def spelled(dims: Iterable[int | str | None]) -> str:
    """For messages: 1x3x?x?."""
    return "x".join("?" if dim is None else str(dim) for dim in dims) or "a scalar"
