"""Exact search, FAISS beside Scan: the k = 10 nearest of 1e6 and 1e7 codes, one query, one thread.

    pip install 'assay[bench]'                 # FAISS, for this benchmark only
    python benchmarks/search/run.py            # a few minutes; writes results.json beside this file
    python benchmarks/search/run.py --small    # 1e5 codes, seconds, nothing written

Both hold the same codes in one process and answer the same queries in turns, A B, B A, A B …, so
that whatever else the machine does meets both.  A turn is either a run of all queries, as a server
is used, or a single query, so that each index finds the caches full of the other's codes.  Codes
are random.  Half of the queries have kin: 20 codes that differ in 1 to 8 bits, so that the bound
falls at once; the others are strangers to all, which is the worst case.  Every answer is checked:
equal distances, and keys that have them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from assay.indexes.scan import Scan
from assay.values import HashCode

HERE = Path(__file__).parent
SEED = 0
K = 10
KIN = 20  # planted near-duplicates of a query
SIZES = [(10**6, 64), (10**7, 64), (10**6, 128), (10**6, 256)]  # codes, bits
TARGETS = {"1000000 x 64", "10000000 x 64"}  # here Scan is to be no slower than FAISS
ORDER = [f"{kind}, by {turn}" for kind in ("kin", "strangers") for turn in ("run", "query")]
BLOCKS = [2**power for power in range(13, 19)]


def plant(
    random: np.random.Generator, n: int, bits: int, queries: int
) -> tuple[np.ndarray, list[HashCode], list[HashCode]]:
    """Codes (n, bits / 8) and two lists of queries: with kin among the codes, and strangers."""
    codes = random.integers(0, 256, size=(n, bits // 8), dtype=np.uint8)
    asked = random.integers(0, 256, size=(2 * queries, bits // 8), dtype=np.uint8)
    places = random.choice(n, size=(queries, KIN), replace=False)
    for query, rows in zip(asked, places, strict=False):
        for row in rows:
            flips = np.zeros(bits, np.uint8)
            flips[random.choice(bits, size=random.integers(1, 9), replace=False)] = 1
            codes[row] = query ^ np.packbits(flips)
    queries_of = [HashCode(f"random-{bits}", query.tobytes()) for query in asked]
    return codes, queries_of[:queries], queries_of[queries:]


@dataclass
class Times:
    """Milliseconds of a query, turn by turn."""

    faiss: list[float] = field(default_factory=list)
    scan: list[float] = field(default_factory=list)


class Contest:
    """The two indexes over the same codes, and the milliseconds that each answer took."""

    def __init__(self, codes: np.ndarray) -> None:
        n, width = codes.shape
        self.codes = codes
        self.faiss = faiss.IndexBinaryFlat(8 * width)
        self.faiss.add(codes)
        words = np.asfortranarray(codes.view(np.uint64))  # as Scan itself lays them out
        self.scan = Scan.from_arrays(f"random-{8 * width}", 8 * width, np.arange(n), words)

    def ask_faiss(self, query: HashCode) -> tuple[list[int], list[int]]:
        """Distances and keys."""
        row = np.frombuffer(query.digest, np.uint8)[None]
        distances, keys = self.faiss.search(row, K)
        return distances[0].tolist(), keys[0].tolist()

    def ask_scan(self, query: HashCode) -> tuple[list[int], list[int]]:
        """Distances and keys."""
        matches = self.scan.search(query, K)
        return [match.distance for match in matches], [match.key for match in matches]

    def check(self, query: HashCode, distances: list[int], keys: list[int]) -> None:
        """The keys are distinct and have these distances."""
        word = np.frombuffer(query.digest, np.uint8)
        found = np.bitwise_count(self.codes[keys] ^ word).sum(axis=1).tolist()
        if found != distances or len(set(keys)) != K:
            raise SystemExit(f"wrong answer to {query}: {keys} are at {found}, not {distances}")

    def run(self, queries: list[HashCode], turns: int, length: int) -> Times:
        """Milliseconds of a query, by FAISS and by Scan, in each of ``turns`` of ``length``."""
        times = Times()
        for turn in range(turns):
            start = turn * length
            asked = [queries[place % len(queries)] for place in range(start, start + length)]
            contestants = [(times.faiss, self.ask_faiss), (times.scan, self.ask_scan)]
            answers = []
            for column, ask in contestants if turn % 2 else reversed(contestants):
                answered = [timed(ask, query) for query in asked]
                column.append(statistics.fmean(elapsed for elapsed, _ in answered))
                answers.append([answer for _, answer in answered])
            for query, one, other in zip(asked, *answers, strict=True):
                self.check(query, *one)
                self.check(query, *other)
                if one[0] != other[0]:
                    raise SystemExit(f"{query}: {one[0]} and {other[0]}")
        return times


def timed(ask: Callable[[HashCode], Any], query: HashCode) -> tuple[float, Any]:
    """Milliseconds, and the answer."""
    start = time.perf_counter()
    answer = ask(query)
    return 1e3 * (time.perf_counter() - start), answer


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and largest, and the middle half."""
    low, median, high = statistics.quantiles(values, n=4)
    named = {"median": median, "min": min(values), "q1": low, "q3": high, "max": max(values)}
    return {name: round(value, 3) for name, value in named.items()}


