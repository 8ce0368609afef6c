"""Exact search beside FAISS: the k = 10 nearest of 1e6 and 1e7 codes, one query, one thread.

    pip install 'assay[bench]'                 # FAISS, for this benchmark only
    python benchmarks/search/run.py            # a minute; writes results.json beside this file
    python benchmarks/search/run.py --small    # 1e5 codes, seconds, nothing written

FAISS and every index of assay that takes arrays hold the same codes in one process and answer the
same queries in turns, A B C, C B A, A B C …, so that whatever else the machine does meets all.  A
turn is either a run of all queries, as a server is used, or a single query, so that each index
finds the caches full of the others' codes.  Codes are random.  Half of the queries have kin: 20
codes that differ in 1 to 8 bits; the others are strangers to all, which is the worst case.  Every
answer is checked: equal distances, and keys that have them.
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
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from assay.indexes import INDEXES, Index
from assay.values import HashCode

HERE = Path(__file__).parent
SEED = 0
K = 10
KIN = 20  # planted near-duplicates of a query
QUERIES = 20  # of each kind
SIZES = [(10**6, 64), (10**7, 64), (10**6, 128), (10**6, 256)]  # codes, bits
TARGETS = {"1000000 x 64", "10000000 x 64"}  # here an index is to be no slower than FAISS
BLOCKS = [2**power for power in range(13, 19)]

Answer = tuple[list[int], list[int]]  # distances, keys
Asker = Callable[[HashCode], Answer]


def plant(
    random: np.random.Generator, n: int, bits: int
) -> tuple[NDArray[np.uint8], list[HashCode], list[HashCode]]:
    """Codes (n, bits / 8) and two lists of queries: with kin among the codes, and strangers."""
    codes = random.integers(0, 256, size=(n, bits // 8), dtype=np.uint8)
    asked = random.integers(0, 256, size=(2 * QUERIES, bits // 8), dtype=np.uint8)
    places = random.choice(n, size=(QUERIES, KIN), replace=False)
    for query, rows in zip(asked, places, strict=False):
        for row in rows:
            flips = np.zeros(bits, np.uint8)
            flips[random.choice(bits, size=random.integers(1, 9), replace=False)] = 1
            codes[row] = query ^ np.packbits(flips)
    queries = [HashCode(f"random-{bits}", query.tobytes()) for query in asked]
    return codes, queries[:QUERIES], queries[QUERIES:]


class Contest:
    """FAISS and our indexes over the same codes."""

    def __init__(self, codes: NDArray[np.uint8]) -> None:
        n, width = codes.shape
        self.codes = codes
        flat = faiss.IndexBinaryFlat(8 * width)
        flat.add(codes)
        self.askers: dict[str, Asker] = {"faiss": partial(ask_flat, flat)}
        self.ours: dict[str, Any] = {}
        words = np.asfortranarray(codes.view(np.uint64))  # as the indexes themselves lay them out
        for name, kind in INDEXES.items():
            if from_arrays := getattr(kind, "from_arrays", None):
                index = from_arrays(f"random-{8 * width}", 8 * width, np.arange(n), words)
                self.ours[name] = index
                self.askers[name] = partial(ask, index)

    def run(self, queries: list[HashCode], turns: int, length: int) -> dict[str, list[float]]:
        """Milliseconds of a query for each contestant, in each of ``turns`` of ``length``."""
        times: dict[str, list[float]] = {name: [] for name in self.askers}
        for turn in range(turns):
            start = turn * length
            asked = [queries[place % len(queries)] for place in range(start, start + length)]
            answers: dict[str, list[Answer]] = {}
            for name in sorted(self.askers, reverse=turn % 2 == 0):
                answered = [timed(self.askers[name], query) for query in asked]
                times[name].append(statistics.fmean(elapsed for elapsed, _ in answered))
                answers[name] = [answer for _, answer in answered]
            for query, *theirs in zip(asked, *answers.values(), strict=True):
                self.check(query, theirs)
        return times

    def check(self, query: HashCode, answers: list[Answer]) -> None:
        """All name the same distances, and distinct keys that have them."""
        row = np.frombuffer(query.digest, np.uint8)
        for distances, keys in answers:
            found = np.bitwise_count(self.codes[keys] ^ row).sum(axis=1).tolist()
            if not (found == distances == answers[0][0]) or len(set(keys)) != K:
                raise SystemExit(f"{query}: {keys} are at {found}, not {distances}: {answers}")


def ask_flat(flat: faiss.IndexBinaryFlat, query: HashCode) -> Answer:
    """What FAISS finds."""
    distances, keys = flat.search(np.frombuffer(query.digest, np.uint8)[None], K)
    return distances[0].tolist(), keys[0].tolist()


def ask(index: Index, query: HashCode) -> Answer:
    """What an index of ours finds."""
    matches = index.search(query, K)
    return [match.distance for match in matches], [match.key for match in matches]


def timed(ask: Asker, query: HashCode) -> tuple[float, Answer]:
    """Milliseconds, and the answer."""
    start = time.perf_counter()
    answer = ask(query)
    return 1e3 * (time.perf_counter() - start), answer


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and largest, and the middle half."""
    low, median, high = statistics.quantiles(values, n=4)
    named = {"median": median, "min": min(values), "q1": low, "q3": high, "max": max(values)}
    return {name: round(value, 3) for name, value in named.items()}


