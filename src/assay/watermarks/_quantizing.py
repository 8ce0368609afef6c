"""Words in numbers of channels: quantization-index modulation [Chen and Wornell, 2001].

Of a layer, ``first + step · v + tolerance`` channels are removed to say the symbol v; ``step`` is 2
· tolerance + 1, so some more or fewer say the same.  Symbols are digits of one number, each with as
many values as its layer has; their order, and a shift of each, are drawn from the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from math import ceil, floor, log10, prod

from assay.errors import UnfitModel
from assay.values import Json
from assay.watermarks import TAG
from assay.watermarks._key import Key
from assay.watermarks._tails import Counts

EXTRA = "watermarks"
LEAST_TAG = 16  # bits: of what was changed beyond tolerance, one reading in 65,536 passes

Symbols = Sequence[int | None]  # (n,) of each layer; None: its number of channels says nothing


def bins(channels: int, step: int, least: float, most: float) -> tuple[int, int]:
    """How many channels go at the least, and how many symbols a layer of so many tells apart.

    One channel goes at least, so that an unmarked model says nothing; one stays.
    """
    first = max(1, ceil(least * channels))
    last = min(channels - 1, floor(most * channels))
    return first, max(0, last - first + 1) // step


def capacity(layers: Sequence[Json]) -> int:
    """Bits that fit."""
    return prod(int(layer["symbols"]) for layer in layers).bit_length() - 1


def tag_bits(layers: Sequence[Json], payload: int, step: int) -> int:
    """How many there are behind a payload of so many bits: what is left, up to 32.

    Raises UnfitModel, with the numbers, where it does not fit.
    """
    there = capacity(layers)
    left = there - payload
    if left < LEAST_TAG:
        longest = max(0, (there - LEAST_TAG) // 8 * 8)
        fits = f"{longest} fit: give a payload of {longest // 8} bytes" if longest else "none fits"
        raise UnfitModel(
            f"a payload of {payload} bits: {len(layers)} layers hold {there} bits at"
            f" tolerance={step // 2}, of which a tag takes {LEAST_TAG} at least; {fits}, or set"
            f" {'tolerance lower or ' if step > 1 else ''}most higher"
        )
    return min(left, 8 * TAG)


def removed(layer: Json, symbol: int, step: int) -> int:
    """How many channels go to say a symbol."""
    return int(layer["first"]) + step * symbol + step // 2


def symbol_of(layer: Json, count: int | None, step: int) -> int | None:
    """What so many channels of a layer say."""
    if count is None:
        return None
    above = int(layer["channels"]) - count - int(layer["first"])
    return above // step if 0 <= above < step * int(layer["symbols"]) else None


def wanted(key: Key) -> list[int]:
    """(n,) the symbols of a key's payload."""
    left, sizes = _number(key.payload, key), _sizes(key)
    found = [0] * len(sizes)
    for place, shift in _drawn(key):
        left, digit = divmod(left, sizes[place])
        found[place] = (digit + shift) % sizes[place]
    return found


def said(symbols: Symbols, key: Key) -> bytes | None:
    """The payload that symbols say; None where one is missing, or the tag is not this key's."""
    number, sizes = 0, _sizes(key)
    for place, shift in reversed(_drawn(key)):
        symbol = symbols[place]
        if symbol is None:
            return None
        number = number * sizes[place] + (symbol - shift) % sizes[place]
    length = int(key.template["payload_bytes"])
    payload = number >> int(key.template["tag_bits"])
    if payload.bit_length() > 8 * length:
        return None
    found = payload.to_bytes(length)
    return found if _number(found, key) == number else None


@lru_cache(maxsize=64)
def agreeing(sizes: tuple[int, ...]) -> Counts:
    """Of all equally likely words, how many agree with one that is given in 0, 1, 2 … symbols."""
    counts = [1]
    for size in sizes:
        other = [0, *counts]
        counts = [(size - 1) * one + two for one, two in zip([*counts, 0], other, strict=True)]
    return tuple(counts)


def log10_whole(layers: Sequence[Json]) -> float:
    """log₁₀ of the false alarm of a mark of which all is there."""
    return -sum(log10(layer["symbols"]) for layer in layers)


def _number(payload: bytes, key: Key) -> int:
    """The payload with as many bits of its tag behind it as there is room for."""
    length = int(key.template["tag_bits"])
    tag = int.from_bytes(key.carrying(payload).sealed()[-TAG:]) >> (8 * TAG - length)
    return (int.from_bytes(payload) << length) | tag


def _drawn(key: Key) -> list[tuple[int, int]]:
    """(n,) the layer of each digit, and its shift; whoever changes the template draws others.

    So a template that is made for a suspect has to be searched for, as a key has.
    """
    sizes = _sizes(key)
    template = hashlib.sha256(json.dumps(key.template, sort_keys=True).encode()).hexdigest()
    order = key.places(f"order {template}", len(sizes), len(sizes)).tolist()
    stream = key.stream(f"symbols {template}", 16 * len(sizes))
    shifts = [int.from_bytes(stream[16 * at : 16 * at + 16]) for at in range(len(sizes))]
    return [(place, shifts[place] % sizes[place]) for place in order]


def _sizes(key: Key) -> list[int]:
    return [int(layer["symbols"]) for layer in key.template["layers"]]
