"""Who in a pool is no rest for whom: models of one origin explain what each of them has of its own.

A suspect has nobody of its origin in the pool.  Where a reference has some, and a statistic takes
away what the rest has in common, it would lose what makes it like the owner's model, and the
suspect would stand out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.running.predictors.answers import Array


def rests(count: int, origins: Sequence[object] = ()) -> list[Array]:
    """(r,) places of those in a pool that are of another origin, for each of ``count``.

    Without ``origins`` each is of its own.
    """
    if not origins:
        origins = range(count)
    names = {origin: number for number, origin in enumerate(dict.fromkeys(origins))}
    numbers = np.array([names[origin] for origin in origins])
    places = np.arange(count)
    return [places[(numbers != number)] for number in numbers]
