"""How many bits differ where nothing but the input's size or the order of layers does.

python benchmarks/hash_stability/run.py            # two minutes; results.json and the tables
python benchmarks/hash_stability/run.py --small    # seconds: few networks, nothing is written
"""

from __future__ import annotations

import argparse
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np

from assay.examine import DEFAULT_HASHER
from assay.graphs.layer_labels import LayerLabels
from assay.hashers import HASHERS, Hasher
from assay.hashers.boosted_minhash import BoostedMinhash
from assay.values import Json, LayerGraph
from assay.zoo import Architecture, architectures, read_zoo
from assay.zoo.experiments import hardware, write_report

HERE = Path(__file__).parent
SEED = 3
LENGTHS = (64, 128, 256)
GOAL = 2  # bits of 64


def shuffled(graph: LayerGraph, rng: np.random.Generator) -> LayerGraph:
    """The same graph, its layers and edges listed in another order."""
    order = rng.permutation(len(graph.layers)).tolist()
    place = {old: new for new, old in enumerate(order)}
    edges = [(place[a], place[b]) for a, b in graph.edges]
    edges = [edges[i] for i in rng.permutation(len(edges)).tolist()]
    return replace(graph, layers=tuple(graph.layers[i] for i in order), edges=tuple(edges))


def orders(models: Iterable[Architecture], hasher: Hasher) -> Json:
    """Networks whose code is another one when they are listed otherwise."""
    names, other = [model.name for model in models], []
    for number, model in enumerate(models):
        rng = np.random.default_rng([SEED, number])
        if hasher(shuffled(model.graph, rng)) != hasher(model.graph):
            other.append(model.name)
    return {"networks": len(names), "other codes": other}


def resized(
    made: Sequence[Architecture], known: Mapping[str, Architecture], hashers: Sequence[Hasher]
) -> list[Json]:
    """Of each network that was traced for another input: how many bits differ, and why."""
    found = []
    for each in made:
        name, _, asked = each.name.partition(" / ")
        before = known[name].graph
        bits = [hasher(each.graph) - hasher(before) for hasher in hashers]
        row: Json = {"name": name, "family": each.family, "input": asked, "bits": bits}
        if bits[0] > GOAL:
            row["why"] = reason(before, each.graph)
        found.append(row)
    return found


def reason(before: LayerGraph, after: LayerGraph) -> str:
    """What differs between the two graphs, in words."""
    counts = [Counter(layer.op for layer in graph.layers) for graph in (before, after)]
    changed = {op: counts[1][op] - counts[0][op] for op in sorted(counts[0] | counts[1])}
    told = [f"{count:+} {op}" for op, count in changed.items() if count]
    if not told:
        facts = {
            "kernels or strides": [Counter(layer.attributes for layer in g.layers)
                                   for g in (before, after)],
            "parameters": [Counter(layer.parameters for layer in g.layers)
                           for g in (before, after)],
            "levels": [Counter(LayerLabels(g)._steps.tolist()) for g in (before, after)],
            "channels": [Counter(LayerLabels(g)._channels.tolist()) for g in (before, after)],
        }  # fmt: skip
        for name, (one, two) in facts.items():
            if one != two:
                told.append(f"{(one - two).total()} layers have other {name}")
    if len(before.edges) != len(after.edges):
        told.append(f"{len(after.edges) - len(before.edges):+} edges")
    return ", ".join(told) or "edges alone"


def tables(results: Json) -> dict[str, str]:
    """Of README.md."""
    lines = ["| | networks | families | equal | ≤ 2 bits | more | most |", "|---" * 7 + "|"]
    for asked in dict.fromkeys(row["input"] for row in results["inputs"]):
        for place, length in enumerate(LENGTHS):
            rows = [row for row in results["inputs"] if row["input"] == asked]
            bits = np.array([row["bits"][place] for row in rows])
            families = len({row["family"] for row in rows})
            cells = (len(rows), families, (bits == 0).sum(), (bits <= GOAL).sum(),
                     (bits > GOAL).sum(), bits.max())  # fmt: skip
            lines.append(f"| {asked}, {length} bits | {' | '.join(map(str, cells))} |")
    order = results["orders"]
    lines += ["", f"Listed in another order, {len(order['other codes'])} of {order['networks']}"
              " networks of the zoo have another code."]  # fmt: skip
    missed = ["| network | input | bits of 64 | what differs in the graph |", "|---|---|---|---|"]
    for row in sorted(results["inputs"], key=lambda row: -row["bits"][0]):
        if "why" in row:
            missed.append(f"| {row['name']} | {row['input']} | {row['bits'][0]} | {row['why']} |")
    return {"inputs": "\n".join(lines) + "\n", "missed": "\n".join(missed) + "\n"}


def main() -> None:
    """Compare all that was made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    started, models = monotonic(), architectures()
    known = {model.name: model for model in models}
    made = read_zoo(HERE / "graphs.jsonl.xz")
    failed = json.loads((HERE / "failed.json").read_text())
    hashers = [BoostedMinhash(bits=bits) for bits in LENGTHS]
    if options.small:
        models, made = models[::200], made[:4]
    results: Json = {
        "command": "python benchmarks/hash_stability/run.py",
        "seed": SEED,
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "schemes": [hasher.scheme for hasher in hashers],
        "orders": orders(models, HASHERS[DEFAULT_HASHER]()),
        "inputs": resized(made, known, hashers),
        "failed": failed,
    }
    results["seconds"] = round(monotonic() - started)
    for text in tables(results).values():
        print(text)
    if not options.small:
        write_report(HERE, results, tables(results))


if __name__ == "__main__":
    main()
