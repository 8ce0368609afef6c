"""The tensor-shape signature: which shapes a model's weights have, and how many have each.

It is what a file without a graph tells of its structure.  Layouts, names, number types and
framework play no part: sizes are sorted, and axes of size 1 are left out, so a convolution of 1×1
is the matrix that it computes.  Biases and scales of normalizations are left out too: converters
fold them away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from assay.values import Shapes
from assay.weights import Weight
from assay.weights.indices import INDICES

MOST_SHAPES = 2_000  # different ones that are kept of a model
MOST_TENSORS = 4_000  # whose order is kept
SMALLEST = 64  # elements: smaller tensors are constants more often than weights


def order(weights: Iterable[Weight], shapes: Shapes) -> tuple[int, ...]:
    """The place in ``shapes`` of each tensor that is counted there, as the file lists them."""
    places = {sizes: place for place, (sizes, _) in enumerate(shapes)}
    listed = (places.get(sizes) for sizes in map(_sizes, weights) if sizes is not None)
    return tuple(islice((place for place in listed if place is not None), MOST_TENSORS))


def signature(weights: Iterable[Weight]) -> Shapes:
    """Sorted sizes of each tensor that tells of the structure, and how many have them; sorted."""
    found: Counter[tuple[int, ...]] = Counter()
    for sizes in map(_sizes, weights):
        if sizes is not None:
            found[sizes] += 1
    return tuple(sorted(found.most_common(MOST_SHAPES)))


def _sizes(weight: Weight) -> tuple[int, ...] | None:
    """Sorted; None where the tensor does not tell of the structure."""
    sizes = tuple(sorted(size for size in weight.shape if size != 1))
    tells = len(sizes) >= 2 and weight.size >= SMALLEST and weight.dtype not in INDICES
    return sizes if tells else None
