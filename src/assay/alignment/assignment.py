"""Channels matched one to one: the best first, each with the best that is left.

All pairs that are best for one another are taken at once, then those of the rest.  This is the
greedy assignment, at least half as good as the best one [Preis, 1999], and the same where a model
is derived: there each channel's own counterpart stands out.  It needs no more than NumPy, and a few
passes over the matrix.
"""

from __future__ import annotations

import numpy as np

from assay.alignment.matrices import Array, Index


def assigned(similarity: Array) -> Index:
    """For each row of ``similarity`` (n, m) its column, or −1 where there are more rows."""
    found: Index = np.full(len(similarity), -1)
    rows, columns = np.arange(similarity.shape[0]), np.arange(similarity.shape[1])
    left = similarity
    while len(rows) and len(columns):
        best = left.argmax(1)
        mutual = left.argmax(0)[best] == np.arange(len(rows))
        found[rows[mutual]] = columns[best[mutual]]
        free = np.ones(len(columns), bool)
        free[best[mutual]] = False
        left = left[~mutual][:, free]
        rows, columns = rows[~mutual], columns[free]
    return found
