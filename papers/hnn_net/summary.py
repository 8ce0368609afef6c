"""results.json: every run of the ledger in its cell, with mean and spread."""

from __future__ import annotations

import statistics
from importlib.metadata import version
from typing import Any

from dataset import dataset
from plan import Run, Scope, figure7, named, table2

from assay import __version__
from assay.zoo.experiments import hardware
from assay.zoo.retrieval import at_k

Json = dict[str, Any]
KEPT_ONCE = (
    "key",
    "behavior",
    "row",
    "data",
    "bits",
    "method",
)  # of a cell, not of each of its runs
COMMAND = "python papers/hnn_net/run.py"


def summary(ledger: dict[str, Json], scope: Scope) -> Json:
    """All that is known so far; a cell lists the seeds that are done."""
    varied: dict[tuple[str, float, str], list[Run]] = {}
    for weight, value, run in figure7(scope):
        varied.setdefault((weight, value, run.row), []).append(run)
    cells: dict[tuple[str, str, int], list[Run]] = {}
    for run in table2(scope):
        cells.setdefault((run.row, run.data, run.bits), []).append(run)
    tables = [f"distances, {named(data, scope.models)}" for data in scope.data]
    return {
        "command": COMMAND,
        "hardware": hardware(),
        "versions": {"assay": __version__, **{p: version(p) for p in ("numpy", "scipy", "torch")}},
        "dataset": sizes(scope),
        "ceiling": ceiling(scope),
        "distances": [ledger[key] for key in tables if key in ledger],
        "table2": [cell(runs, ledger) for runs in cells.values()],
        "figure7": [
            {weight: value, **cell(runs, ledger)} for (weight, value, _), runs in varied.items()
        ],
        "ghashing_search": searches(cells, ledger),
    }


def cell(runs: list[Run], ledger: dict[str, Json]) -> Json:
    """One method's runs that differ by their seed only."""
    found = [ledger[run.key] for run in runs if run.fits(ledger.get(run.key))]
    first = runs[0]
    return {
        "row": first.row,
        "data": first.data,
        "bits": first.bits,
        "method": first.made_by,
        **spread([{k: v for k, v in entry.items() if k not in KEPT_ONCE} for entry in found]),
    }


def spread(runs: list[Json]) -> Json:
    """Mean and standard deviation of each number, and the runs themselves."""
    names = [n for n in (runs[0] if runs else {}) if n != "seed" and runs[0][n] is not None]
    values = {name: [run[name] for run in runs] for name in names}
    return {
        "mean": {name: round(statistics.fmean(v), 6) for name, v in values.items()},
        "deviation": {
            name: round(statistics.stdev(v), 6) if len(v) > 1 else 0.0 for name, v in values.items()
        },
        "runs": runs,
    }


def searches(cells: dict[tuple[str, str, int], list[Run]], ledger: dict[str, Json]) -> list[Json]:
    """GHashing's search: for each data set, length and threshold the mean over the seeds."""
    result = []
    for (row, data, bits), runs in cells.items():
        entries = [(r, ledger.get(f"search {r.key}")) for r in runs if row == "ghashing"]
        found = [entry["thresholds"] for run, entry in entries if entry and run.fits(entry)]
        if found:
            stages = [mean(list(same)) for same in zip(*found, strict=True)]
            result.append({"data": data, "bits": bits, "seeds": len(found), "thresholds": stages})
    return result


def mean(entries: list[Any]) -> Any:
    """The mean of equally shaped objects of numbers."""
    if isinstance(entries[0], dict):
        return {name: mean([entry[name] for entry in entries]) for name in entries[0]}
    return None if entries[0] is None else round(statistics.fmean(entries), 6)


def ceiling(scope: Scope) -> Json:
    """What an oracle scores that ranks every graph of the query's category first."""
    from measure import K, _equal

    training, test = dataset(scope.data[0], scope.models)
    category = _equal([s.category for s in test], [s.category for s in training])
    found = at_k(1 - category.astype(int), category, K)
    return {"recall": found.recall, "precision": found.precision, "f1": found.f1}


def sizes(scope: Scope) -> Json:
    """How many graphs there are and how large they are."""
    parts = {data: dataset(data, scope.models) for data in scope.data}
    return {
        data: {
            "training": len(training),
            "test": len(test),
            "layers": spans(len(s.graph.layers) for s in training + test),
            "edges": spans(len(s.graph.edges) for s in training + test),
        }
        for data, (training, test) in parts.items()
    }


def spans(numbers: Any) -> Json:
    """Least, median and most."""
    listed = sorted(numbers)
    return {"least": listed[0], "median": statistics.median(listed), "most": listed[-1]}
