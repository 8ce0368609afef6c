"""How well hashers find models of families that no network has been trained on.

    python benchmarks/retrieval/run.py          # about 10 minutes on one core
    python benchmarks/retrieval/run.py --small  # a minute: few epochs, for a look

The zoo's families are parted: of each ten, seven train ``contrastive-gin`` and three are only asked
for.  A query is a network without a tenth of its layers, with the gaps left open or bridged.  The
database is the whole zoo.  "Model": the same network is to come first.  "Family": another of its
family, the network itself left out.  Ties are averaged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from assay.graphs.mutations import delete_layers
from assay.hashers import HASHERS, Hasher
from assay.trainers import TRAINERS, Sample, train
from assay.trainers._folder import Source, distinct
from assay.values import LayerGraph
from assay.zoo import architectures
from assay.zoo.retrieval import average_precision, bit_entropy, distinct_codes, hamming

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
DELETED = 0.1
COPIES = 2  # queries of each network and kind


def main() -> None:
    """Train, ask, and write the result file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--small", action="store_true", help="few epochs, one seed, no result file")
    small = parser.parse_args().small
    models = distinct([Source(a.name, a.family, a.graph) for a in architectures()]).models
    asked = [model for model in models if held_out(model.category)]
    rows = []
    for seed in SEEDS[:1] if small else SEEDS:
        rows += measure(models, asked, seed, epochs=3 if small else 100)
    result = {
        "command": "python benchmarks/retrieval/run.py",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "networks": len(models),
        "asked": len(asked),
        "families": len({model.category for model in models}),
        "families asked": len({model.category for model in asked}),
        "runs": rows,
        "mean": means(rows),
    }
    for name, row in result["mean"].items():  # type: ignore[attr-defined]
        print(name, row)
    if not small:
        text = json.dumps(result, indent=1, ensure_ascii=False)
        (HERE / "results.json").write_text(text + "\n")


def held_out(family: str) -> bool:
    """Whether a family is asked for and not trained on: decided by its name alone."""
    return int(sha256(family.encode()).hexdigest(), 16) % 10 < 3


def measure(
    models: list[Source], asked: list[Source], seed: int, epochs: int
) -> list[dict[str, Any]]:
    """One seed's rows: of the training, its network, and the queries."""
    samples = [
        Sample(model.path, model.category, model.graph)
        for model in models
        if not held_out(model.category)
    ]
    trainer: Any = TRAINERS["contrastive-gin"]
    baseline: Any = HASHERS["weisfeiler-lehman"]
    learned: Any = HASHERS["contrastive-gin"]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "network.safetensors"
        train(trainer(bits=64, epochs=epochs), samples, seed=seed, progress=show).save(file)
        hashers = {
            "weisfeiler-lehman, 64 bits": baseline(bits=64),
            "weisfeiler-lehman, 128 bits": baseline(bits=128),
            "contrastive-gin, 64 bits": learned(weights=str(file)),
        }
        return [
            {"hasher": name, "seed": seed, **judge(hasher, models, asked, seed)}
            for name, hasher in hashers.items()
        ]


def judge(
    hasher: Hasher, models: list[Source], asked: list[Source], seed: int
) -> dict[str, float | int]:
    """Mean average precision, by model and by family, and how the codes are spread."""
    database = bits(hasher, [model.graph for model in models])
    names = np.array([model.path for model in models])
    families = np.array([model.category for model in models])
    found: dict[str, float | int] = {
        "distinct codes": distinct_codes(database),
        "bit entropy": round(bit_entropy(database), 3),
    }
    for kind in ("open", "bridged"):
        rng = np.random.default_rng(seed)
        queries = [model for model in asked for _ in range(COPIES)]
        graphs = [
            delete_layers(model.graph, DELETED, rng, bridge=kind == "bridged")[0]
            for model in queries
        ]
        distances = hamming(bits(hasher, graphs), database)
        own = names == np.array([[model.path] for model in queries])
        kin = (families == np.array([[model.category] for model in queries])) & ~own
        without = np.where(own, distances.max() + 1, distances)  # itself comes last, and not asked
        some = kin.any(1)
        found |= {
            f"model mAP, {kind}": round(float(average_precision(distances, own).mean()), 4),
            f"family mAP, {kind}": round(
                float(average_precision(without[some], kin[some]).mean()), 4
            ),
        }
    return found


def bits(hasher: Hasher, graphs: list[LayerGraph]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Codes (graphs, bits)."""
    codes = np.array([list(hasher.digest(graph)) for graph in graphs], np.uint8)
    return np.unpackbits(codes, axis=1).astype(bool)


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Of each hasher: mean and spread over the seeds."""
    result: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(row["hasher"] for row in rows):
        mine = [row for row in rows if row["hasher"] == name]
        for key in mine[0].keys() - {"hasher", "seed"}:
            values = [row[key] for row in mine]
            text = f"{np.mean(values):.3f} ({min(values):.3f} … {max(values):.3f})"
            result.setdefault(name, {})[key] = text
    return {name: dict(sorted(row.items())) for name, row in result.items()}


def show(progress: Any) -> None:
    """A line now and then."""
    if progress.done % 20 == 0:
        print(f"{progress.stage} {progress.done}/{progress.total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
