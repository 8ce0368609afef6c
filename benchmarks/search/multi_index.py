"""Exact search, FAISS beside MultiIndex: the k = 10 nearest of 64-bit codes, one query, one thread.

    python benchmarks/search/multi_index.py            # writes multi_index.json beside this file
    python benchmarks/search/multi_index.py --small    # 1e5 codes, nothing written

The codes, kin and strangers of ``run.py``.  Both answer each query in turns; distances are checked.
The tables' making is timed apart: it is paid once, at the first search.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from run import SEED, K, plant

from assay.indexes.multi_index import MultiIndex
from assay.values import HashCode

QUERIES = 100


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and largest."""
    listed = (statistics.median(values), min(values), max(values))
    return dict(zip(("median", "min", "max"), (round(v, 3) for v in listed), strict=True))


def contest(n: int) -> dict[str, Any]:
    """Milliseconds of both, and their ratio, for kin and for strangers."""
    codes, kin, strangers = plant(np.random.default_rng(SEED), n, 64, QUERIES)
    flat = faiss.IndexBinaryFlat(64)
    flat.add(codes)
    scheme = kin[0].scheme
    index = MultiIndex.from_arrays(scheme, 64, np.arange(n), codes.view(np.uint64))
    start = time.perf_counter()
    index.search(kin[0], K)
    result: dict[str, Any] = {"first_search_s": round(time.perf_counter() - start, 3)}
    for name, queries in (("kin", kin), ("strangers", strangers)):
        times: dict[str, list[float]] = {"faiss_ms": [], "multi_index_ms": []}
        for query in queries:
            row = np.frombuffer(query.digest, np.uint8)[None]
            start = time.perf_counter()
            distances, _ = flat.search(row, K)
            between = time.perf_counter()
            matches = index.search(query, K)
            end = time.perf_counter()
            assert [m.distance for m in matches] == sorted(distances[0].tolist())
            times["faiss_ms"].append(1e3 * (between - start))
            times["multi_index_ms"].append(1e3 * (end - between))
        ratios = [b / a for a, b in zip(*times.values(), strict=True)]
        result[name] = {key: spread(values) for key, values in times.items()}
        result[name]["multi_index_over_faiss"] = spread(ratios)
    return result


def main() -> None:
    """Measures, prints, and writes unless ``--small``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true")
    small = parser.parse_args().small
    faiss.omp_set_num_threads(1)
    warm = HashCode("warm", bytes(8))
    MultiIndex().search(warm, 1)
    result = {
        "command": "python benchmarks/search/multi_index.py",
        "seed": SEED,
        "k": K,
        "queries": QUERIES,
        "cores": os.cpu_count(),
        "numpy": np.__version__,
        "faiss": faiss.__version__,
        "faiss_options": faiss.get_compile_options().strip(),
        "measured": {str(n): contest(n) for n in ([10**5] if small else [10**6, 10**7])},
    }
    print(json.dumps(result, indent=1))
    if not small:
        Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
