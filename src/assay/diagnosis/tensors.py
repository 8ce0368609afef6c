"""How one tensor became another: other numbers, values removed, values moved.

Both are matrices whose rows and columns mean the same, output first.  What rounding explains is no
movement: a value may be as far from its source as half a step of the grid that it lies on.  Where
steps are so wide that they make most values 0, the others must be where rounding puts them: else a
few bits would explain whatever is a little alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.diagnosis.numbers import Numbers, stored_in, to_bfloat16, to_float16
from assay.weights import Array

_ARITHMETIC = 1e-5  # of a row's root mean square: what folding a normalization in float32 leaves
_HALF_STEP = 0.51  # steps: how far rounding moves a value
_CLIPPED = 0.01  # share of values that a quantizer may cut off
_TELLING, _WRONG = 16, 0.05  # values that are not 0 on a grid, at least; of those, on another level
_PRUNED = 0.02  # share of values that were not 0: fewer are no pruning
_PROBES = 72  # columns of a random sketch of the difference
_EXPLAINED = 0.999  # of the difference's energy, by a matrix of low rank
_SOME = 0.5  # of the values: an adapter that is merged leaves fewer as they were
_LOW = 4  # times smaller than full, at least, is a low rank

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one tensor."""

    numbers: str  # that the suspect's values are stored in: "float32", "int8 per output" …
    cosine: float  # of both, as they are
    pruned: float = 0.0  # share of the source's values that are 0 now and were not
    of: str = ""  # what was pruned: "values", "outputs", "inputs"
    moved: float = 0.0  # norm of what neither rounding nor pruning explains, over the source's
    rank: int | None = None  # of that, where it is low
    unchanged: float = 1.0  # share of values that are what they were, but for rounding
    before: str = "float32"  # numbers of the source's, where the suspect's are fewer bits

    @property
    def is_copy(self) -> bool:
        """Whether nothing was moved: rounding and pruning explain all."""
        return self.moved == 0.0

    def to_json(self) -> dict[str, Any]:
        """Without what did not happen."""
        told = {
            "numbers": self.numbers,
            "cosine": round(self.cosine, 4),
            "pruned": round(self.pruned, 4),
            "of": self.of,
            "moved": round(self.moved, 4),
            "rank": self.rank,
            "unchanged": round(self.unchanged, 4),
            "before": "" if self.before == self.numbers else self.before,
        }
        return {name: value for name, value in told.items() if value not in (0.0, None, "")}


def change(source: Array, suspect: Array) -> Change:
    """How ``source`` (r, …) became ``suspect`` (r, …).  Raises ValueError where shapes differ."""
    if source.shape != suspect.shape:
        raise ValueError(f"tensors of shapes {source.shape} and {suspect.shape}")
    old, new = (
        np.ascontiguousarray(each, np.float32).reshape(len(each), -1) for each in (source, suspect)
    )
    cosine = _cosine(old, new)
    if not (np.isfinite(old).all() and np.isfinite(new).all()):
        return Change("not finite", cosine, moved=1.0, unchanged=float(np.mean(old == new)))
    numbers = stored_in(new)
    gone = _gone(old, new, numbers)
    pruned = float(gone.sum() / max((old != 0).sum(), 1))
    if pruned < _PRUNED:
        gone, pruned = np.zeros_like(gone), 0.0
    same = _explained(old, new, numbers) | gone
    of = _pruned_by(gone, old) if pruned else ""
    unchanged = float(same.mean())
    before = "float32" if numbers.name == "float32" else str(stored_in(old))
    if _rounds(old, new, numbers, same, gone) and new.any():
        return Change(str(numbers), cosine, pruned, of, unchanged=unchanged, before=before)
    if numbers.name == "float32" and _is_finer(new, old):
        return Change("float32", cosine, before=str(stored_in(old)))
    difference = np.where(gone, 0, new - old)
    kept = np.where(gone, 0, old)
    moved = float(np.linalg.norm(difference) / max(float(np.linalg.norm(kept)), 1e-30))
    told = not gone.any() and numbers.step is None and unchanged < _SOME
    rank = low_rank(difference) if told else None
    return Change(str(numbers), cosine, pruned, of, moved, rank, unchanged, before)


def _is_finer(new: Array, old: Array) -> bool:
    """Whether the source is the suspect in fewer bits."""
    numbers = stored_in(old)
    if numbers.name == "float32":
        return False
    same = _explained(new, old, numbers)
    return _rounds(new, old, numbers, same, np.zeros_like(same))


def _rounds(old: Array, new: Array, numbers: Numbers, same: Mask, gone: Mask) -> bool:
    """Whether numbers explain all values, or all but some that a quantizer cut off."""
    if numbers.step is None:
        return bool(same.all())
    if same.mean() < 1 - _CLIPPED:
        return False
    half = numbers.step / 2
    telling = (new != 0) | ((np.abs(old) > half) & ~gone)
    ends = np.abs(new) >= np.abs(new).max(1 if len(half) > 1 else None, keepdims=True)
    cut = ends & (np.abs(old) > np.abs(new)) & (old * new > 0)
    wrong = np.count_nonzero(telling & ~same & ~cut)
    told = np.count_nonzero(telling)
    return bool(told >= _TELLING and wrong <= _WRONG * told)


def low_rank(difference: Array) -> int | None:
    """The rank of a matrix (r, c) that is nearly one of low rank; None where it is not.

    By a random sketch of its range [Halko, Martinsson, Tropp, SIAM Review 2011].
    """
    least = min(difference.shape)
    most = min(_PROBES - 8, least // _LOW)
    if most < 1:
        return None
    probes = np.random.default_rng(0).standard_normal((difference.shape[1], min(_PROBES, least)))
    basis, _ = np.linalg.qr(difference @ probes.astype(np.float32))
    energy = np.square(np.linalg.svd(basis.T @ difference, compute_uv=False).astype(np.float64))
    total = float(np.square(difference, dtype=np.float64).sum())
    enough = np.flatnonzero(np.cumsum(energy) >= _EXPLAINED * total)
    return int(enough[0]) + 1 if len(enough) and enough[0] < most else None


def _cosine(a: Array, b: Array) -> float:
    """Of both as vectors; 0 where one is 0."""
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(np.vdot(a, b)) / norms if norms > 0 else 0.0


def _gone(old: Array, new: Array, numbers: Numbers) -> Mask:
    """What is 0 and was not, nor would be by rounding."""
    gone: Mask = (new == 0) & (old != 0)
    if numbers.step is not None:
        gone &= np.abs(old) > _HALF_STEP * numbers.step
    return gone


def _explained(old: Array, new: Array, numbers: Numbers) -> Mask:
    """Which values are what they were, but for how they are stored."""
    rounding = {"float16": to_float16, "bfloat16": to_bfloat16}.get(numbers.name)
    same: Mask = np.abs(new - old) <= _ARITHMETIC * np.sqrt(np.square(old).mean(1, keepdims=True))
    if rounding is not None:
        same |= new == rounding(old)
    if numbers.step is not None:
        same |= np.abs(new - old) <= _HALF_STEP * numbers.step
    return same


def _pruned_by(gone: Mask, old: Array) -> str:
    """Whether whole outputs or inputs are 0, or values here and there."""
    zero = gone | (old == 0)
    for name, axis in (("outputs", 1), ("inputs", 0)):
        whole = zero.all(axis, keepdims=True)
        if (gone & whole).sum() >= 0.95 * gone.sum():
            return name
    return "values"
