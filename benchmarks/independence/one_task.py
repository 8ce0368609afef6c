"""How near the codes of two real networks are that were trained apart on one task.

    python benchmarks/independence/one_task.py FILE OTHER    # seconds; writes one_task.json

What a task makes of a network's channels is alike whoever trains it, though not their order.  So
codes that ignore the order have something in common in strangers, which networks that are too
small for their task do not show.  Every tensor is compared with those of its shape, under 60 keys.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from assay.formats import read
from assay.sketches.formulas import formula
from assay.sketches.invariants import invariant
from assay.sketches.projections import distance, projected
from assay.sketches.readings import registered
from assay.weights import Array, Weight
from assay.weights.shapes import has_one_axis

KEYS = [bytes([number, 7] * 16) for number in range(60)]
LEAST = 4096  # values of a tensor that is compared
CODES: dict[str, Callable[[Array, int, bytes], bytes | None]] = {
    "code": lambda matrix, places, key: projected(matrix, key),
    "invariant": invariant,
}


def codes(path: Path, which: str) -> Iterator[tuple[Weight, tuple[int, int], list[bytes]]]:
    """Each weight that has such codes, with the shape of its matrix, and a code for each key."""
    for weight in read(path).weights.values():
        if weight.size < LEAST or has_one_axis(weight.shape):
            continue
        reading = registered(weight)[0]
        matrix, places = reading.matrix(weight.read()), reading.places(weight)
        if formula(matrix, KEYS[0]) is not None:
            continue
        found = [CODES[which](matrix, places, key) for key in KEYS]
        if all(found):
            yield weight, reading.shape(weight), [code for code in found if code]


def rows(a: Path, b: Path) -> Iterator[dict[str, Any]]:
    """The distances of each pair of tensors of one shape."""
    for which in CODES:
        theirs = [*codes(b, which)]
        for weight, shape, ours in codes(a, which):
            for other, of_other, known in theirs:
                if shape != of_other:
                    continue
                apart = np.array([distance(x, y) for x, y in zip(ours, known, strict=True)])
                yield {
                    "which": which,
                    "tensors": [weight.name, other.name],
                    "shape": list(shape),
                    "mean": round(float(apart.mean()), 1),
                    "deviation": round(float(apart.std()), 1),
                    "least": int(apart.min()),
                }


def main() -> None:
    """Compares two files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs=2)
    found = [*rows(*parser.parse_args().files)]
    about = {"command": "python benchmarks/independence/one_task.py FILE OTHER", "keys": len(KEYS)}
    Path(__file__).with_suffix(".json").write_text(
        json.dumps({**about, "rows": found}, indent=1) + "\n"
    )
    for which in CODES:
        own = [row for row in found if row["which"] == which]
        print(which, len(own), min(row["mean"] for row in own), min(row["least"] for row in own))


if __name__ == "__main__":
    main()
