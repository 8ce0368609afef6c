"""Questions about parts: a larger network is asked, and the backbone inside it is to come first.

The larger networks are put together of the zoo's (``compositions``), or are in the zoo themselves
(``wholes``).  What else is inside of them, another network's rest or a text tower, is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from compositions import Body, detector, grafted, two_towers
from questions import Suite
from wholes import WHOLES

from assay.values import LayerGraph
from assay.zoo import Architecture

Rng = np.random.Generator
Bodies = dict[int, Body]  # by place in the database
Composed = tuple[LayerGraph, int]  # a network, and the place of what else it has inside, or -1
DECODER = (0.4, 0.8)  # between which shares of another network its rest begins
LARGEST = 1.0  # layers of that rest, to one of the backbone's
IMAGE_AXES = 4  # of what a detector looks at
VOCABULARY = 1000  # numbers at least in the table of a text network's words


def part_suites(models: Sequence[Architecture], asked: Sequence[int], seed: int) -> Iterator[Suite]:
    """Backbones of the places ``asked`` inside larger networks."""
    bodies = {i: body for i in asked if (body := Body.of(models[i].graph)) is not None}
    texts = [i for i in bodies if _reads_text(models[i])]
    ways: dict[str, Callable[[int, Rng], Composed | None]] = {
        "part: under a detector's heads": partial(_detector, models, bodies),
        "part: before another's decoder": partial(_decoder, models, bodies),
        "part: beside a text tower": partial(_beside, bodies, texts),
    }
    for number, (name, way) in enumerate(ways.items()):
        made: dict[int, Composed] = {}
        for i in bodies:
            rng = np.random.default_rng((seed, number, i))
            if (composed := way(i, rng)) is not None:
                made[i] = composed
        if made:
            own = np.eye(len(models), dtype=bool)[[*made]]
            others = np.zeros_like(own)
            for row, (_, other) in enumerate(made.values()):
                others[row, other] = other >= 0
            yield Suite(name, tuple(graph for graph, _ in made.values()), own, others)
    yield from _published(models, asked)


def _reads_text(model: Architecture) -> bool:
    """Whether all that it reads is numbered words: two axes, and a table that is looked up."""
    looked_up = any(
        layer.op == "Gather" and layer.parameters >= VOCABULARY for layer in model.graph.layers
    )
    return looked_up and all(len(shape) == 2 for shape in model.inputs)


def _detector(
    models: Sequence[Architecture], bodies: Bodies, place: int, rng: Rng
) -> Composed | None:
    if any(len(shape) != IMAGE_AXES for shape in models[place].inputs):
        return None
    return detector(bodies[place]), -1


def _decoder(
    models: Sequence[Architecture], bodies: Bodies, place: int, rng: Rng
) -> Composed | None:
    """Another family's rest is behind it, no larger than the backbone is."""
    body = bodies[place]
    share = float(rng.uniform(*DECODER))
    fit = [
        i
        for i, other in bodies.items()
        if models[i].family != models[place].family
        and other.rank == body.rank
        and (1 - share) * len(other.order) <= LARGEST * len(body.order)
    ]
    if not fit:
        return None
    chosen = int(rng.choice(fit))
    back = bodies[chosen]
    return grafted(body, body.cuts[-1], back, back.at(share)), chosen


def _beside(bodies: Bodies, texts: Sequence[int], place: int, rng: Rng) -> Composed | None:
    if not texts or place in texts:
        return None
    chosen = int(rng.choice(texts))
    return two_towers(bodies[place], bodies[chosen]), chosen


def _published(models: Sequence[Architecture], asked: Sequence[int]) -> Iterator[Suite]:
    """The zoo's own, where a backbone is asked; nothing else that holds it is in the way."""
    places = {model.name: i for i, model in enumerate(models)}
    some = {places[models[i].name] for i in asked}
    queries, right, left_out = [], [], []
    for whole, backbones in WHOLES.items():
        own = {places[name] for name in backbones if name in places} & some
        if whole not in places or not own:
            continue
        query = models[places[whole]]
        kin = {i for i, model in enumerate(models) if model.family == query.family}
        alike = {places[w] for w, b in WHOLES.items() if w in places and {*b} & {*backbones}}
        queries.append(query.graph)
        right.append([i in own for i in range(len(models))])
        left_out.append([i in (kin | alike) - own for i in range(len(models))])
    if queries:
        yield Suite("part: published", tuple(queries), np.array(right), np.array(left_out))