def compare(
    contest: Contest, kin: list[HashCode], strangers: list[HashCode], runs: int
) -> dict[str, Any]:
    """All contestants on both kinds of queries; a ratio is that of the two times of one turn."""
    contest.run(kin[:3] + strangers[:3], 6, 1)  # warms all
    result: dict[str, Any] = {}
    for kind, queries in (("kin", kin), ("strangers", strangers)):
        for turn, turns, length in (("run", runs, QUERIES), ("query", runs * QUERIES, 1)):
            times = contest.run(queries, turns, length)
            result[f"{kind}, by {turn}"] = {
                "turns": turns,
                "queries_a_turn": length,
                "ms": {name: spread(values) for name, values in times.items()},
                "over_faiss": {
                    name: spread([x / y for x, y in zip(times[name], times["faiss"], strict=True)])
                    for name in contest.ours
                },
            }
    return result


def first_answers(contest: Contest, query: HashCode) -> dict[str, float]:
    """Milliseconds of each contestant's first answer: some make tables then."""
    return {name: round(timed(ask, query)[0], 3) for name, ask in contest.askers.items()}


def sweep(contest: Contest, queries: list[HashCode], rounds: int) -> dict[str, float]:
    """Median milliseconds of the scan for each size of its blocks, taken in turns."""
    scan = contest.ours["scan"]
    chosen = scan.block
    times: dict[str, list[float]] = {str(block): [] for block in BLOCKS}
    for query in queries * rounds:
        for block in BLOCKS:
            scan.block = block
            times[str(block)].append(timed(contest.askers["scan"], query)[0])
    scan.block = chosen
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
    """What was measured, a line a size, kind of turn and contestant: medians, least and largest."""
    lines = ["codes x bits | queries | contestant | ms | over FAISS"]
    for size, contests in measured.items():
        for kind, contest in contests["turns"].items():
            for name, ms in contest["ms"].items():
                ratio = contest["over_faiss"].get(name)
                shown = [
                    f"{c['median']:.2f} ({c['min']:.2f}-{c['max']:.2f})" if c else ""
                    for c in (ms, ratio)
                ]
                lines.append(" | ".join([size, kind, name, *shown]))
    return "\n".join(lines)


def missed(measured: dict[str, Any]) -> list[str]:
    """Where FAISS answered faster than each of our indexes, by the median ratio."""
    return [
        f"{size} ({kind})"
        for size in measured
        if size in TARGETS
        for kind, contest in measured[size]["turns"].items()
        if min(ratio["median"] for ratio in contest["over_faiss"].values()) > 1
    ]


def main() -> None:
    """Measures, prints, writes, and ends with 1 where FAISS is faster and should not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="1e5 codes, nothing written")
    small = parser.parse_args().small
    faiss.omp_set_num_threads(1)
    machine = hardware()
    measured: dict[str, Any] = {}
    for n, bits in [(10**5, 64)] if small else SIZES:
        codes, kin, strangers = plant(np.random.default_rng(SEED), n, bits)
        contest = Contest(codes)
        runs = max(4, 2 * 10**7 // n)
        measured[f"{n} x {bits}"] = {
            "first_answer_ms": first_answers(contest, strangers[0]),
            "turns": compare(contest, kin, strangers, min(20, runs)),
            "scan_ms_by_block": sweep(contest, strangers, max(1, runs // 5)),
        }
    print(table(measured))
    if not small:
        result = {
            "command": "python benchmarks/search/run.py",
            "seed": SEED,
            "k": K,
            "hardware": machine,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "faiss": importlib.metadata.version("faiss-cpu"),
            "faiss_options": faiss.get_compile_options().strip(),
            "measured": measured,
        }
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    if slower := missed(measured):
        raise SystemExit(f"FAISS is faster: {'; '.join(slower)}")


if __name__ == "__main__":
    main()
