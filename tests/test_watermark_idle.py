"""Channels that do nothing, told from weights alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from small_marks import weight

from assay.watermarks._idle import active


def test_equal_channels_are_one_and_what_nobody_hears_is_none() -> None:
    random = np.random.default_rng(0)
    one, two, three = (random.normal(size=size) for size in ((8, 4), (6, 8), (3, 6)))
    layers = [
        {"rows": ["one"], "columns": [["two", 1]]}, {"rows": ["two"], "columns": [["three", 1]]}
    ]  # fmt: skip
    template = {"layers": layers, "skeleton": [{"name": n, "kernel": []} for n in
        ("one", "two", "three")]}  # fmt: skip

    def left(one: Any, two: Any, three: Any) -> list[int | None]:
        found = {"one": weight("", one), "two": weight("", two), "three": weight("", three)}
        return active(found, template)

    assert left(one, two, three) == [8, 6]
    shared = np.concatenate([two, 0.3 * two[:, :2]], 1)  # channels 0 and 1 have twins
    shared[:, :2] *= 0.7
    split = np.concatenate([one, one[:2]]), shared, three
    assert left(*split) == [8, 6]
    twin = np.concatenate([shared[:5], shared[5:] * 2, shared[5:]])  # of the second layer, too,
    twin[6, [0, 8]] = twin[6, [8, 0]]  # which reads one twin for the other
    assert left(split[0], twin, np.concatenate([three, three[:, 5:]], 1)) == [8, 6]
    cancelled = np.concatenate([two, random.normal(size=(6, 1)) * [[1.0, -1.0]]], 1)
    both = random.normal(size=(1, 4)).repeat(2, 0)
    assert left(np.concatenate([one, both]), cancelled, three) == [8, 6]
    deaf = np.concatenate([two, random.normal(size=(1, 8))])  # heard by nobody, and hears
    three_deaf = np.concatenate([three, np.zeros((3, 1))], 1)
    assert left(one, deaf, three_deaf) == [8, 6]
    only = np.concatenate([deaf, np.eye(7)[:, 6:]], 1)  # one that the deaf one alone hears
    assert left(np.concatenate([one, one[:1] ** 2]), only, three_deaf) == [8, 6]
    assert left(one, two * np.nan, three) == [0, 6]
    assert left(one[:7], two, three) == [7, 6]  # who reads the first layer is another
