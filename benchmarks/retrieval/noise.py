"""Made-up architectures, which are in the way of what is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from compositions import Body, chimera

from assay.values import LayerGraph
from assay.zoo import Architecture

COUNT = 1000


def made_up(models: Sequence[Architecture], seed: int, count: int = COUNT) -> list[LayerGraph]:
    """``count`` networks, each the front of one of ``models`` and the back of another family's.

    Their widths are new, too.

    Raises:
        ValueError: no two of ``models`` can be joined.
    """
    rng = np.random.default_rng((seed, count))
    bodies = [(m.family, body) for m in models if (body := Body.of(m.graph)) is not None]
    pairs = [
        (front, back)
        for family, front in bodies
        for other, back in bodies
        if family != other and front.rank == back.rank
    ]
    if not pairs:
        raise ValueError("no two of these networks can be joined")
    drawn = rng.integers(len(pairs), size=count)
    return [chimera(*pairs[int(i)], rng) for i in drawn]
