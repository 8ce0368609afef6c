"""Alignment of disguised networks, strangers and twins; what is stated against what is measured.

    python benchmarks/alignment/run.py FAMILIES CHILDREN    # half an hour; writes results.json
    python benchmarks/alignment/run.py FAMILIES --small     # a few pairs in seconds, printed

FAMILIES is made by scripts/make_families.py, CHILDREN is the work folder of benchmarks/disguises.
With --rows FILE, what is done is kept there, and taken from there when it is started again.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from figure import draw
from stacks import stacks
from strangers import Network, matrices, measured, networks, pairs, values
from table import summary

from assay.alignment import Alignment, align

HERE = Path(__file__).parent
SEED = 0
Row = dict[str, Any]


def judged(found: Alignment, seconds: float) -> Row:
    """What is kept of an alignment."""
    known = [each.before for each in found.tensors if each.before is not None]
    counts: dict[str, int] = {}
    for tensor in found.tensors:
        for word in (tensor.kind, *tensor.undone):
            counts[word] = counts.get(word, 0) + 1
    tails = [each.log10_false_alarm for each in found.tensors]
    return {
        "tensors": len(found.tensors),
        "before": round(float(np.mean(known)), 4) if known else None,
        "after": round(float(np.mean([each.after for each in found.tensors])), 4),
        "found": sum(tail <= -6 for tail in tails),
        "least": round(min(tails), 2),
        "words": counts,
        "seconds": round(seconds, 2),
    }


def aligned(suspect: dict[str, Any], source: dict[str, Any]) -> Row:
    """Align, and look at the clock."""
    start = monotonic()
    found = align(suspect, source)
    return judged(found, monotonic() - start)


def jobs(families: Path, children: Path | None, count: int) -> Iterator[tuple[str, Any]]:
    """Name of each row, and what makes it."""
    every = networks(families)
    for design, nets in every.items():
        chosen = pairs(nets, count, np.random.default_rng(SEED))
        for kind, found in chosen.items():
            for a, b in found:
                yield f"{kind}|{design}|{a.path.stem}|{b.path.stem}", (kind, a, b)
        for net in nets if children else []:
            folder = children / f"{design}-{net.task}-{net.seed}" if children else None
            if folder and folder.exists():
                yield f"children|{design}|{net.path.stem}", ("children", net, folder)


def rows_of(name: str, job: Any) -> Iterator[Row]:
    """All that is measured of a pair, or of a parent's children."""
    kind, one, other = job
    design = name.split("|")[1]
    if kind == "children":
        source = values(one.path)
        for made, suspect in of_parent(design, one, other):
            yield {"of": "children", "design": design, "disguise": made} | aligned(suspect, source)
        return
    result = aligned(values(one.path), values(other.path))
    yield {"of": kind, "design": design} | result
    if kind == "strangers":
        for row in measured(matrices(one.path), matrices(other.path)):
            yield {"of": "null", "design": design} | row


def of_parent(design: str, net: Network, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """A parent's disguised children, and those in several disguises."""
    for entry in sorted(folder.iterdir()):
        for file in entry.glob("child.*"):
            source = entry / "source"
            if not source.exists():  # averages have another parent
                yield entry.name, values(file)
    yield from stacks(design, net.path, folder)


def main() -> None:
    """Goes on where it was stopped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", type=Path)
    parser.add_argument("children", type=Path, nargs="?")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    count = 2 if options.small else options.pairs
    rows: dict[str, list[Row]] = {}
    if options.rows and options.rows.exists():
        rows = dict(json.loads(line) for line in options.rows.read_text().splitlines())
    for name, job in jobs(options.families, options.children, count):
        if name not in rows:
            rows[name] = [*rows_of(name, job)]
            print(name, len(rows[name]), flush=True)
            if options.rows:
                with options.rows.open("a") as file:
                    file.write(json.dumps([name, rows[name]]) + "\n")
    results = summary([row for found in rows.values() for row in found])
    if options.small:
        print(json.dumps(results["strangers"], indent=1))
        return
    real = json.loads((HERE / "large_nulls.json").read_text())
    draw([*results["tensors"], *real["tensors"]], HERE / "calibration.svg")
    made = {
        "command": "python benchmarks/alignment/run.py FAMILIES CHILDREN",
        "seed": SEED,
        "hardware": f"2 cores, {platform.machine()}",
        "python": sys.version.split()[0],
        "numpy": np.__version__,
    }
    (HERE / "results.json").write_text(json.dumps(made | results, indent=1) + "\n")


if __name__ == "__main__":
    main()
