"""Sparse tensors of PyTorch, read with the zeros between their values [torch.sparse].

Coordinates (COO) name each value's place.  The compressed layouts (CSR, CSC, and BSR, BSC of
blocks) name it by row and column, of which one is given as where each begins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.containers.strided import Strided, listed, sizes_of
from assay.errors import UnreadableModel
from assay.weights import Array, Weight

MOST_DENSE = 2**26  # numbers of a sparse tensor, zeros included
_BY_COLUMN = ("torch.sparse_csc", "torch.sparse_bsc")
_BY_ROW = ("torch.sparse_csr", "torch.sparse_bsr")

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Sparse:
    """A tensor of which only some numbers are stored.  Made by ``sparse``, which checks it."""

    layout: str  # as PyTorch calls it
    indices: tuple[Strided, ...]  # coordinates; or where rows (columns) begin, and the others
    values: Strided
    shape: tuple[int, ...]

    def weight(self, name: str) -> Weight:
        return listed(name, self.shape, self.values.dtype, partial(_read, self, name))

    def read(self) -> Array:
        """The values.  Raises UnreadableModel where they do not fit the shape."""
        if math.prod(self.shape) > MOST_DENSE:
            raise UnreadableModel(f"it is sparse, and too large to be read: {list(self.shape)}")
        dense = np.zeros(self.shape, np.float32)
        values = self.values.read()
        if self.layout == "torch.sparse_coo":
            _put(dense, list(self.indices[0].whole_numbers()), values)
        else:
            _put(*self._blocks(dense, values))
        return dense

    def _blocks(self, dense: Array, values: Array) -> tuple[Array, list[Indices], Array]:
        """``dense`` as rows and columns of blocks, the places in it, and the blocks."""
        if values.ndim == 1:
            values = values[:, None, None]
        if dense.ndim != 2 or values.ndim != 3 or 0 in values.shape[1:]:
            raise UnreadableModel("a compressed sparse tensor that is no matrix")
        (height, width), (rows, columns) = values.shape[1:], dense.shape
        if rows % height or columns % width:
            raise UnreadableModel("the blocks of a sparse tensor do not fit its shape")
        blocks = dense.reshape(rows // height, height, columns // width, width).swapaxes(1, 2)
        begins, others = (place.whole_numbers() for place in self.indices)
        lines = len(blocks) if self.layout in _BY_ROW else blocks.shape[1]
        if begins.shape != (lines + 1,) or others.shape != (len(values),):
            raise UnreadableModel("the indices of a sparse tensor do not fit its shape")
        counts = np.diff(begins)
        if begins[0] or begins[-1] != len(values) or (counts < 0).any():
            raise UnreadableModel("the rows of a sparse tensor do not fit its values")
        places = [np.repeat(np.arange(lines), counts), others]
        return blocks, places[:: 1 if self.layout in _BY_ROW else -1], values


def sparse(layout: Any, parts: Any) -> Sparse:
    """A checked description.  Raises UnreadableModel where it is none."""
    count = 1 if layout == "torch.sparse_coo" else 2
    if layout not in ("torch.sparse_coo", *_BY_ROW, *_BY_COLUMN) or len(parts) < count + 2:
        raise UnreadableModel("a sparse tensor of an unknown layout")
    *indices, values = parts[: count + 1]
    if not all(isinstance(part, Strided) for part in (*indices, values)):
        raise UnreadableModel("a sparse tensor has no indices or no values")
    return Sparse(layout, tuple(indices), values, sizes_of(parts[count + 1]))


def _put(dense: Array, places: list[Indices], values: Array) -> None:
    """Adds each value at its place; the same place may be named twice."""
    rest = dense.shape[len(places) :]
    if len(places) > dense.ndim or any(place.shape != values.shape[:1] for place in places):
        raise UnreadableModel("the indices of a sparse tensor do not fit its values")
    if values.shape[1:] != rest:
        raise UnreadableModel("the values of a sparse tensor do not fit its shape")
    for place, size in zip(places, dense.shape, strict=False):
        if place.size and not (place.min() >= 0 and place.max() < size):
            raise UnreadableModel("indices of a sparse tensor lie outside it")
    with np.errstate(all="ignore"):
        np.add.at(dense, tuple(places), values)


def _read(tensor: Sparse, name: str) -> Array:
    try:
        return tensor.read()
    except UnreadableModel as error:
        raise UnreadableModel(f"tensor {name!r:.200}: {error}") from error
