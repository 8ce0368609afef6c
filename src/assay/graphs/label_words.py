"""Labels as words of 64 bits, and how several become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint64]
Edges = NDArray[np.intp]  # (e, 2)

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFTS = np.uint64(32), np.uint64(29)


def mixed(labels: Labels) -> Labels:
    """Each label as a number whose bits all depend on all of the label's."""
    for shift in _SHIFTS:
        labels = (labels ^ (labels >> shift)) * _FACTOR
    return labels ^ (labels >> _SHIFTS[0])


def paired(a: Labels, b: Labels) -> Labels:
    """One label of two; of their order, too."""
    return mixed(mixed(a) * _FACTOR + b)


def refined(labels: Labels, ends: Edges, *, both: bool) -> Labels:
    """Each label with those of the layers it reads and, with ``both``, of its readers."""
    own, result = mixed(labels), labels * _FACTOR
    for number, (a, b) in enumerate(((0, 1), (1, 0))[: 1 + both]):
        heard = np.zeros_like(labels)
        sent = paired(own, np.full_like(own, number))
        np.add.at(heard, ends[:, b], sent[ends[:, a]])
        result = mixed(result + heard)
    return result
