"""What is asked of codes of architectures that were not trained on, and how it is judged.

The zoo's families are parted for each seed into those that are trained on, those that settings may
be chosen by, and those that are asked for.  No family is on two sides; the database is the whole
zoo, so that what is found has to stand out among a thousand others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from other_ways import written_otherwise
from parts import part_suites
from questions import Side, Suite, side

from assay.zoo import Architecture
from assay.zoo.changes import CHANGES


def suites(models: Sequence[Architecture], seed: int, asked: Side = "asked") -> Iterator[Suite]:
    """All of one seed, of the networks whose families are on the side ``asked``."""
    places = [i for i, model in enumerate(models) if side(model.family, seed) == asked]
    yield from changed(models, places, seed)
    yield from sizes(models, places)
    yield from written_otherwise(models, places)
    yield from part_suites(models, places, seed)


def changed(models: Sequence[Architecture], places: Sequence[int], seed: int) -> Iterator[Suite]:
    """Each change of each network at ``places``; the network itself is to come first."""
    own = np.eye(len(models), dtype=bool)
    for number, (name, (change, strength)) in enumerate(CHANGES.items()):
        made = {
            i: variant.graph
            for i in places
            if (variant := change(models[i].graph, strength, _rng(seed, number, i))) is not None
        }
        if made:
            right = own[[*made]]
            yield Suite(name, tuple(made.values()), right, np.zeros_like(right))


def sizes(models: Sequence[Architecture], places: Sequence[int]) -> Iterator[Suite]:
    """Each network at ``places`` as it is; the others of its family are to come first."""
    own = np.eye(len(models), dtype=bool)
    families = np.array([model.family for model in models])
    kin = (families[:, None] == families[None]) & ~own
    rows = [i for i in places if kin[i].any()]
    if rows:
        graphs = tuple(models[i].graph for i in rows)
        yield Suite("sizes of one family", graphs, kin[rows], own[rows])


def _rng(*words: int) -> np.random.Generator:
    return np.random.default_rng(words)
