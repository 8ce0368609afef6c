"""How well codes rank a database: precision, average precision, nDCG, with ties averaged.

[McSherry & Najork, Computing Information Retrieval Performance Measures Efficiently in the
Presence of Tied Scores, ECIR 2008.]  Short codes give few distinct distances, so most of a ranking
is ties, and any order of them is luck.  Each measure is the exact expectation over all orders of
equal distances, so it does not depend on the order in which the database is listed.

Shapes: q queries, d entries of the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
Distances = NDArray[Any]  # integers, or floats where equal ones are meant to be ties
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AtK:
    """Of the k nearest entries, for each query and then averaged over the queries."""

    recall: float
    precision: float
    f1: float


def hamming(queries: Bits, database: Bits) -> NDArray[np.intp]:
    """Differing bits of codes (q, bits) and (d, bits): (q, d)."""
    ours, theirs = queries.astype(np.float32), database.astype(np.float32)  # sums are exact
    return (ours @ (1 - theirs).T + (1 - ours) @ theirs.T).astype(np.intp)


def at_k(distances: Distances, relevant: Bits, k: int) -> AtK:
    """Recall, precision and their harmonic mean F1 of the k nearest.

    F1 is taken for each query and then averaged; it is 2 · hits / (k + relevant), so that its
    expectation follows from that of the hits.

    Raises:
        ValueError: shapes differ, a query has nothing relevant, or k is not in 1 … d.
    """
    _check(distances, relevant)
    if not 1 <= k <= distances.shape[1]:
        raise ValueError(f"k must be in 1 … {distances.shape[1]}, not {k}")
    hits = expected_gains(distances, relevant)[:, :k].sum(1)
    wanted = relevant.sum(1)
    return AtK(
        float((hits / wanted).mean()),
        float((hits / k).mean()),
        float((2 * hits / (k + wanted)).mean()),
    )


def average_precision(distances: Distances, relevant: Bits) -> Floats:
    """Mean of the precisions at the ranks of what is relevant, for each query: (q).

    At rank i of a tie of t entries, r of them relevant, stands a relevant one with probability
    r / t, and then (i - 1)(r - 1) / (t - 1) of those before it in the tie are relevant too.

    Raises:
        ValueError: shapes differ, or a query has nothing relevant.
    """
    _check(distances, relevant)
    ranks = np.arange(1, distances.shape[1] + 1)
    result = np.empty(len(distances))
    for query, (row, wanted) in enumerate(zip(distances, relevant, strict=True)):
        groups, sizes = _ties(row)
        hits = np.bincount(groups, wanted, len(sizes))  # of each tie
        before = np.repeat(np.cumsum(hits) - hits, sizes)  # in nearer ties
        place = ranks - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within its own tie
        r, t = np.repeat(hits, sizes), np.repeat(sizes, sizes)
        found = before + 1 + (place - 1) * (r - 1) / np.maximum(t - 1, 1)
        result[query] = (r / t * found / ranks).sum() / wanted.sum()
    return result


def ndcg(distances: Distances, gains: Floats) -> Floats:
    """Normalized discounted cumulative gain over the whole ranking, for each query: (q).

    [Järvelin & Kekäläinen, TOIS 2002, with the discount log₂(rank + 1).]  ``gains`` (q, d) says
    how relevant each entry is, 0 for not at all.

    Raises:
        ValueError: shapes differ, or a query has nothing relevant.
    """
    _check(distances, gains > 0)
    discounts = 1 / np.log2(np.arange(2, distances.shape[1] + 2))
    best: Floats = np.sort(gains, 1)[:, ::-1] @ discounts
    found: Floats = expected_gains(distances, gains) @ discounts
    return found / best


def precision_within(distances: Distances, relevant: Bits, radius: float) -> Floats:
    """Share of relevant entries among those within ``radius``, 0 where there is none: (q)."""
    near = distances <= radius
    result: Floats = (near & relevant).sum(1) / np.maximum(near.sum(1), 1)
    return result


def expected_gains(distances: Distances, gains: Bits | Floats) -> Floats:
    """The expected gain at each rank: the mean of the tie that the rank falls into: (q, d)."""
    rows = []
    for row, gain in zip(distances, gains, strict=True):
        groups, sizes = _ties(row)
        rows.append(np.repeat(np.bincount(groups, gain, len(sizes)) / sizes, sizes))
    return np.array(rows)


def distinct_codes(codes: Bits) -> int:
    """How many different codes there are among (d, bits)."""
    return len(np.unique(codes, axis=0))


def bit_entropy(codes: Bits) -> float:
    """Mean entropy of the single bits of codes (d, bits), in bits: 1 where each is set in half."""
    ones = codes.mean(0)
    shares = np.stack([ones, 1 - ones])
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return float(abs((shares * logs).sum(0).mean()))


def _ties(row: Distances) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which tie each entry (d) is in, nearest first, and how large each tie is."""
    _, groups, sizes = np.unique(row, return_inverse=True, return_counts=True)
    return groups, sizes


def _check(distances: Distances, relevant: Bits) -> None:
    if distances.shape != relevant.shape or distances.ndim != 2:
        raise ValueError(f"distances are {distances.shape}, relevant entries {relevant.shape}")
    if not relevant.any(1).all():
        query = int(np.argmin(relevant.any(1)))
        raise ValueError(f"query {query} has nothing relevant in the database")
