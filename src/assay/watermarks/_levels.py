"""How large the ones of a constant-weight mark are, and what pruning they outlive.

Pruning takes the smallest weights first.  A rate R takes those below the quantile F⁻¹(R) of the
magnitudes it is sought in, so ones that are larger than T₁ outlive each rate up to F(T₁), whatever
became of the zeros: the law that thresholds are planned by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import UnfitModel
from assay.values import Json
from assay.watermarks import Weights
from assay.watermarks._code import encoded
from assay.watermarks._hosts import finite, found, magnitudes, size
from assay.watermarks._key import Key
from assay.weights.sites import Sites

EXTRA = "watermarks"
_ABOVE = 0.25  # of T₁ that ones are larger at most, and …
_BELOW = 0.5  # … of T₀ that zeros are smaller: no two stand at one value, which would show

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Levels:
    """Thresholds of one host."""

    low: float  # T₀: zeros are no larger
    high: float  # T₁: ones are no smaller


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """Where in one host a key's blocks lie, and what is to be there."""

    places: NDArray[np.int64]  # (n, w) of the host's values in a row
    ones: NDArray[np.bool_]  # (n, w)
    draws: Array  # (n, w) between 0 and 1

    def bounds(self, levels: Levels) -> Array:
        """(n, w) what magnitudes of ones must reach, and those of zeros must not pass."""
        ones = levels.high * (1 + _ABOVE * self.draws)
        return np.where(self.ones, ones, levels.low * (1 - _BELOW * self.draws))


def places(key: Key) -> Iterator[NDArray[np.int64]]:
    """(n, w) of each host; blocks are dealt out to the hosts in turn."""
    hosts, length = key.template["hosts"], key.template["length"]
    for number, host in enumerate(hosts):
        blocks = len(range(number, key.template["blocks"], len(hosts)))
        drawn = key.places(f"places {number}", size(host), blocks * length)
        yield drawn.reshape(blocks, length)


def words(key: Key) -> NDArray[np.bool_]:
    """(n, w) of all hosts, one after the other."""
    template, count = key.template, len(key.template["hosts"])
    whole = encoded(key.sealed(), template["length"], template["ones"], template["blocks"])
    return np.concatenate([whole[number::count] for number in range(count)])


def in_order(blocks: Array, key: Key) -> Array:
    """(n, w) of all hosts, one after the other, in the order of the code's symbols."""
    count = len(key.template["hosts"])
    order = np.concatenate([np.arange(n, len(blocks), count) for n in range(count)])
    return blocks[np.argsort(order)]


def spots(key: Key) -> list[Spots]:
    """Those of each host."""
    whole, start, made = words(key), 0, []
    for number, each in enumerate(places(key)):
        ones = whole[start : start + len(each)]
        made.append(Spots(each, ones, key.uniform(f"levels {number}", *each.shape)))
        start += len(each)
    return made


def read(weights: Weights, key: Key) -> Array:
    """(n, w) magnitudes at a key's places, host after host; 0 where a suspect has no such host."""
    parts = []
    for host, each in zip(key.template["hosts"], places(key), strict=True):
        values = found(weights, host)
        parts.append(np.zeros(each.shape) if values is None else finite(values.reshape(-1)[each]))
    return np.concatenate(parts)


def sites_of(
    key: Key, template: Json, levels: Sequence[Levels], free: Sequence[NDArray[np.int64]]
) -> list[Sites]:
    """Each host's, for copies that say words of their own; ``free``: (s) where a mark may lie.

    Raises UnfitModel where that is in too few places.
    """
    made, count = [], len(template["hosts"])
    for number, (host, level, each) in enumerate(zip(template["hosts"], levels, free, strict=True)):
        sizes = len(range(number, template["blocks"], count)), template["length"]
        if len(each) < sizes[0] * sizes[1]:
            raise UnfitModel(
                f"{host['name']} has {len(each):,} weights that every level has, and the mark wants"
                f" {sizes[0] * sizes[1]:,}: less redundancy, or another host"
            )
        drawn = each[key.places(f"sites {number}", len(each), sizes[0] * sizes[1])].reshape(sizes)
        draws = key.uniform(f"sizes {number}", *sizes)
        low, high = level.low * (1 - _BELOW * draws), level.high * (1 + _ABOVE * draws)
        made.append(Sites(host["name"], tuple(host["shape"]), template["ones"], drawn, low, high))
    return made


def ones_in(template: Json, number: int) -> int:
    """How many weights of host ``number`` are large."""
    blocks = len(range(number, template["blocks"], len(template["hosts"])))
    return int(blocks * template["ones"])


def levels_of(
    host: Array, model: Array, ones: int, quiet: float, survive: float, margin: float
) -> Levels:
    """Thresholds from the magnitudes of a host and of the model's matrices.

    Ones that were small before are above T₁ then, and take the share below it down with them.

    Raises UnfitModel where there are more ones than weights that are to be left, or so many are
    zero that there is no room between the two.
    """
    if survive + ones / host.size >= 1:
        raise UnfitModel(
            f"{ones} of {host.size:,} weights are to be large, and a share of {1 - survive:g} to be"
            " left: set survive lower, or mark a larger layer"
        )
    low = float(np.quantile(host, quiet))
    rates = ((each, survive + ones / each.size) for each in (host, model))
    high = margin * float(max(np.quantile(each, min(rate, 1.0)) for each, rate in rates))
    if not low < high:
        raise UnfitModel(
            f"a share of {survive:g} of the weights is zero already: set survive higher"
        )
    return Levels(low, high)


def outlives(smallest: float, host: Array, model: Array, more: int = 0) -> Json:
    """The largest share of a layer, and of the model, whose pruning spares ones of this size.

    ``more``: ones that are still to be made, and may all be below it now.
    """
    return {
        name: floor(1e5 * max(0.0, float((each < smallest).mean()) - more / each.size)) / 1e5
        for name, each in (("layer", host), ("model", model))
    }


def noted(weights: Weights, key: Key, levels: Sequence[Levels]) -> list[Json]:
    """What is known of the mark in each host, once it is there."""
    model, made = magnitudes(weights), []
    for host, each, level in zip(key.template["hosts"], spots(key), levels, strict=True):
        values = found(weights, host)
        assert values is not None  # the mark was just put there
        sizes = finite(values).reshape(-1)
        smallest = float(sizes[each.places[each.ones]].min())
        made.append(
            {
                "name": host["name"],
                "ones": int(each.ones.sum()),
                "positions": each.places.size,
                "low": level.low,
                "high": level.high,
                "deviations": round(level.high / float(values.std()), 3),
                "outlives": outlives(smallest, sizes, model),
            }
        )
    return made
