"""How much of a tensor must stay for its code to be found again, each tensor alone.

    python benchmarks/sketches/found.py FOLDER   # minutes; writes found.json

FOLDER holds real model files.  Tensors that are near one another, copies of one model in several
files, count once.  A changed tensor is found where the false alarm of its distance is at most 1e-6.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.formats import read
from assay.sketches.formulas import formula
from assay.sketches.given import given
from assay.sketches.invariants import invariant
from assay.sketches.kinds import Cells
from assay.sketches.nulls import log10_tail_invariant
from assay.sketches.projections import Projection, distance, projected_finely
from assay.sketches.readings import registered
from assay.sketches.starts import learned
from assay.weights import Array, Weight
from assay.weights.shapes import has_one_axis

HERE = Path(__file__).parent
KEY = hashlib.sha256(b"found").digest()
SIZES = {"below 1,000": 1_000, "below 4,000": 4_000, "below 32,000": 32_000, "above": 10**12}
FOUND = -6.0
Change = Callable[[Array, np.random.Generator], Array]


def rounded(bits: int) -> Change:
    """Whole numbers of so many bits, with a scale for each output."""
    most = 2 ** (bits - 1) - 1

    def change(values: Array, _: np.random.Generator) -> Array:
        scale = np.abs(values).max(1, keepdims=True) / most
        return np.rint(values / np.where(scale > 0, scale, 1)) * scale

    return change


def pruned(share: float) -> Change:
    """The smallest values are 0."""

    def change(values: Array, _: np.random.Generator) -> Array:
        return np.where(np.abs(values) > np.quantile(np.abs(values), share), values, 0)

    return change


def noisy(cosine: float) -> Change:
    """Noise of each row's size, until this cosine is left."""

    def change(values: Array, random: np.random.Generator) -> Array:
        spread = values.std(1, keepdims=True) * (1 / cosine**2 - 1) ** 0.5
        return values + spread * random.standard_normal(values.shape, np.float32)

    return change


CHANGES: dict[str, Change] = {
    "float16": lambda values, _: values.astype(np.float16),
    **{f"int{bits}": rounded(bits) for bits in (8, 4)},
    **{f"pruned {share:.0%}": pruned(share) for share in (0.5, 0.8, 0.95)},
    **{f"noise, cosine {cosine}": noisy(cosine) for cosine in (0.95, 0.9, 0.7, 0.5)},
}


def matrices(folder: Path) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Each learned matrix (r, c) of all files once, and the places of its kernel."""
    known: dict[tuple[int, ...], list[Cells]] = defaultdict(list)
    for path in sorted(entry for entry in folder.glob("*/**/*") if entry.is_file()):
        try:
            weights = list(read(path).weights.values())
        except AssayError:
            continue  # no model, or a part of one
        for weight in weights:
            if has_one_axis(weight.shape) or weight.size < 256:
                continue
            matrix, places = _first(weight)
            sketch = None if formula(matrix, KEY) else projected_finely(matrix, KEY)
            if sketch is None or learned(matrix, KEY) < 0.25:
                continue
            cells = _cells(sketch, matrix)
            if all(cells.tails(near, matrix.shape)[0, 0] > FOUND for near in known[matrix.shape]):
                known[matrix.shape].append(cells)
                yield matrix, places


def _cells(sketch: Projection, matrix: NDArray[np.float32]) -> Cells:
    values = np.frombuffer(sketch.cells, np.int8).reshape(1, -1)
    return Cells(values, np.array([given(matrix, KEY)]))


def _first(weight: Weight) -> tuple[NDArray[np.float32], int]:
    reading = registered(weight)[0]
    rows, columns = reading.shape(weight)
    return reading.matrix(weight.read()).reshape(rows, columns), reading.places(weight)


def alarms(
    matrix: NDArray[np.float32], places: int, change: Change, random: np.random.Generator
) -> tuple[float, float | None]:
    """log₁₀ of the false alarms: changed; then with channels permuted and rows scaled as well."""
    child = change(matrix, random).astype(np.float32)
    one, other = (projected_finely(each, KEY) for each in (matrix, child))
    if one is None or other is None:
        return 0.0, None
    plain = float(_cells(one, matrix).tails(_cells(other, child), matrix.shape)[0, 0])
    rows, columns = matrix.shape
    turned = child.reshape(rows, -1, places)[random.permutation(rows)]
    turned = turned[:, random.permutation(columns // places)].reshape(rows, columns)
    turned = turned * random.lognormal(sigma=0.5, size=(rows, 1)).astype(np.float32)
    first, second = (invariant(each, places, KEY) for each in (matrix, turned))
    if first is None or second is None:
        return plain, None
    return plain, log10_tail_invariant(distance(first, second))


def main() -> None:
    """Measures, prints a table, writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    random = np.random.default_rng(0)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for matrix, places in matrices(parser.parse_args().folder):
        size = next(name for name, most in SIZES.items() if matrix.size < most)
        kernel = "matrix" if places == 1 else "kernel"
        for name, change in CHANGES.items():
            plain, permuted = alarms(matrix, places, change, random)
            found[f"values, {size}"][name].append(plain)
            if permuted is not None:
                found[f"channels permuted, {kernel}"][name].append(permuted)
    rows = {
        name: {
            "tensors": len(next(iter(changes.values()))),
            **{
                change: round(float(np.mean(np.array(a) <= FOUND)), 3)
                for change, a in changes.items()
            },
        }
        for name, changes in sorted(found.items())
    }
    for name, row in rows.items():
        print(name, json.dumps(row))
    results = {"command": "python benchmarks/sketches/found.py FOLDER", "seed": 0, "found": rows}
    (HERE / "found.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
