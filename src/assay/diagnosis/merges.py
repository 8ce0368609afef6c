"""Whether a model is a merge of others: sums of their weights, or weights picked from them.

Averages, task arithmetic and interpolation on a sphere are linear: W = Σ αᵢ Wᵢ, with the same
shares in all tensors or nearly so [Wortsman et al., 2022; Ilharco et al., 2023].  Merges that pick
[TIES: Yadav et al., 2023; DARE: Yu et al., 2024] leave values that are one parent's, or the mean of
some of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from assay.diagnosis.models import Finding
from assay.weights import Array

_LEFT = 0.05  # of the distance to the nearest parent: what a sum of parents may leave
_SMALL = 0.05  # share of a parent that is none
_PICKED = 0.95  # of the values, that are one parent's or a mean
_ROUNDING = 1e-4  # of a tensor's root mean square
_MOST = 5  # parents whose subsets are looked at

Numbers = NDArray[np.float64]
Parents = Sequence[Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class _Told:
    """What one tensor tells."""

    size: int
    shares: Numbers  # (k)
    is_sum: bool
    picked: float  # share of the values
    alone: Numbers  # (k) share of the values that are each parent's


def merged(suspect: Mapping[str, Array], parents: Parents, names: Sequence[str]) -> Finding | None:
    """How ``suspect`` is made of its parents, all in one order of channels; None where it is not.

    ``names`` are what the parents are called.  Tensors that not all have are left out.
    """
    told = [*_tensors(suspect, parents)]
    if not told or len(parents) < 2:
        return None
    sizes = np.array([each.size for each in told], np.float64)
    sizes /= sizes.sum()
    shares = (sizes @ np.stack([each.shares for each in told])).tolist()
    kept = tuple(name for name, share in zip(names, shares, strict=True) if share > _SMALL)
    if sizes @ [each.is_sum for each in told] >= _PICKED and len(kept) > 1:
        parts = (f"{share:.0%} of {name}" for name, share in zip(names, shares, strict=True))
        return Finding("merged", f"a sum of models: {', '.join(parts)}", 1.0, max(shares), kept)
    picked = float(sizes @ [each.picked for each in told])
    alone = float((sizes @ np.stack([each.alone for each in told])).max())
    if picked >= _PICKED and alone < picked - _SMALL:
        text = f"{picked:.0%} of the weights are those of one of {len(parents)} models, or a mean"
        return Finding("merged", text, picked, None, tuple(names))
    return None


def _tensors(suspect: Mapping[str, Array], parents: Parents) -> Iterator[_Told]:
    """Of each tensor that all have, unless all parents have the same."""
    for name, values in suspect.items():
        theirs = [parent[name] for parent in parents if name in parent]
        if len(theirs) < len(parents) or any(each.shape != values.shape for each in theirs):
            continue
        matrix = np.stack([each.reshape(-1) for each in theirs]).astype(np.float64)  # (k, n)
        own = values.reshape(-1).astype(np.float64)
        apart = [float(np.linalg.norm(own - each)) for each in matrix]
        spread = float(np.linalg.norm(matrix - matrix.mean(0)))
        if spread <= _ROUNDING * float(np.linalg.norm(matrix)):
            continue
        shares, *_ = np.linalg.lstsq(matrix.T, own, rcond=None)
        left = float(np.linalg.norm(own - shares @ matrix))
        is_sum = left <= _LEFT * min(apart) and min(apart) > 0
        yield _Told(own.size, shares.astype(np.float64), is_sum, *_picked(own, matrix))


def _picked(own: Numbers, matrix: Numbers) -> tuple[float, Numbers]:
    """The share of values (n) that are one parent's (k, n) or the mean of some; each parent's."""
    limit = _ROUNDING * float(np.sqrt(np.square(own).mean()))
    count = min(len(matrix), _MOST)
    subsets = chain.from_iterable(combinations(range(count), n) for n in range(1, count + 1))
    found = np.zeros(own.shape, bool)
    for subset in subsets:
        found |= np.abs(matrix[[*subset]].mean(0) - own) <= limit
    alone = np.count_nonzero(np.abs(matrix - own) <= limit, axis=1) / own.size
    return float(found.mean()), np.asarray(alone, np.float64)
