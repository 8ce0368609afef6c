"""What an alignment found, tensor by tensor, and a suspect's tensors in the source's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10, prod
from typing import Literal

import numpy as np

from assay.alignment.matrices import Array, Index
from assay.alignment.nulls import Fit
from assay.alignment.orders import Twins
from assay.alignment.rotation import rotated
from assay.alignment.search import WAYS

Kind = Literal["given", "carried", "searched", "rotated"]
_EXPLAINED = 2  # times as far apart with scales as without them: scales were changed …
_EXACT = 1e-3  # … beyond what rounding does


@dataclass(frozen=True, slots=True, eq=False)
class TensorAlignment:
    """A tensor of each model; indices and scales are by the source's channels."""

    source: str
    suspect: str
    rows: Index  # (r) the suspect's row that each became, −1 where it was removed
    columns: Index  # (c) the same
    row_scales: Array  # (r) what the suspect's row is multiplied by; 0 where it was removed
    column_scales: Array  # (c) the same
    twins: Twins  # columns of the suspect's that split channels shared out
    turn: tuple[int, Array] | None  # an axis that was rotated, and what undoes it (r, r) or (c, c)
    added: tuple[int, int]  # rows and columns of the suspect's that are none of the source's
    before: float | None  # correlation as the tensors are; None where their shapes differ
    after: float  # of what was matched, whatever the scales of channels where they changed
    plain: float  # the same with the scales as they are
    kind: Kind  # "carried": no value of these two tensors had a part in choosing the order
    log10_searched: float  # of the number of alignments that this is the best of
    log10_false_alarm: float  # of ``after`` between strangers, as the best of as many
    fits: tuple[Fit, ...]  # that it is of: with scales, and without

    @property
    def is_rescaled(self) -> bool:
        """Whether scales of channels explain most of what is different otherwise."""
        return 1 - self.plain > _EXPLAINED * (1 - self.after) + _EXACT

    @property
    def undone(self) -> tuple[str, ...]:
        """What had to be undone: channels permuted, removed, added, split, rescaled, rotated."""
        words = {
            "permuted": any(_moved(index) for index in (self.rows, self.columns)),
            "removed": any((index < 0).any() for index in (self.rows, self.columns)),
            "added": any(self.added),
            "split": len(self.twins.copies) > 0,
            "rescaled": self.is_rescaled,
            "rotated": self.turn is not None,
        }
        return tuple(word for word, is_so in words.items() if is_so)

    def log10_beyond(self, granted: float) -> float:
        """log₁₀ of the false alarm where a correlation that is ``granted`` proves nothing."""
        tried = self.log10_searched + log10(WAYS)
        tails = [fit.log10_tail(tried, granted) for fit in self.fits]
        return max(self.log10_false_alarm, min(tails))

    def applied(self, values: Array) -> Array:
        """The suspect's tensor with the source's channels in its order; 0 where one was removed."""
        shape = values.shape
        matrix = self.twins.folded(values.reshape(*shape[:2], -1))  # (r', c', k)
        flat = shape[1] == 1 != len(self.columns)  # a kernel's places took the part of columns
        if flat:
            matrix = matrix.reshape(len(matrix), -1, 1)
        if self.turn is not None:
            matrix = rotated(matrix, self.turn[1], self.turn[0])
        found: Array = matrix[np.ix_(np.maximum(self.rows, 0), np.maximum(self.columns, 0))]
        down, across = self.rows >= 0, self.columns >= 0
        if self.is_rescaled:
            found = found * (self.row_scales[:, None] * self.column_scales)[:, :, None]
        found = found * (down[:, None] & across)[:, :, None]
        if flat and prod(shape[2:]) != len(self.columns):  # places of a kernel that were left out
            return found[:, :, 0]
        return found.reshape(len(found), *((1,) if flat else (len(self.columns),)), *shape[2:])


@dataclass(frozen=True, slots=True, eq=False)
class VectorAlignment:
    """A vector of each model, such as a bias, which goes the way of a tensor's rows."""

    source: str
    suspect: str
    rows: Index  # (r) of the source's: the suspect's that each became, or −1

    def applied(self, values: Array) -> Array:
        """The suspect's vector in the source's order; 0 where a channel was removed."""
        return np.where(self.rows >= 0, values[np.maximum(self.rows, 0)], 0).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Two models' tensors, matched; those without a counterpart are named, and why is not known."""

    tensors: tuple[TensorAlignment, ...]  # in the suspect's order; several may have one source
    vectors: tuple[VectorAlignment, ...]
    unmatched_suspect: tuple[str, ...]
    unmatched_source: tuple[str, ...]

    def applied(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """The suspect's ``weights`` under the source's names, in its order of channels.

        Of several tensors with one source, the one that is most alike.  Scales are undone where
        channels were rescaled; vectors are only put in order.
        """
        found: dict[str, Array] = {}
        for tensor in sorted(self.tensors, key=lambda each: each.log10_false_alarm):
            if tensor.source not in found:
                found[tensor.source] = tensor.applied(np.asarray(weights[tensor.suspect]))
        for vector in self.vectors:
            found.setdefault(vector.source, vector.applied(np.asarray(weights[vector.suspect])))
        return found


def _moved(index: Index) -> bool:
    """Whether channels that are left have another order."""
    left = index[index >= 0]
    return bool((np.diff(left) < 0).any())
