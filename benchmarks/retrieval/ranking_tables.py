"""The benchmark's result file and tables, of its ledger."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from assay.values import Json
from assay.zoo import Architecture
from assay.zoo.experiments import hardware, write_report


def report(folder: Path, models: Sequence[Architecture], entries: Mapping[str, Json]) -> None:
    """Writes results.json, and the table of README.md."""
    results: Json = {
        "command": "python benchmarks/retrieval/run.py",
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "networks": len(models),
        "families": len({model.family for model in models}),
        "runs": [
            {k: v for k, v in e.items() if k not in ("key", "behavior")} for e in entries.values()
        ],
    }
    write_report(folder, results, {"suites": table(results["runs"])})


def table(runs: Sequence[Json]) -> str:
    """A row for each suite, a column for each ranker: the mean over seeds, least and most."""
    rankers = list(dict.fromkeys(run["ranker"] for run in runs))
    names = list(dict.fromkeys(name for run in runs for name in run["map"]))
    lines = [f"| | {' | '.join(rankers)} |", "|---" * (len(rankers) + 1) + "|"]
    for name in names:
        cells = [_cell([run["map"][name] for run in runs if run["ranker"] == r]) for r in rankers]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    seeds = [str(sum(run["ranker"] == ranker for run in runs)) for ranker in rankers]
    costs = [f"{mean(r['ms_per_graph'] for r in runs if r['ranker'] == k):.1f}" for k in rankers]
    lines += [f"| *seeds* | {' | '.join(seeds)} |", f"| *ms a graph* | {' | '.join(costs)} |"]
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"
