"""What came out, as numbers: of the paper's contests, of our pairs, of what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import ranks
import torch
from archive import Kept
from contests import VIEWS, ablated, tallied
from ground import Lineage, edition
from measures import Pairs, by_kind, calibration, difference, summary
from plan import ADVERSARIES, ALARMS, SMALL, TOGETHER, Scope

import assay
from assay.fingerprints import references_needed
from assay.zoo.experiments import hardware
from assay.zoo.reuse import Pair

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
LEVEL = 0.05
SCORES = ("raw", "score")
Json = dict[str, Any]
Rows = Mapping[str, Mapping[str, Sequence[float]]]  # by row: raw, score, chance, roots


def results(
    kept: Kept, lineage: Lineage, scope: Scope, judged: Sequence[Json], entries: Mapping[str, Json]
) -> Json:
    """All of results.json."""
    rows = _joined(each["rows"] for each in judged if not each["adversary"])
    plain = {key: each for key, each in entries.items() if not key.startswith("disguised ")}
    contests = [one for each in judged for one in each["contests"]]
    ours = sorted_pairs(lineage, [each["owner"] for each in judged if not each["adversary"]])
    return {
        "command": "python papers/modeldiff/run.py --models FOLDER --data SETS",
        "edition": edition(lineage),
        "queries": "few, to see that it runs" if scope == SMALL else "as published",
        "models": len(lineage.records),
        "weights_sha256": lineage.digest,
        "hardware": f"{hardware()}; a thread each process, beside other work",
        "versions": {each.__name__: each.__version__ for each in (assay, torch, np)},
        "seed": 0,
        "cpu_seconds_of_jobs": round(sum(each["cpu_seconds"] for each in plain.values())),
        "accuracies": accuracies(lineage),
        "contests": {
            "two roots": _contests(lineage, [
                c for c in contests if lineage.origins[c["suspect"]] in lineage.two_roots]),
            "all roots": _contests(lineage, contests),
        },
        "same_task": of_pairs(lineage, ours, rows, scope, [p.same_task for p in ours]),
        "across_tasks": of_pairs(lineage, ours, rows, scope, [is_across(p) for p in ours]),
        "hard": {"pairs": sum(p.is_hard for p in ours),
                 "accused": accused(ours, rows, [p.is_hard for p in ours])},
        "ranks": ranks.tallied(each["ranks"] for each in judged),
        "calibration": {
            name: calibration([chance for chance, p in zip(row["chance"], ours, strict=True)
                               if not p.is_derived and p.same_task])
            for name, row in rows.items() if any(row["roots"])
        },
        "ablations": ablated(kept, lineage, scope),
        "adversaries": adversaries(lineage, scope, judged),
        "costs": costs(scope, plain),
        "failed": failed(entries),
    }  # fmt: skip


def sorted_pairs(lineage: Lineage, owners: Sequence[str]) -> list[Pair]:
    """Those of the owners, one owner after the other: in the order of their verdicts."""
    return [pair for owner in owners for pair in lineage.pairs if pair.source == owner]


def is_across(pair: Pair) -> bool:
    """Of other classes, and not a stranger merely because nobody could take it for one's own."""
    return not pair.same_task and pair.stranger != "other-task"


def accuracies(lineage: Lineage) -> Json:
    """By task and by how they were made: least, mean and largest, and how many."""
    found: dict[str, list[float]] = {}
    for record in lineage.records:
        how = record["name"].rpartition(".")[2] if record["parents"] else "from scratch"
        found.setdefault(f"{lineage.tasks[record['name']]}: {how}", []).append(record["accuracy"])
    return {
        name: {"models": len(values), "least": min(values), "mean": round(mean(values), 4),
               "largest": max(values)}
        for name, values in sorted(found.items())
    }  # fmt: skip


def _contests(lineage: Lineage, contests: Sequence[Json]) -> Json:
    references = [each["references"] for each in contests]
    return {
        "pairs": len(contests),
        "references": [min(references, default=0), max(references, default=0)],
        **{view: tallied(contests, view) for view in VIEWS},
    }


def of_pairs(
    lineage: Lineage, ours: Sequence[Pair], rows: Rows, scope: Scope, chosen: Sequence[bool]
) -> Json:
    """Areas and shares found of some of the pairs, by row and by kind of reuse."""
    some = [pair for pair, which in zip(ours, chosen, strict=True) if which]
    truth = drawn_again(lineage, some, scope)
    if truth is None:
        return {"pairs": len(some), "rows": {}}
    kinds = [pair.reuse.rpartition(" + ")[2] for pair in some]
    known = columns(rows, chosen)
    found: Json = {}
    for (name, which), scores in known.items():
        cell = {**summary(truth, scores), "kinds": by_kind(truth, scores, kinds, LEVEL)}
        found.setdefault(name, {})[which] = cell
    return {"pairs": len(some), "rows": found, "together_against": against(truth, known)}


