"""Stated against measured false alarm, before and after each kind of search.

Each kind picks the best of more comparisons than the one before, and states a false alarm that is
multiplied by how many there were.  What is measured is the share of independent pairs at or below
each stated level; it must not be larger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from strangers import LEVELS, Network, pairs, said

from assay.sketches.kinds import Cells
from assay.sketches.nulls import log10_tail_invariant
from assay.values import TensorSketch, WeightSketch

KINDS = {
    "stored layout": "cells of the same tensor, each as it is stored",
    "second code": "codes of the same tensor that stay when channels change places",
    "readings": "the same tensor: the best of all readings",
    "all tensors": "the best of all tensors of the other model, all readings and both codes",
    "models": "all tensors matched one to one: what is stated of two models",
}
_FIT = ("code", "invariant")
Tails = NDArray[np.float64]
Places = tuple[str, tuple[int, ...], int]  # which code; of a matrix of which shape, and places


def tails(networks: Sequence[Network]) -> dict[str, Tails]:
    """log₁₀ of the stated false alarms of all independent pairs, for each kind of search."""
    found: dict[str, list[Tails]] = defaultdict(list)
    ordered = sorted(networks, key=lambda network: network.architecture)
    for _, group in groupby(ordered, key=lambda network: network.architecture):
        of_one = list(group)
        for kind, stated in _of_tensors(of_one):
            found[kind].append(stated)
        models = [said(a.suspect, b.stored).log10_false_alarm for a, b in pairs(of_one)]
        found["models"].append(np.array(models))
    return {kind: np.minimum(np.concatenate(parts), 0.0) for kind, parts in found.items()}


def _of_tensors(networks: Sequence[Network]) -> Iterator[tuple[str, Tails]]:
    """The stated false alarms (pairs · tensors) between networks of one architecture."""
    starts = np.array([network.start for network in networks])
    apart = starts[:, None] != starts
    stored = [_codes(network.stored) for network in networks]
    suspects = [_codes(network.suspect) for network in networks]
    names = sorted({name for codes in suspects for _, name, _ in codes})
    for kind in KINDS:
        if kind == "models":
            continue
        best = np.zeros((len(names), len(networks), len(networks)))
        counts = np.zeros(len(names), int)
        rows = stored if kind in ("stored layout", "second code") else suspects
        for place, name in enumerate(names):
            for ours, theirs in _compared(kind, name, rows[0], stored[0]):
                one, other = (_stacked(part, at) for part, at in ((rows, ours), (stored, theirs)))
                np.minimum(best[place], _stated(rows[0][ours][0], one, other), out=best[place])
                counts[place] += 1
        known = counts > 0
        corrected = best[known] + np.log10(counts[known])[:, None, None]
        yield kind, corrected[:, apart].reshape(-1)


Code = tuple[Places, str, TensorSketch]


def _codes(sketch: WeightSketch) -> list[Code]:
    """All codes of a model: of which kind, of which weight, the sketch that has it."""
    found: list[Code] = []
    for tensor in sketch.tensors:
        if tensor.code is not None:
            found.append((("code", tensor.shape, 1), tensor.name, tensor))
        if tensor.invariant is not None:
            found.append((("invariant", tensor.shape, tensor.places), tensor.name, tensor))
    return found


def _compared(
    kind: str, name: str, ours: Sequence[Code], theirs: Sequence[Code]
) -> Iterator[tuple[int, int]]:
    """Places of the codes that this kind of search compares for one weight."""
    which = {"second code": ("invariant",), "all tensors": _FIT}.get(kind, ("code",))
    for place, (fit, own, _) in enumerate(ours):
        for other, (known, partner, _) in enumerate(theirs):
            same = kind == "all tensors" or partner == name
            if own == name and same and fit == known and fit[0] in which:
                yield place, other


def _stacked(models: Sequence[Sequence[Code]], place: int) -> list[TensorSketch]:
    """One tensor of every model (n)."""
    assert len({(codes[place][0], codes[place][1]) for codes in models}) == 1
    return [codes[place][2] for codes in models]


def _stated(fit: Places, ours: Sequence[TensorSketch], theirs: Sequence[TensorSketch]) -> Tails:
    """log₁₀ of the false alarms that are stated (n, m)."""
    which, shape, _ = fit
    if which == "code":
        one, other = Cells.of(ours), Cells.of(theirs)
        assert one is not None
        assert other is not None
        return one.tails(other, shape)
    words = [
        np.stack([np.frombuffer(tensor.invariant or b"", np.uint8) for tensor in side])
        for side in (ours, theirs)
    ]
    bits = np.bitwise_count(words[0][:, None] ^ words[1]).sum(2)
    return np.array([log10_tail_invariant(distance) for distance in range(257)])[bits]


def measured(by_key: Sequence[dict[str, Tails]]) -> dict[str, Any]:
    """The share of comparisons at or below each stated level: of all keys, and each by itself."""
    found: dict[str, Any] = {}
    for kind, what in KINDS.items():
        parts = [each[kind] for each in by_key]
        shares = np.array([[np.mean(part <= level) for level in LEVELS] for part in parts])
        found[kind] = {
            "what": what,
            "comparisons": sum(map(len, parts)),
            "least": round(float(min(part.min() for part in parts)), 2),
            "shares": [float(share) for share in shares.mean(0)],
            "least_and_largest_of_keys": [
                [float(column.min()), float(column.max())] for column in shares.T
            ],
        }
    return found


def too_often(found: dict[str, Any]) -> list[str]:
    """Where more was measured than stated, by more than three comparisons."""
    return [
        f"{kind} at 1e{level}: {share:.2g}"
        for kind, row in found.items()
        for level, share in zip(LEVELS, row["shares"], strict=True)
        if share > 10.0**level and share * row["comparisons"] > 3
    ]
