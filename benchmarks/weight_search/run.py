"""Search by tensors beside a full scan: 1e5 models of 100 tensors, in four kinds of registry.

    python benchmarks/weight_search/run.py --work FOLDER           # an hour; writes results.json
    python benchmarks/weight_search/run.py --work FOLDER --small   # 2,000 models, seconds, shown

Codes are random bits; a suspect has some tensors of one model, each so many bits away, and its
other tensors are strangers to all.  The full scan looks at every code of the suspect's kinds with
the same code, and both answer the same questions in turns.  Times are those of the processor, one
core, so that what else the machine does counts little.  A kind of registry that was measured is
kept in FOLDER, so that a run goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.sketches import bands, tables
from assay.sketches.kinds import Asked, Codes, evidence
from assay.sketches.table_files import opened, write
from assay.sketches.tables import Table

HERE = Path(__file__).parent
SEED = 0
TENSORS = 100
DISTANCES = (0, 8, 20, 40, 64, 85)  # bits; 85: a cosine of 1/2
SHARED = (1, 3, 10, 100)
COUNT = 200  # models that are asked for
EVIDENCE = evidence(("code", (64, 576), 1))  # of all codes here: a convolution of middle size
QUERIES = {  # of each cell: by tables, and of those the first ones by a full scan, too
    "mixed architectures": (20, 5),
    "one architecture, 20 shapes": (20, 3),
    "one architecture, one shape": (10, 1),  # where ten tensors are shared: a scan takes long
    "fine-tunes of one base": (10, 2),
}

Words = NDArray[np.uint64]
Tensors = list[list[Asked]]


class World:
    """A registry's codes, and suspects."""

    def __init__(self, name: str, models: int, path: Path) -> None:
        self.random = np.random.default_rng([SEED, *name.encode()])
        self.crowded = name == "fine-tunes of one base"
        self.kinds = self._kinds(name, models)  # (models, TENSORS)
        words = self.random.integers(0, 2**64, (models, TENSORS, 4), np.uint64)
        if self.crowded:
            base = self.random.integers(0, 2**64, (TENSORS, 4), np.uint64)
            for model, own in enumerate(words):
                words[model] = base ^ own & self._sparse(TENSORS, 3)  # 1 bit of 16 differs
        keys = np.repeat(np.arange(models), TENSORS)
        start = time.process_time()
        table = Table.of(Codes(self.kinds.reshape(-1), words.reshape(-1, 4), keys))
        built = time.process_time() - start
        start = time.process_time()
        write(path, table, {})
        self.facts = {
            "models": models,
            "codes": words.size // 4,
            "kinds": len(table.kinds),
            "largest_kind": int(np.diff(table.starts).max()),
            "build_s": round(built, 1),
            "write_s": round(time.process_time() - start, 1),
            "file_bytes": path.stat().st_size,
            "file_bytes_per_code": round(path.stat().st_size / (words.size / 4), 1),
        }
        self.words = words
        self.table = opened(path)[0]

    def _kinds(self, name: str, models: int) -> NDArray[np.uint64]:
        if name == "mixed architectures":  # few are popular, and so are few shapes
            designs = max(models // 50, 1)
            shapes = np.minimum(self.random.zipf(1.3, (designs, TENSORS)), 5_000)
            chosen = np.minimum(self.random.zipf(1.3, models), designs) - 1
            return shapes[chosen].astype(np.uint64)
        shapes = np.arange(TENSORS) % (1 if name.endswith("one shape") else 20)
        return np.tile(shapes.astype(np.uint64), (models, 1))

    def _sparse(self, count: int, times: int) -> Words:
        """Codes of which each bit is set with probability 2^-times."""
        drawn = self.random.integers(0, 2**64, (times, count, 4), np.uint64)
        return np.bitwise_and.reduce(drawn)

    def suspect(self, model: int, distance: int, shared: int) -> Tensors:
        """What has so many tensors of a model, and the rest from nowhere."""
        words = self.random.integers(0, 2**64, (TENSORS, 4), np.uint64)
        for place in self.random.choice(TENSORS, shared, replace=False).tolist():
            mask = np.zeros(256, np.uint8)
            mask[self.random.choice(256, distance, replace=False)] = 1
            words[place] = self.words[model, place] ^ np.packbits(mask).view(np.uint64)
        kinds = self.kinds[model]
        return [[Asked(kind, code, EVIDENCE)] for kind, code in zip(kinds, words, strict=True)]


@contextmanager
def full_scan() -> Iterator[None]:
    """No kind has bands, and nothing bounds what is looked at."""
    before = bands.SCANNED, tables.SEEN
    bands.SCANNED, tables.SEEN = 2**62, 2**62
    try:
        yield
    finally:
        bands.SCANNED, tables.SEEN = before


def timed(table: Table, tensors: Tensors) -> tuple[float, list[int]]:
    """Milliseconds of the processor, and the keys of what was found, best first."""
    start = time.process_time()
    found = table.search(tensors, COUNT)
    return 1e3 * (time.process_time() - start), [key for _, key in found]


def cell(world: World, distance: int, shared: int, queries: tuple[int, int]) -> dict[str, Any]:
    """How often the model is found, and how long that takes, by tables and by a full scan."""
    ranks: dict[str, list[int]] = {"tables": [], "full scan": []}
    times: dict[str, list[float]] = {"tables": [], "full scan": []}
    for number in range(queries[0]):
        model = int(world.random.integers(len(world.words)))
        tensors = world.suspect(model, distance, shared)
        for judge in ("tables", "full scan")[: 1 + (number < queries[1])]:
            with full_scan() if judge == "full scan" else contextmanager(lambda: (yield))():
                elapsed, keys = timed(world.table, tensors)
            times[judge].append(elapsed)
            ranks[judge].append(keys.index(model) + 1 if model in keys else 0)
    found_by_scan = [(a, b) for a, b in zip(ranks["tables"], ranks["full scan"], strict=False) if b]
    return {
        "distance": distance,
        "shared": shared,
        "queries": queries,
        "first": share(ranks["tables"], 1),
        "within_200": share(ranks["tables"], COUNT),
        "full_scan_first": share(ranks["full scan"], 1),
        "full_scan_within_200": share(ranks["full scan"], COUNT),
        "of_those_the_full_scan_finds": share([a for a, _ in found_by_scan], COUNT),
        "ms": {judge: spread(values) for judge, values in times.items()},
    }


def scans(name: str, shared: int, most: int) -> int:
    """Full scans of a cell: in the largest kind they take long."""
    return most if shared == 10 or not name.endswith("one shape") else 0


def share(ranks: list[int], worst: int) -> float | None:
    """Of the queries whose model has that rank, or a better one."""
    if not ranks:
        return None
    return round(sum(0 < rank <= worst for rank in ranks) / len(ranks), 3)


def spread(values: list[float]) -> dict[str, float] | None:
    """Median, least, largest."""
    if not values:
        return None
    named = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, 1) for name, value in named.items()}


