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

DATABASES = {  # what an entry calls them
    "map_asked": "only the families that are asked for",
    "map": "the zoo",
    "map_noise": "the zoo and 1,000 made-up networks",
}


def report(folder: Path, models: Sequence[Architecture], entries: Mapping[str, Json]) -> None:
    """Writes results.json, and the tables of README.md."""
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
    runs = results["runs"]
    tables = {"suites": table(runs), "databases": noise_table(runs)}
    tables |= {"same": near_table(runs), "edits": edit_table(runs)}
    write_report(folder, results, tables)


def table(runs: Sequence[Json]) -> str:
    """A row for each suite, a column for each ranker: the mean over seeds, least and most."""
    names = list(dict.fromkeys(name for run in runs for name in run["map"]))
    rows = {name: [run["map"].get(name) for run in runs] for name in names}
    rows["*mean of all*"] = [mean(run["map"].values()) for run in runs]
    lines = _lines(runs, rows)
    ranked = _by_ranker(runs)
    seeds = [str(len(own)) for own in ranked.values()]
    costs = [f"{mean(run['ms_per_graph'] for run in own):.1f}" for own in ranked.values()]
    lines += [f"| *seeds* | {' | '.join(seeds)} |", f"| *ms a graph* | {' | '.join(costs)} |"]
    return "\n".join(lines) + "\n"


def noise_table(runs: Sequence[Json]) -> str:
    """The mean over all suites, against databases of other sizes."""
    rows = {}
    for at, (key, name) in enumerate(DATABASES.items()):
        counts = sorted({run["databases"][at] for run in runs})
        size = "–".join(dict.fromkeys(map(str, counts[:1] + counts[-1:])))
        rows[f"{name}: {size}"] = [mean(run[key].values()) for run in runs]
    return "\n".join(_lines(runs, rows)) + "\n"


def near_table(runs: Sequence[Json]) -> str:
    """Of the same network, written otherwise, the shares with no bit and with two bits changed."""
    coded = [run for run in runs if run["near"]]
    names = list(dict.fromkeys(name for run in coded for name in run["near"]))
    rows = {
        f"{name}, {bits}": [run["near"].get(name, [None, None])[at] for run in coded]
        for name in names
        for at, bits in enumerate(("0 bits", "2 bits or less"))
    }
    return "\n".join(_lines(coded, rows)) + "\n"


def edit_table(runs: Sequence[Json]) -> str:
    """How distances agree with bounds of the edit distance."""
    said = {"spearman": "Spearman, with the middle", "decided": "order, where it is sure"}
    rows = {name: [run["edits"][key] for run in runs] for key, name in said.items()}
    return "\n".join(_lines(runs, rows)) + "\n"


def _lines(runs: Sequence[Json], rows: Mapping[str, Sequence[float | None]]) -> list[str]:
    """A header of rankers, and each row's values (of each run) by ranker."""
    ranked = list(_by_ranker(runs))
    lines = [f"| | {' | '.join(ranked)} |", "|---" * (len(ranked) + 1) + "|"]
    for name, values in rows.items():
        pairs = [(run["ranker"], v) for run, v in zip(runs, values, strict=True) if v is not None]
        cells = [_cell([value for ranker, value in pairs if ranker == r]) for r in ranked]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _by_ranker(runs: Sequence[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for run in runs:
        found.setdefault(run["ranker"], []).append(run)
    return found


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"
