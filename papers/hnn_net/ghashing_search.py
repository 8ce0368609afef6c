"""GHashing's own search: codes in a radius, then a filter by embeddings, then the edit distance.

    python papers/hnn_net/run.py --only search

[Qin, Bai, Sun, GHashing, KDD 2020, as its code has it.]  A query asks for the graphs at an edit
distance of at most τ.  Codes within τ + 1 bits are candidates; those whose embeddings are more
than τ apart, squared, are dropped; an edit distance is computed for the rest.  Here that distance
is bracketed: a pair counts as within τ where its upper bound is, and where the bounds lie on both
sides of τ it is undecided, and counted as such.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dataset import dataset
from measure import network_path, trained
from plan import Run, named

from assay.durable import write_whole
from assay.graphs.edit_distance import PreparedGraph, edit_distance
from assay.hashers import HASHERS
from assay.trainers._distances import lineage
from assay.zoo.retrieval import Bits, hamming

# GHashing asks for 0 … 6 and trains up to 11.  Copies of a layer graph are further apart than that.
THRESHOLDS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
LIMIT = THRESHOLDS[-1] + 1
Json = dict[str, Any]


@dataclass(frozen=True)
class Bounds:
    """Edit distances of queries and database entries: (q, d) each."""

    lower: np.ndarray
    upper: np.ndarray

    def within(self, threshold: int) -> Bits:
        return self.upper <= threshold

    def undecided(self, threshold: int) -> Bits:
        return (self.lower <= threshold) & (self.upper > threshold)


def measure_bounds(data: str, models: int, work: Path) -> Json:
    """Computes the bounds between test and training graphs, unless they have been kept."""
    path = _path(data, models, work)
    if path.exists():
        return {}
    training, test = dataset(data, models)
    database = [PreparedGraph.of(sample.graph) for sample in training]
    lower, upper = np.zeros((2, len(test), len(training)), int)
    for q, query in enumerate(test):
        prepared = PreparedGraph.of(query.graph)
        for d, entry in enumerate(training):
            known = lineage(query, entry)
            found = edit_distance(prepared, database[d], lineage=known, limit=LIMIT)
            lower[q, d], upper[q, d] = found.lower, found.upper
    stream = io.BytesIO()
    np.savez(stream, lower=lower, upper=upper)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, stream.getvalue())
    return {}


def measure_search(run: Run, work: Path) -> Json:
    """The three stages for every threshold, with the network of a training, again if it is gone."""
    training, test = dataset(run.data, run.models)
    stored = np.load(_path(run.data, run.models, work))
    bounds = Bounds(stored["lower"], stored["upper"])
    network = network_path(run, work)
    if not network.exists():
        trained(run, work)
    hasher: Any = HASHERS["ghashing"](weights=str(network))
    outputs = [hasher.output(sample.graph) for sample in test + training]
    codes = np.array([output.logits > 0 for output in outputs])
    embeddings = np.array([output.embedding for output in outputs])
    queries = len(test)
    bits = hamming(codes[:queries], codes[queries:])
    between = embeddings[:queries, None] - embeddings[queries:]
    squared = (between**2).sum(2)
    return {"thresholds": [stages(bits, squared, bounds, tau) for tau in THRESHOLDS]}


def stages(bits: np.ndarray, squared: np.ndarray, bounds: Bounds, threshold: int) -> Json:
    """What is left after each stage of one search, for each query and then averaged.

    Args:
        bits: (q, d) Hamming distances.
        squared: (q, d) squared Euclidean distances of the embeddings.
        bounds: of the edit distances.
        threshold: τ.
    """
    wanted = bounds.within(threshold)
    candidates = bits <= threshold + 1
    filtered = candidates & (squared <= threshold)
    verified = filtered & wanted
    undecided = bounds.undecided(threshold)
    return {
        "threshold": threshold,
        "wanted": float(wanted.sum(1).mean()),
        "undecided": float(undecided.sum(1).mean()),
        "undecided_to_verify": float((undecided & filtered).sum(1).mean()),
        "queries_with_an_answer": int(wanted.any(1).sum()),
        "candidates": _stage(candidates, wanted),
        "filtered": _stage(filtered, wanted),
        "verified": _stage(verified, wanted),
        # As if every undecided pair were within τ: the other end of what is not known.
        "verified_if_all_undecided_are_within": _stage(
            filtered & (wanted | undecided), wanted | undecided
        ),
    }


def _stage(found: Bits, wanted: Bits) -> Json:
    """Precision, recall and F1 for each query and then averaged, as GHashing's checkAcc has it.

    Nothing found where nothing is wanted is right: 1.  ``…_answered`` are of those queries alone
    to which an answer exists.
    """
    hits, sizes, truths = (found & wanted).sum(1), found.sum(1), wanted.sum(1)
    precision = np.where(sizes, hits / np.maximum(sizes, 1), truths == 0)
    recall = np.where(truths, hits / np.maximum(truths, 1), sizes == 0)
    f1 = np.where(sizes + truths, 2 * hits / np.maximum(sizes + truths, 1), 1)
    answered = truths > 0
    return {
        "count": float(sizes.mean()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1": float(f1.mean()),
        "recall_answered": float(recall[answered].mean()) if answered.any() else None,
        "f1_answered": float(f1[answered].mean()) if answered.any() else None,
    }


def _path(data: str, models: int, work: Path) -> Path:
    return work / f"bounds {named(data, models)} {LIMIT}.npz".replace(" ", "-")