def compare(contest: Contest, kin: list[HashCode], strangers: list[HashCode], runs: int) -> Any:
    """Both indexes on both kinds of queries; a ratio is that of the two times of one turn."""
    contest.run(kin[:3] + strangers[:3], 6, 1)  # warms both
    result: dict[str, Any] = {}
    for kind, queries in (("kin", kin), ("strangers", strangers)):
        for turn, turns, length in (
            ("run", runs, len(queries)),
            ("query", runs * len(queries), 1),
        ):
            times = contest.run(queries, turns, length)
            ratios = [scan / other for other, scan in zip(times.faiss, times.scan, strict=True)]
            result[f"{kind}, by {turn}"] = {
                "turns": turns,
                "queries_a_turn": length,
                "faiss_ms": spread(times.faiss),
                "scan_ms": spread(times.scan),
                "scan_over_faiss": spread(ratios),
            }
    return result


def sweep(contest: Contest, queries: list[HashCode], rounds: int) -> dict[str, float]:
    """Median milliseconds of Scan for each size of its blocks, taken in turns."""
    chosen = contest.scan.block
    times: dict[str, list[float]] = {str(block): [] for block in BLOCKS}
    for query in queries * rounds:
        for block in BLOCKS:
            contest.scan.block = block
            times[str(block)].append(timed(contest.ask_scan, query)[0])
    contest.scan.block = chosen
    return {block: round(statistics.median(values), 3) for block, values in times.items()}


def hardware() -> dict[str, Any]:
    """Processor, its caches, and how busy the machine is."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    caches = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "caches": [
            f"L{(cache / 'level').read_text().strip()} {(cache / 'size').read_text().strip()}"
            for cache in caches
        ],
        "load_average_1min": round(os.getloadavg()[0], 2),
    }


def table(measured: dict[str, Any]) -> str:
    """What was measured, a line a size and kind of turn: medians, least and largest."""
    columns = ("faiss_ms", "scan_ms", "scan_over_faiss")
    lines = [f"{'codes x bits':>14} {'queries':>20}" + "".join(f"{name:>22}" for name in columns)]
    for size, contests in measured.items():
        for kind in ORDER:
            cells = [contests[kind][name] for name in columns]
            shown = [f"{c['median']:.2f} ({c['min']:.2f}-{c['max']:.2f})" for c in cells]
            lines.append(f"{size:>14} {kind:>20}" + "".join(f"{cell:>22}" for cell in shown))
    return "\n".join(lines)


def main() -> None:
    """Measures, prints, writes, and fails where Scan is slower than FAISS and should not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="1e5 codes, nothing written")
    small = parser.parse_args().small
    faiss.omp_set_num_threads(1)
    result: dict[str, Any] = {
        "command": "python benchmarks/search/run.py",
        "seed": SEED,
        "k": K,
        "hardware": hardware(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "faiss": importlib.metadata.version("faiss-cpu"),
        "faiss_options": faiss.get_compile_options().strip(),
    }
    measured: dict[str, Any] = {}
    for n, bits in [(10**5, 64)] if small else SIZES:
        random = np.random.default_rng(SEED)
        codes, kin, strangers = plant(random, n, bits, queries=20)
        contest = Contest(codes)
        runs = max(4, 2 * 10**7 // n)
        measured[f"{n} x {bits}"] = {
            **compare(contest, kin, strangers, runs),
            "scan_ms_by_block": sweep(contest, strangers, max(1, runs // 5)),
        }
    result["measured"] = measured
    print(table(measured))
    if not small:
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps({key: value for key, value in result.items() if key != "measured"}))
    missed = [
        f"{size} ({kind})"
        for size in sorted(TARGETS & measured.keys())
        for kind in ORDER
        if measured[size][kind]["scan_over_faiss"]["median"] > 1
    ]
    if missed:
        raise SystemExit(f"Scan is slower than FAISS: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