def one_shot(path: Path, tensors: Tensors, cold: bool) -> dict[str, float]:
    """A process that opens the file, asks once and ends: milliseconds and MB."""
    asked = path.with_suffix(".npz")
    words = np.stack([each[0].words for each in tensors])
    np.savez(asked, kinds=np.array([each[0].kind for each in tensors]), words=words)
    if cold:
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [sys.executable, __file__, "--ask", str(path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout))


def ask(path: Path) -> None:
    """What ``one_shot`` starts."""
    asked = np.load(path.with_suffix(".npz"))
    before = resident()
    tensors = [
        [Asked(kind, code, EVIDENCE)]
        for kind, code in zip(asked["kinds"], asked["words"], strict=True)
    ]
    start = time.perf_counter()
    table, _, _ = opened(path)
    open_ms = 1e3 * (time.perf_counter() - start)
    table.search(tensors, COUNT)
    elapsed = 1e3 * (time.perf_counter() - start) - open_ms
    more = round((resident() - before) / 1e6, 1)  # pages of the file that were looked at, too
    print(json.dumps({"open_ms": round(open_ms, 2), "search_ms": round(elapsed, 1), "mb": more}))


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def measured(name: str, work: Path, small: bool) -> dict[str, Any]:
    """All figures of one kind of registry."""
    path, models = work / f"{name}.table", 2_000 if small else 100_000
    queries = (2, 1) if small else QUERIES[name]
    try:
        world = World(name, models, path)
        cells = [
            cell(world, distance, shared, (queries[0], scans(name, shared, queries[1])))
            for distance in (DISTANCES[:3] if world.crowded else DISTANCES)[:: 2 if small else 1]
            for shared in SHARED[:: 3 if small else 1]
        ]
        suspect, facts = world.suspect(models // 2, 8, TENSORS), world.facts
        del world  # what a process has mapped stays in memory
        shots = {f"cold {cold}": one_shot(path, suspect, cold) for cold in (True, False, False)}
    finally:
        path.unlink(missing_ok=True)
        path.with_suffix(".npz").unlink(missing_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {**facts, "one_shot": shots, "peak_gb": round(peak, 2), "cells": cells}


def once(kept: Path, measure: Callable[[], Any]) -> Any:
    """What was measured, now or by an earlier run."""
    if not kept.exists():
        kept.write_text(json.dumps(measure()))
        print(kept, kept.read_text(), sep="\n", flush=True)
    return json.loads(kept.read_text())


def growth(work: Path) -> list[dict[str, Any]]:
    """How times grow with the codes of one shape; ten tensors of a suspect are 40 bits away."""
    name, path = "one architecture, one shape", work / "growth.table"
    found = []
    for models in (2_000, 6_000, 20_000, 60_000):
        try:
            world = World(name, models, path)
            found.append({"codes": models * TENSORS, **cell(world, 40, 10, (10, 3))})
        finally:
            path.unlink(missing_ok=True)
    return found


def main() -> None:
    """Measure what was not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="a folder for 2 GB, and for what is done")
    parser.add_argument("--small", action="store_true", help="2,000 models, nothing kept")
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=[*QUERIES], help="one kind of registry")
    options = parser.parse_args()
    if options.ask:
        ask(options.ask)
        return
    if options.small:
        for name in [options.only] if options.only else QUERIES:
            print(name, json.dumps(measured(name, options.work, small=True)), sep="\n", flush=True)
        return
    worlds = {
        name: once(
            options.work / f"{name}.json", partial(measured, name, options.work, small=False)
        )
        for name in ([options.only] if options.only else QUERIES)
    }
    if options.only:
        return
    grown = once(options.work / "growth.json", partial(growth, options.work))
    about = {
        "command": "python benchmarks/weight_search/run.py",
        "seed": SEED,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}, NumPy {np.__version__}",
        "growth": grown,
        "worlds": worlds,
    }
    (HERE / "results.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
