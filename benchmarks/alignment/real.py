"""``assay compare`` of real models with both files open: strangers, and those that are of one kin.

    python benchmarks/alignment/real.py MODELS PAIRS    # writes real.json; goes on where it stopped

MODELS holds published files, PAIRS says by its lines (JSON: a model, and those it is related to)
who is whose kin: 4 is the same model, 3 made from it, 2 one architecture, 1 a family of these.
Strangers are pairs of one folder, so of one task, often one architecture in several sizes.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from assay.comparisons.aligned_weights import AlignedWeights
from assay.errors import UnreadableModel
from assay.formats import read
from assay.values import Relation
from assay.weights import Weight

HERE = Path(__file__).parent
FEWEST = 50_000  # values of a model that is large enough to be looked at
KIN = 3  # grade in PAIRS from which one of both was made from the other

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """Two models, and how they are related: 0 for strangers."""

    suspect: str
    source: str
    grade: int

    @property
    def key(self) -> str:
        return f"{self.suspect}|{self.source}"


def pairs(answers: list[Row], sizes: Mapping[str, int]) -> Iterator[Pair]:
    """All of one folder, each once; strangers of a size that any alignment can be told of."""
    grades = {
        (row["query"], k): grade for row in answers for k, (grade, _) in row["related"].items()
    }
    for one, other in combinations(sorted(sizes), 2):
        grade = max(grades.get((one, other), 0), grades.get((other, one), 0))
        same_task = one.split("/")[0] == other.split("/")[0]
        if same_task and min(sizes[one], sizes[other]) >= FEWEST:
            yield Pair(one, other, grade)


def compared(suspect: Mapping[str, Weight], source: Mapping[str, Weight]) -> Row:
    """What is said of two models, and the processor time that it took."""
    start, method = process_time(), AlignedWeights()
    evidence = method.compare_weights(suspect, source)
    seconds = round(process_time() - start, 1)
    if evidence is None:
        return {"relation": str(Relation.UNRELATED), "seconds": seconds}
    return {
        "relation": str(method.relation(evidence)),
        "log10_false_alarm": evidence.log10_false_alarm,
        "matched": evidence.detail["matched"],
        "tensors": evidence.detail["tensors"],
        "seconds": seconds,
    }


def summary(rows: list[Row]) -> Row:
    """Strangers that were accused, kin that were not found, the slowest pair."""
    strangers = [row for row in rows if row["grade"] < KIN]
    kin = [row for row in rows if row["grade"] >= KIN]
    unrelated = str(Relation.UNRELATED)
    return {
        "strangers": len(strangers),
        "accused": [row["pair"] for row in strangers if row["relation"] != unrelated],
        "kin": len(kin),
        "missed": [row["pair"] for row in kin if row["relation"] == unrelated],
        "slowest": max(rows, key=lambda row: row["seconds"]),
    }


def main() -> None:
    """A pair a line in --rows, then all of them summed up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    options = parser.parse_args()
    answers = [json.loads(line) for line in options.pairs.read_text().splitlines()]
    weights: dict[str, Mapping[str, Weight]] = {}
    unread = []
    for row in answers:
        try:
            weights[row["query"]] = read(options.models / row["query"]).weights
        except UnreadableModel as error:
            unread.append(f"{row['query']}: {error}")
    sizes = {name: sum(weight.size for weight in each.values()) for name, each in weights.items()}
    rows: dict[str, Row] = {}
    if options.rows.exists():
        rows = {row["pair"]: row for row in map(json.loads, options.rows.read_text().splitlines())}
    chosen = [*pairs(answers, sizes)]
    for pair in sorted(chosen, key=lambda pair: sizes[pair.suspect] + sizes[pair.source]):
        if pair.key not in rows:
            found = compared(weights[pair.suspect], weights[pair.source])
            rows[pair.key] = {"pair": pair.key, "grade": pair.grade} | found
            with options.rows.open("a") as file:
                file.write(json.dumps(rows[pair.key]) + "\n")
            print(rows[pair.key], flush=True)
    done = [rows[pair.key] for pair in chosen]
    results = {
        "command": "python benchmarks/alignment/real.py MODELS PAIRS --rows FILE",
        "hardware": f"2 cores, {platform.machine()}; seconds are processor time",
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "unread": unread,
        "summary": summary(done),
        "pairs": done,
    }
    (HERE / "real.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