def drawn_again(lineage: Lineage, some: Sequence[Pair], scope: Scope) -> Pairs | None:
    """Their truth and weights; None where there are not both, derived ones and strangers."""
    derived = [pair.is_derived for pair in some]
    if len({*derived}) < 2:
        return None
    origins = [(lineage.origins[pair.source], lineage.origins[pair.suspect]) for pair in some]
    return Pairs.of(derived, origins, scope.resamples)


def columns(rows: Rows, chosen: Sequence[bool]) -> dict[tuple[str, str], list[float]]:
    """Scores of some of the pairs, by row and by which score, where there are any."""
    found = {}
    for name, row in rows.items():
        for which in SCORES:
            scores = [value for value, use in zip(row[which], chosen, strict=True) if use]
            if np.isfinite(scores).any():
                found[name, which] = scores
    return found


def against(pairs: Pairs, columns: Mapping[tuple[str, str], Sequence[float]]) -> Json:
    """How much more all methods together find than each by itself, on the same draws."""
    together = columns.get((TOGETHER, "score"))
    if together is None:
        return {}
    return {
        f"{name}, {which}": difference(pairs, together, scores, LEVEL)
        for (name, which), scores in columns.items() if name != TOGETHER
    }  # fmt: skip


def accused(ours: Sequence[Pair], rows: Rows, chosen: Sequence[bool]) -> Json:
    """At each tolerance: for how many pairs it can be stated, and how many are accused."""
    found: Json = {}
    for name, row in rows.items():
        if not any(row["roots"]):
            continue
        known = [(c, n) for c, n, which in zip(row["chance"], row["roots"], chosen, strict=True)
                 if which]  # fmt: skip
        for alarm in ALARMS:
            stated = [c for c, n in known if n >= references_needed(alarm)]
            found.setdefault(name, {})[f"{alarm:g}"] = {
                "stated": len(stated),
                "accused": sum(c <= alarm + 1e-9 for c in stated),
            }
    return found


def adversaries(lineage: Lineage, scope: Scope, judged: Sequence[Json]) -> Json:
    """By row what is found at 5 % of pairs of one task, under each adversary; None: not run."""
    found: Json = {}
    for adversary in ("", *ADVERSARIES):
        parts = [each for each in judged if each["adversary"] == adversary]
        if not parts:  # nobody was asked in this disguise
            found[adversary] = None
            continue
        rows = _joined(each["rows"] for each in parts)
        ours = sorted_pairs(lineage, [each["owner"] for each in parts])
        if adversary:
            ours = [pair for pair in ours if pair.same_task]
        same = [pair.same_task for pair in ours]
        truth = drawn_again(lineage, [pair for pair in ours if pair.same_task], scope)
        hard = accused(ours, rows, [pair.is_hard for pair in ours])
        cells = {}
        for (name, which), scores in columns(rows, same).items() if truth else ():
            if which == "score":
                known = summary(truth, scores)
                cells[name] = {"hard": hard[name]}
                cells[name] |= {what: known[what] for what in ("tpr_at_0.05", "abstained")}
        found[adversary or "none"] = cells
    return found


def costs(scope: Scope, entries: Mapping[str, Json]) -> Json:
    """By row: queries, and quartiles of seconds to make them, to ask a suspect, and to compare."""
    found: Json = {}
    for row in scope.rows:
        sets = [entry["sets"][row.questions.name] for entry in entries.values()
                if "queries" in entry.get("sets", {}).get(row.questions.name, {})]  # fmt: skip
        if sets:
            found[row.name] = {
                "queries": int(np.median([each["queries"] for each in sets])),
                "crafted": _quartiles([each["crafted"] for each in sets]),
                "asked": _quartiles([each["asked"][1] for each in sets]),
                "compared": _quartiles([each["compared"].get(row.name, 0.0) for each in sets]),
            }
    parts = {row.questions.name: found[row.name] for row in scope.rows
             if row.together and row.name in found}  # fmt: skip
    found[TOGETHER] = {
        "queries": sum(part["queries"] for part in parts.values()),
        **{what: [round(sum(p[what][place] for p in parts.values()), 5) for place in range(3)]
           for what in ("crafted", "asked")},
        "compared": [round(sum(found[row.name]["compared"][place] for row in scope.rows
                               if row.together and row.name in found), 5) for place in range(3)],
    }  # fmt: skip
    return found


def failed(entries: Mapping[str, Json]) -> Json:
    """Queries that could not be made, and why."""
    return {
        f"{key}: {name}": made["failed"]
        for key, entry in entries.items()
        for name, made in entry["sets"].items() if "failed" in made
    }  # fmt: skip


def _quartiles(values: Sequence[float]) -> list[float]:
    return [round(float(each), 5) for each in np.quantile(values, (0.25, 0.5, 0.75))]


def _joined(parts: Any) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for part in parts:
        for name, columns in part.items():
            for column, values in columns.items():
                found.setdefault(name, {}).setdefault(column, []).extend(values)
    return found
