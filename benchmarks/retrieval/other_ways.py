"""Questions about the same network, written by another exporter, in another format or framework."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from questions import Suite

from assay.zoo import Architecture
from assay.zoo._stored import unpack

EXPORTS = Path(__file__).with_name("exports.jsonl.xz")  # scripts/make_zoo_exports.py makes it


@cache
def exports() -> tuple[Architecture, ...]:
    """The second exports, by network; the source of each says how it was written."""
    return unpack(EXPORTS.read_bytes())


def written_otherwise(models: Sequence[Architecture], asked: Sequence[int]) -> Iterator[Suite]:
    """A suite for each way, of the networks at the places ``asked``."""
    places = {models[i].name: i for i in asked}
    for way in dict.fromkeys(each.source for each in exports()):
        own = [each for each in exports() if each.source == way and each.name in places]
        if own:
            right = np.eye(len(models), dtype=bool)[[places[each.name] for each in own]]
            graphs = tuple(each.graph for each in own)
            yield Suite(f"by {way}", graphs, right, np.zeros_like(right), same=True)
