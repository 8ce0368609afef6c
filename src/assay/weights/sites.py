"""Places of a mark that is told weight by weight, and which of two values each has in a copy.

A method of watermarks draws them; who hands out copies, such as a license, says by a word of its
own which of a copy's places are large.  So neither needs to know the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from assay.weights import Weight

Array = NDArray[np.floating[Any]]
Words = NDArray[np.bool_]  # (n, w): of n blocks of w places, which are large
Free: TypeAlias = Mapping[str, Words]  # (s) of tensors that may be marked, at which values


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Those in one tensor."""

    name: str  # of the tensor, as the model has it
    shape: tuple[int, ...]
    ones: int  # of each block's places that are large in a copy
    places: NDArray[np.int64]  # (n, w) of the tensor's values in a row
    low: Array  # (n, w) what the magnitude of a small one does not pass
    high: Array  # (n, w) what that of a large one reaches

    def marked(self, values: Array, words: Words) -> NDArray[np.float32]:
        """A copy's tensor: ``values`` of this shape, of which those at the places say the words."""
        made = np.array(values, np.float32).reshape(-1)
        bounds = np.where(words, self.high, self.low)
        made[self.places] = projected(made[self.places], words, bounds)
        return made.reshape(self.shape)


@runtime_checkable
class Marks(Protocol):
    """A method whose marks are told weight by weight: ``constant-weight`` of the watermarks."""

    @property
    def method(self) -> str:
        """Its name."""

    def sites(self, weights: Mapping[str, Weight], free: Free, secret: bytes) -> Sequence[Sites]:
        """Where marks of copies lie that each say a word of their own.

        Args:
            weights: The model that is copied.
            free: (s) by name of the tensors that may be marked: at which of their values.
            secret: 32 bytes from which the places are drawn.

        Raises UnfitModel where the model has no room for it.
        """


def refused(method: object) -> str:
    """Why a method that is none of ``Marks`` tells no copies apart."""
    return (
        f"{getattr(method, 'method', method)}: its marks are not told weight by weight, as those of"
        " copies must be: they change shapes, or are trained"
    )


def projected(values: Array, ones: Words, bounds: Array) -> Array:
    """The nearest values within the bounds, with the signs that they have; 0 counts as positive."""
    sizes = np.abs(values)
    sizes = np.where(ones, np.maximum(sizes, bounds), np.minimum(sizes, bounds))
    return np.where(values < 0, -sizes, sizes)
