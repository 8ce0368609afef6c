"""One layout for the weights of two files, of which one or both do not say theirs.

A file without a graph may list a kernel's axes in another order, a matrix with inputs first, and
some converters exchange height and width.  What a suspect may mean is tried: first which layout
gives the source's shapes, then which brings a few tensors nearer to the source's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import product
from math import prod

import numpy as np

from assay.alignment import align
from assay.sketches.readings import registered
from assay.weights import Array, Weight

_LOOKED_AT = 2  # shapes that tell layouts apart, the smallest ones …
_TELLING, _LARGEST = 1_000, 300_000  # … of so many values

Read = Mapping[str, Array]


def canonical(weight: Weight, values: Array, known: Collection[tuple[int, ...]]) -> Array:
    """Output first, as far as the file says, the other file knows the shape, or shapes show it."""
    if weight.canonical or weight.shape in known:
        return values
    return values.transpose(registered(weight)[0].axes)


def spelled_alike(suspect: Read, source: Read, is_mute: bool) -> dict[str, Array]:
    """The suspect's tensors in the layout that fits the source's best.

    ``is_mute``: whether one of both files does not say its layout; else they are left as they are.
    """
    if not is_mute:
        return dict(suspect)
    spellings = [*_spellings(suspect)]
    shapes = Counter(value.shape for value in source.values())
    fits = [
        sum((Counter(value.shape for value in each.values()) & shapes).values())
        for each in spellings
    ]
    likely = [each for each, fit in zip(spellings, fits, strict=True) if fit == max(fits)]
    return max(likely, key=lambda each: _nearness(each, source)) if len(likely) > 1 else likely[0]


def _spellings(tensors: Read) -> Iterator[dict[str, Array]]:
    """Matrices and kernels as they are, or turned; as they are comes first."""
    turns = product((False, True), (False, True))
    for matrices, kernels in turns:
        if matrices and not any(value.ndim == 2 for value in tensors.values()):
            continue
        if kernels and not any(value.ndim == 4 for value in tensors.values()):
            continue
        yield {name: _turned(value, matrices, kernels) for name, value in tensors.items()}


def _turned(value: Array, matrices: bool, kernels: bool) -> Array:
    if value.ndim == 2 and matrices:
        return np.ascontiguousarray(value.T)
    if value.ndim == 4 and kernels:
        return np.ascontiguousarray(value.swapaxes(2, 3))
    return value


def _nearness(tensors: Read, source: Read) -> float:
    """How unlikely a few tensors are to be so near, -log₁₀: matrices and kernels."""
    found = 0.0
    for rank in (2, 4):
        shared = {value.shape for value in tensors.values()} & {v.shape for v in source.values()}
        fitting = [s for s in shared if len(s) == rank and _TELLING <= prod(s) <= _LARGEST]
        chosen = sorted(fitting, key=lambda shape: (prod(shape), shape))[:_LOOKED_AT]
        ours, theirs = (
            {name: value for name, value in each.items() if value.shape in chosen}
            for each in (tensors, source)
        )
        if ours and theirs:
            found -= sum(tensor.log10_false_alarm for tensor in align(ours, theirs).tensors)
    return found
