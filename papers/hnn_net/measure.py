"""One run: distances from the cache, training, codes of all graphs, and what they are worth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from baselines import baseline_codes
from dataset import dataset
from plan import Run

from assay.graphs.edit_distance import CAP
from assay.hashers import HASHERS
from assay.trainers import Sample, pairwise_distances, train
from assay.zoo.retrieval import (
    Bits,
    at_k,
    average_precision,
    bit_entropy,
    distinct_codes,
    hamming,
    ndcg,
    precision_within,
)

K = 16  # twice the copies of a model in the database: the only k that fits Table 2
Json = dict[str, Any]


@dataclass(frozen=True)
class Codes:
    """What a method gives for the graphs of one part of the data set."""

    bits: Bits  # (g, bits)
    embeddings: np.ndarray | None = None  # (g, d)
    right: float | None = None  # share whose category was predicted


def measure(run: Run, work: Path) -> Json:
    """Trains the run's method, hashes every graph and measures the retrieval of the test graphs."""
    training, test = dataset(run.data, run.models)
    start = time.perf_counter()
    if run.trainer is None:
        graphs = [sample.graph for sample in training + test]
        codes = baseline_codes(run.method, run.bits, run.seed, graphs)
        database, queries = Codes(codes[: len(training)]), Codes(codes[len(training) :])
        seconds = 0.0
    else:
        database, queries, seconds = _hashed(run, work, (training, test))
    hashing = time.perf_counter() - start - seconds
    found = scores(queries, database, test, training) | {"accuracy": queries.right}
    return {
        **{name: value if value is None else round(value, 6) for name, value in found.items()},
        "seconds": round(seconds, 1),
        "hash_ms": round(1e3 * hashing / len(training + test), 2),
    }


def scores(queries: Codes, database: Codes, test: list[Sample], training: list[Sample]) -> Json:
    """Every measure of the table, ties averaged, and how far the codes have collapsed."""
    distances = hamming(queries.bits, database.bits)
    category = _equal([s.category for s in test], [s.category for s in training])
    model = _equal([s.model for s in test], [s.model for s in training])
    found = at_k(distances, category, K)
    both = np.concatenate([queries.bits, database.bits])
    return {
        "recall": found.recall,
        "precision": found.precision,
        "f1": found.f1,
        "family_map": float(average_precision(distances, category).mean()),
        "model_map": float(average_precision(distances, model).mean()),
        "model_map_reranked": _reranked(distances, queries, database, model),
        "ndcg": float(ndcg(distances, category + model.astype(float)).mean()),
        "precision_within_2": float(precision_within(distances, category, 2).mean()),
        "distinct_codes": distinct_codes(both),
        "bit_entropy": bit_entropy(both),
    }


def _reranked(distances: np.ndarray, queries: Codes, database: Codes, model: Bits) -> float | None:
    """Model-level average precision where embeddings order the codes of equal distance."""
    if queries.embeddings is None or database.embeddings is None:
        return None
    apart = np.linalg.norm(queries.embeddings[:, None] - database.embeddings[None], axis=2)
    order = apart / (1 + apart.max())  # below 1: never past a whole bit
    return float(average_precision(distances + order, model).mean())


def _equal(queries: list[str], database: list[str]) -> Bits:
    equal: Bits = np.array(queries)[:, None] == np.array(database)[None]
    return equal


def _hashed(
    run: Run, work: Path, parts: tuple[list[Sample], list[Sample]]
) -> tuple[Codes, Codes, float]:
    """Codes of both parts, and the seconds of the training alone."""
    path, seconds = trained(run, work)
    hasher = HASHERS[run.method](weights=str(path))
    database, queries = (_codes(hasher, part) for part in parts)
    if run.method != "ghashing":  # whose networks ghashing_search.py goes on with
        path.unlink()
    return database, queries, seconds


def trained(run: Run, work: Path) -> tuple[Path, float]:
    """The file of the run's network, trained now, and the seconds of the training alone."""
    training, _ = dataset(run.data, run.models)
    trainer = run.trainer
    if trainer is None:
        raise ValueError(f"{run.method} is not trained")
    needed = trainer.distances != "none"
    distances = pairwise_distances(training, cache=work / "distances") if needed else None
    start = time.perf_counter()
    network = train(trainer, training, seed=run.seed, distances=distances)
    seconds = time.perf_counter() - start
    path = network_path(run, work)
    path.parent.mkdir(parents=True, exist_ok=True)
    network.save(path)
    return path, seconds


def network_path(run: Run, work: Path) -> Path:
    """Where the trained network of a run is kept."""
    return work / "networks" / f"{sha256(run.key.encode()).hexdigest()[:16]}.safetensors"


def _codes(hasher: Any, samples: list[Sample]) -> Codes:
    outputs = [hasher.output(sample.graph) for sample in samples]
    right = [
        hasher.network.categories[output.classes.argmax()] == sample.category
        for output, sample in zip(outputs, samples, strict=True)
        if output.classes is not None
    ]
    return Codes(
        np.array([output.logits > 0 for output in outputs]),
        np.array([output.embedding for output in outputs]),
        float(np.mean(right)) if right else None,
    )


def measure_distances(data: str, models: int, work: Path) -> Json:
    """Fills the cache that all trainings share, if it is not; how many pairs the bounds leave open.

    Seconds are those of this call: next to none where the cache is full.
    """
    training, _ = dataset(data, models)
    start = time.perf_counter()
    found = pairwise_distances(training, cache=work / "distances")
    seconds = time.perf_counter() - start
    pairs = np.triu_indices(len(training), 1)
    lower, upper = found.lower[pairs], found.upper[pairs]
    return {
        "data": data,
        "seconds": round(seconds, 1),
        "pairs": len(lower),
        "undecided_share": float((np.minimum(lower, CAP) != np.minimum(upper, CAP)).mean()),
        "at_cap_share": float((np.minimum(upper, CAP) == CAP).mean()),
        "exact_share": float((lower == upper).mean()),
    }
