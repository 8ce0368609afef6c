"""Who has the code and the network: edits until a code is another one, or that of a stranger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from edits import EDITS, drawn

from assay.comparisons.structure import Structure
from assay.examine import quality
from assay.hashers import Hasher
from assay.values import Json, LayerGraph, Record

TRIED = 30  # edits of which the greedy adversary takes one
RADII = (8, 12)  # bits that are to be left
NEAR = (6, 2)  # bits within which the code of a stranger is to come


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an adversary may go."""

    edits: int
    tried: int = TRIED
    kinds: Sequence[str] = tuple(EDITS)


def leave(graph: LayerGraph, hasher: Hasher, reach: Reach, rng: np.random.Generator) -> Json:
    """Edits until the code is further from what it was than the largest of RADII.

    Of ``reach.tried`` edits the one that changes most bits of the first code is done; of one, any.
    """
    code, found, kinds = hasher(graph), [0], Counter[str]()
    edited = graph
    while found[-1] <= RADII[-1] and len(found) <= reach.edits:
        tried = [*drawn(edited, reach.tried, rng, reach.kinds)]
        distances = [hasher(each) - code for _, each in tried]
        best = int(np.argmax(distances))
        kind, edited = tried[best]
        kinds[kind] += 1
        found.append(distances[best])
    return {
        "distances": found,
        "edits": [next((n for n, d in enumerate(found) if d > r), None) for r in RADII],
        "kinds": dict(kinds.most_common()),
        **said(edited, graph, hasher),
    }


def imitate(
    graph: LayerGraph,
    target: LayerGraph,
    hasher: Hasher,
    reach: Reach,
    rng: np.random.Generator,
) -> Json:
    """Edits of ``graph`` until its code is the one of ``target``; none that leads further away."""
    code, kinds = hasher(target), Counter[str]()
    first = said(graph, target, hasher)
    found, edited = [hasher(graph) - code], graph
    while found[-1] > 0 and len(found) <= reach.edits:
        tried = [*drawn(edited, reach.tried, rng, reach.kinds)]
        distances = [hasher(each) - code for _, each in tried]
        best = int(np.argmin(distances))
        if distances[best] <= found[-1]:
            kind, edited = tried[best]
            kinds[kind] += 1
        found.append(min(distances[best], found[-1]))
    return {
        "distances": found,
        "edits": [next((n for n, d in enumerate(found) if d <= r), None) for r in NEAR],
        "kinds": dict(kinds.most_common()),
        "before": first,
        **said(edited, target, hasher),
    }


def said(suspect: LayerGraph, source: LayerGraph, hasher: Hasher) -> Json:
    """What the comparison of the two graphs says of the pair, as ``check`` does of a lead."""
    records = [
        Record("", "", code=hasher(graph), graph=graph, quality=quality(graph))
        for graph in (suspect, source)
    ]
    method = Structure()
    evidence = method.compare(*records)
    assert evidence is not None  # both have graphs of the same rules
    return {
        "layers": [len(suspect.layers), len(source.layers)],
        "score": evidence.score,
        "quality": records[0].quality,
        "relation": str(method.supported(evidence)),
    }
