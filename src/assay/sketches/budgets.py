"""Which weights are looked at more closely, where that takes too long for all of them."""

from __future__ import annotations

from collections.abc import Mapping


def smallest(sizes: Mapping[int, int], budget: int) -> frozenset[int]:
    """The places of the smallest weights that have no more values than ``budget`` together.

    Where the budget is a share of all values, a model and one made from it choose alike.
    """
    found = set()
    for place in sorted(sizes, key=sizes.__getitem__):
        budget -= sizes[place]
        if budget < 0:
            break
        found.add(place)
    return frozenset(found)
