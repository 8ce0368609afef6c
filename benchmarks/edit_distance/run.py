"""How close and how fast the bounds of the edit distance are, on torchvision's networks.

    export PYTHONPATH=src:tests                       # the tests read the networks
    python benchmarks/edit_distance/run.py            # some minutes; writes results.json
    python benchmarks/edit_distance/run.py --small    # a few pairs, seconds, nothing written

Pairs are copies of the zoo fixtures' networks without a random tenth of their layers, as in
HNN-Net: two of one network with the gaps left open (*same*) or bridged (*bridged*), and of two
networks (*other*).  One process, processor time, graphs prepared before.  Beside them networkx:
its exact distance at the sizes where it ends, and the best that it finds in some seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import scipy
from zoo_graphs import operators

from assay.graphs import layer_graph
from assay.graphs._edit_bounds import branch_bound, label_bound
from assay.graphs.edit_distance import PreparedGraph, edit_distance
from assay.graphs.mutations import delete_layers
from assay.values import Layer, LayerGraph

HERE = Path(__file__).parent
SEED = 0
NETWORKS = (  # those of HNN-Net's 21 that the fixtures hold
    "alexnet", "densenet121", "densenet169", "mnasnet0_75", "mnasnet1_0", "mobilenet_v2",
    "resnet18", "resnet34", "resnet101", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0",
    "squeezenet1_0", "squeezenet1_1", "vgg11", "vgg13", "vgg16_bn", "googlenet",
    "inception_v3",
)  # fmt: skip
DATASET_PAIRS = 14_028  # of HNN-Net's training set: 21 networks, 8 copies each
SAME_PAIRS = 588  # of them of one network
CAP = 11
RAW: tuple[str, ...] = ()  # no blocks merged


def measured_by(
    function: Callable[[], Any], clock: Callable[[], float] = time.process_time
) -> tuple[Any, float]:
    """What a call gives, and its milliseconds: of the processor, whatever else it does."""
    start = clock()
    result = function()
    return result, 1e3 * (clock() - start)


def spread(values: list[float]) -> dict[str, float]:
    """Median, quartiles and extremes."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    named = {"min": min(values), "q1": low, "median": middle, "q3": high, "max": max(values)}
    return {name: round(float(value), 4) for name, value in named.items()}


def pairs_of(
    graphs: dict[str, LayerGraph], kind: str, count: int, rng: np.random.Generator
) -> Iterator[tuple[LayerGraph, LayerGraph, list[int] | None]]:
    """Two thinned copies, and the lineage where they are of one network."""
    names = list(graphs)
    for turn in range(count):
        first = second = names[turn % len(names)]
        if kind == "other":
            first, second = rng.choice(names, 2, replace=False)
        bridge = kind == "bridged"
        a, kept = delete_layers(graphs[first], 0.1, rng, bridge=bridge)
        b, others = delete_layers(graphs[second], 0.1, rng, bridge=bridge)
        place = {old: new for new, old in enumerate(others)}
        yield a, b, None if kind == "other" else [place.get(old, -1) for old in kept]


def bounds(
    graphs: dict[str, LayerGraph], kind: str, count: int, rng: np.random.Generator
) -> list[dict[str, float]]:
    """A row for each pair."""
    rows = []
    for a, b, lineage in pairs_of(graphs, kind, count, rng):
        (first, second), preparing = measured_by(lambda a=a, b=b: [*map(PreparedGraph.of, (a, b))])
        lower, lower_ms = measured_by(
            lambda x=first, y=second: max(label_bound(x, y), branch_bound(x, y))
        )
        found, ms = measured_by(lambda x=first, y=second: edit_distance(x, y))
        _, limit_ms = measured_by(lambda x=first, y=second: edit_distance(x, y, limit=CAP))
        row = {
            "layers": (len(a.layers) + len(b.layers)) / 2,
            "prepare_ms": preparing / 2,
            "lower_ms": lower_ms,
            "ms": ms,
            "limit_ms": limit_ms,
            "lower": found.normalized[0],
            "upper": found.normalized[1],
            "gap": (found.upper - found.lower) / found.size,
            "exact": found.exact,
            "undecided": found.undecided(CAP),
        }
        assert lower <= found.upper
        if lineage is not None:
            known = edit_distance(first, second, lineage=lineage)
            row["upper_by_lineage"] = known.upper / known.size
        rows.append(row)
    return rows


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Each column's spread, or its share."""
    shares = {"exact", "undecided"}
    result: dict[str, Any] = {"pairs": len(rows)}
    for name in rows[0]:
        values = [row[name] for row in rows]
        result[name] = round(statistics.mean(values), 4) if name in shares else spread(values)
    return result


