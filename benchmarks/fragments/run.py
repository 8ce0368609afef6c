"""Whether strangers have values with the same ends, and which tensors keep hashes of them.

    python benchmarks/fragments/run.py FAMILIES --files FOLDER   # minutes; writes results.json
    python benchmarks/fragments/run.py --small                   # drawn tensors, nothing written

All values that are drawn are looked at, not only those whose hashes are kept, in every layout that
a suspect is tried in.  Networks that began with the same weights are no strangers, nor are real
files of one folder.  Then the tensors of the networks are quantized and rounded in many ways.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from coarse import KINDS

import assay
from assay.formats import read
from assay.sketches import fragments, keys
from assay.sketches.formulas import formula
from assay.sketches.readings import tried
from assay.weights import Array
from assay.zoo import families

HERE = Path(__file__).parent
SEED = 0
TIMED = [(2048, 2048), (8192, 2048), (512, 512, 3, 3), (64, 64)]


@dataclass(frozen=True)
class Matrix:
    """A tensor of a model, in one layout."""

    start: str  # models of one start are no strangers
    values: Array  # (r, …)


def of_networks(folder: Path) -> dict[Path, str]:
    """Trained networks, and where each began: its architecture and seed."""
    listed = {
        folder / record["file"]: record["name"].split(".") for record in families.records(folder)
    }
    return {file: f"{name[0]} {name[2]}" for file, name in listed.items()}


def of_files(folder: Path) -> dict[Path, str]:
    """Real files by the folder that their family has."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file: file.relative_to(folder).parts[0] for file in files}


def matrices(files: dict[Path, str]) -> Iterator[Matrix]:
    """What may keep hashes: floats of 32 bits that no formula gives."""
    for file, start in files.items():
        try:
            weights = [*read(file).weights.values()]
        except assay.AssayError:
            continue  # no model, or one whose parts lie elsewhere
        for place in sorted(fragments.chosen(weights)):
            values = weights[place].read()
            for reading in tried(weights[place]):
                matrix = reading.matrix(values)
                if formula(matrix, keys.PUBLIC) is None:
                    yield Matrix(start, np.ascontiguousarray(matrix.reshape(len(matrix), -1)))


def coincidences(found: Iterable[Matrix], change: Callable[[Array], Array]) -> dict[str, int]:
    """How many tensors keep hashes, and how many hashes of all rows strangers share."""
    count: Counter[str] = Counter()
    holders: dict[str, dict[int, set[str]]] = {"kept": defaultdict(set), "all": defaultdict(set)}
    for each in found:
        with np.errstate(all="ignore"):
            values = change(each.values)
        kept = fragments.fragments(values, keys.PUBLIC)
        count["tensors"] += 1
        count["tensors_that_keep"] += kept is not None
        for one in all_of(values):
            holders["all"][one].add(each.start)
            if kept is not None:
                holders["kept"][one].add(each.start)
    for name, known in holders.items():
        count[f"values_{name}"] = len(known)
        count[f"shared_{name}"] = sum(len(starts) > 1 for starts in known.values())
    return dict(count)


def all_of(values: Array) -> list[int]:
    """Hashes of all large values that are drawn, whether they are kept or not."""
    with np.errstate(all="ignore"):
        drawn = fragments.drawn(values, keys.PUBLIC)
        return fragments.cells(values, keys.PUBLIC, drawn, len(drawn.values)).hashes.tolist()


def seconds(work: Callable[[], object], turns: int = 5) -> float:
    """The shortest of several runs."""
    found = []
    for _ in range(turns):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


def times() -> Iterator[dict[str, Any]]:
    """Of a drawn tensor, beside its SHA-256."""
    draw = np.random.default_rng(SEED)
    for shape in TIMED:
        values = draw.standard_normal(shape, dtype=np.float32)
        took = seconds(lambda values=values: fragments.fragments(values, keys.PUBLIC))  # type: ignore[misc]
        hashed = seconds(lambda values=values: hashlib.sha256(values.data))  # type: ignore[misc]
        yield {
            "shape": shape,
            "fragments_ms": round(1e3 * took, 2),
            "sha256_ms": round(1e3 * hashed, 2),
        }


def small() -> list[Matrix]:
    """Drawn tensors, each of another model."""
    draw = np.random.default_rng(SEED)
    shapes = [(64, 64), (32, 144), (96, 36)] * 20
    return [
        Matrix(str(place), draw.standard_normal(shape, dtype=np.float32))
        for place, shape in enumerate(shapes)
    ]


def quantized(found: list[Matrix]) -> Iterator[dict[str, Any]]:
    """A row for each way to quantize or to round."""
    for name, change in KINDS.items():
        row = {"change": name, **coincidences(found, change)}
        print(row, flush=True)
        yield row


def main() -> int:
    """Look at all of them, and write what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("families", type=Path, nargs="?", help="folder of trained networks")
    parser.add_argument("--files", type=Path, help="folder of real files, by family")
    parser.add_argument("--small", action="store_true", help="drawn tensors, nothing written")
    chosen = parser.parse_args()
    if chosen.small:
        return int(any(row["shared_kept"] for row in quantized(small())))
    if chosen.families is None:
        parser.error("give FAMILIES, or --small")
    networks = of_networks(chosen.families)
    files = networks | (of_files(chosen.files) if chosen.files else {})
    founders = {file: start for file, start in networks.items() if file.name.count(".") == 3}
    strangers = {"files": len(files), **coincidences(matrices(files), KINDS["as they are"])}
    print(strangers, flush=True)
    about = {
        "command": "python benchmarks/fragments/run.py FAMILIES --files FOLDER",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "assay": assay.__version__,
        "seed": SEED,
        "strangers": strangers,
        "changed": [*quantized([*matrices(founders)])],
        "times": [*times()],
    }
    (HERE / "results.json").write_text(json.dumps(about, indent=1) + "\n")
    shared = [strangers, *about["changed"]]
    return int(any(row["shared_kept"] for row in shared))


if __name__ == "__main__":
    sys.exit(main())
