"""How the time of one code grows with the layers of a graph, up to 20,000 of them.

    python benchmarks/hash/scaling.py            # writes scaling.json beside this file
    python benchmarks/hash/scaling.py --small    # few layers, nothing is written

Graphs are copies of a network of the zoo, one behind the other, cut off after so many layers.
Times are those of the process's own computing, the least of several runs, one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from assay.examine import DEFAULT_HASHER
from assay.hashers import HASHERS
from assay.values import Json, LayerGraph
from assay.zoo import architectures
from assay.zoo.experiments import hardware

HERE = Path(__file__).parent
NETWORKS = ("resnet50", "efficientnet_b0", "densenet121", "timm/vit_base_patch16_clip_224")
LAYERS = (200, 1_000, 5_000, 20_000)
TARGETS = {"ms_at_200_layers": 5.0, "times_per_layer": 2.0}


def lengthened(graph: LayerGraph, layers: int) -> LayerGraph:
    """Copies of a graph, one behind the other, cut off after so many layers."""
    n = len(graph.layers)
    ends = sorted({*range(n)} - {a for a, _ in graph.edges})
    starts = sorted({*range(n)} - {b for _, b in graph.edges})
    edges = []
    for first in range(0, layers, n):
        edges += [(first + a, first + b) for a, b in graph.edges]
        edges += [(first - n + a, first + b) for a in ends for b in starts if first]
    kept = tuple(sorted((a, b) for a, b in edges if a < layers and b < layers))
    repeated = graph.layers * (layers // n + 1)
    return replace(graph, layers=repeated[:layers], edges=kept)


def milliseconds(graph: LayerGraph, runs: int) -> float:
    """Of one code; of another graph each time, for a hasher may remember the last one."""
    hasher, best = HASHERS[DEFAULT_HASHER](), float("inf")
    for run in range(-1, runs):
        last = replace(graph.layers[-1], macs=run + 1)
        asked = replace(graph, layers=(*graph.layers[:-1], last))
        started = time.process_time()
        hasher(asked)
        best = min(best, time.process_time() - started)
    return round(1000 * best, 2)


def main() -> None:
    """Measure, print, write, and fail where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    sizes = LAYERS[:2] if options.small else LAYERS
    runs = 2 if options.small else 7
    known = {model.name: model.graph for model in architectures()}
    found: dict[str, list[float]] = {
        name: [milliseconds(lengthened(known[name], size), runs) for size in sizes]
        for name in NETWORKS
    }
    at_200 = float(np.median([times[0] for times in found.values()]))
    growth = [(times[-1] / sizes[-1]) / (times[0] / sizes[0]) for times in found.values()]
    result: Json = {
        "command": "python benchmarks/hash/scaling.py",
        "hasher": HASHERS[DEFAULT_HASHER]().scheme,
        "hardware": hardware(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "layers": sizes,
        "ms": found,
        "ms_at_200_layers": at_200,
        "times_per_layer": round(max(growth), 2),
        "targets": TARGETS,
    }
    print(json.dumps(result, indent=1))
    if not options.small:
        (HERE / "scaling.json").write_text(json.dumps(result, indent=1) + "\n")
        missed = [name for name, target in TARGETS.items() if result[name] > target]
        if missed:
            raise SystemExit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