def by_size(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Milliseconds by the mean number of layers of a pair."""
    edges = (0, 50, 100, 200, 400, 1000)
    result = {}
    for low, high in pairwise(edges):
        times = [row["ms"] for row in rows if low <= row["layers"] < high]
        if times:
            result[f"{low}-{high}"] = {"pairs": len(times), **spread(times)}
    return result


def random_graph(n: int, rng: np.random.Generator) -> LayerGraph:
    """A chain of three operators with n / 4 shortcuts."""
    edges = {(i, i + 1) for i in range(n - 1)}
    loose = [pair for pair in combinations(range(n), 2) if pair not in edges]
    edges |= {loose[i] for i in rng.choice(len(loose), n // 4, replace=False)}
    ops = rng.choice(["Conv", "Relu", "Add"], n)
    return LayerGraph(tuple(Layer(str(op), None) for op in ops), tuple(sorted(edges)), "g1")


def as_networkx(graph: LayerGraph) -> nx.Graph:
    """The undirected graph that networkx compares."""
    result = nx.Graph()
    result.add_nodes_from((i, {"op": layer.op}) for i, layer in enumerate(graph.layers))
    result.add_edges_from(graph.edges)
    return result


def same_op(a: dict[str, str], b: dict[str, str]) -> bool:
    """Whether two layers count as equal."""
    return a["op"] == b["op"]


def exact_beside_networkx(sizes: list[int], count: int, patience: float) -> dict[str, Any]:
    """Milliseconds of the exact distance, and how many of networkx's searches ended in time."""
    rng, result = np.random.default_rng(SEED), {}
    for n in sizes:
        ours, theirs, ended, solved = [], [], 0, 0
        for _ in range(count):
            a, b = random_graph(n, rng), random_graph(n, rng)
            found, ms = measured_by(lambda a=a, b=b: edit_distance(a, b))
            ours.append(ms)
            solved += found.exact
            sides = as_networkx(a), as_networkx(b)
            judged, ms = measured_by(
                lambda sides=sides: nx.graph_edit_distance(
                    *sides, node_match=same_op, timeout=patience
                ),
                time.perf_counter,  # which is what it is stopped by
            )
            theirs.append(ms)
            if ms < 1e3 * patience:  # else what it had by then
                ended += 1
                assert found.lower <= judged <= found.upper
        result[str(n)] = {
            "pairs": count,
            "assay_exact": solved,
            "assay_ms": spread(ours),
            "networkx_exact": ended,
            "networkx_ms": spread(theirs),
        }
    return result


def upper_beside_networkx(graphs: dict[str, LayerGraph], seconds: float) -> dict[str, Any]:
    """Upper bounds: ours, and networkx's best within some seconds."""
    rng, result = np.random.default_rng(SEED), {}
    for name in ("alexnet", "vgg13", "resnet18", "squeezenet1_0", "mobilenet_v2"):
        a, b = (delete_layers(graphs[name], 0.1, rng)[0] for _ in range(2))
        found, ms = measured_by(lambda a=a, b=b: edit_distance(a, b))
        sides = as_networkx(a), as_networkx(b)
        judged = nx.graph_edit_distance(*sides, node_match=same_op, timeout=seconds)
        result[name] = {
            "layers": [len(a.layers), len(b.layers)],
            "assay": [found.lower, found.upper],
            "assay_ms": round(ms, 2),
            "networkx": None if judged is None else int(judged),
        }
    return result


def exact_copies(graphs: dict[str, LayerGraph], count: int) -> dict[str, Any]:
    """The exact search on pairs of copies of one small network: how many it solves, how fast."""
    rng, result = np.random.default_rng(SEED), {}
    for name in ("alexnet", "vgg11", "vgg13", "vgg16_bn", "resnet18"):
        times, before, solved, open_before, still_open = [], 0, 0, 0, 0
        for _ in range(count):
            a, b = (delete_layers(graphs[name], 0.1, rng)[0] for _ in range(2))
            bounds = edit_distance(a, b)
            found, ms = measured_by(lambda a=a, b=b: edit_distance(a, b, exact_up_to=60))
            times.append(ms)
            before += bounds.exact
            solved += found.exact
            open_before += bounds.undecided(CAP)
            still_open += found.undecided(CAP)
        result[name] = {
            "layers": len(graphs[name].layers),
            "pairs": count,
            "exact_by_bounds": before,
            "exact": solved,
            "undecided_by_bounds": open_before,
            "undecided": still_open,
            "ms": spread(times),
        }
    return result


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    """Measures, prints and, unless small, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few pairs, nothing written")
    small = parser.parse_args().small
    count = 10 if small else 150
    load = round(os.getloadavg()[0], 2)
    measured: dict[str, Any] = {}
    for rules in ("raw", "merged"):
        made = {
            name: layer_graph(operators(name), RAW)
            if rules == "raw"
            else layer_graph(operators(name))
            for name in NETWORKS
        }
        rng = np.random.default_rng(SEED)
        kinds = {kind: bounds(made, kind, count, rng) for kind in ("same", "bridged", "other")}
        same, other = (statistics.mean(row["ms"] for row in kinds[k]) for k in ("same", "other"))
        dataset_ms = SAME_PAIRS * same + (DATASET_PAIRS - SAME_PAIRS) * other
        measured[rules] = {
            "mean_layers": round(statistics.mean(len(g.layers) for g in made.values()), 1),
            **{kind: summary(rows) for kind, rows in kinds.items()},
            "ms_by_layers": by_size([row for rows in kinds.values() for row in rows]),
            "dataset_seconds": round(dataset_ms / 1e3, 1),
            "exact_copies": exact_copies(made, 2 if small else 10),
        }
        if rules == "raw":
            measured["upper_beside_networkx"] = upper_beside_networkx(made, 0.2 if small else 5)
    sizes = [4, 6] if small else [4, 6, 8, 10]
    measured["exact_beside_networkx"] = exact_beside_networkx(sizes, 3 if small else 10, 5.0)
    result = {
        "command": "PYTHONPATH=src:tests python benchmarks/edit_distance/run.py",
        "seed": SEED,
        "hardware": {"processor": processor(), "cores": os.cpu_count(), "load_average_1min": load},
        "python": platform.python_version(),
        "versions": {m.__name__: m.__version__ for m in (np, scipy, nx)},
        "measured": measured,
    }
    print(json.dumps(result, indent=1))
    if not small:
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
