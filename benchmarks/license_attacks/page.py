"""What is in results.json, the tables of README.md and of the manual, and the plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from plan import FOREIGN, HARDENED, LEVELS, NO_KEY, SCRATCH, Scope

from assay.values import Json
from assay.zoo.experiments import hardware, paired
from assay.zoo.plotting import Panel, drawn

DOCS = Path(__file__).parents[2] / "docs" / "licenses.md"
COMMAND = "python benchmarks/license_attacks/run.py --sets FOLDER"
STARTS = (NO_KEY, HARDENED, *reversed(LEVELS), SCRATCH)
COLORS = {
    NO_KEY: "#c33", HARDENED: "#e90", LEVELS[0]: "#39c", LEVELS[1]: "#236", SCRATCH: "#555",
}  # fmt: skip
UNTOLD = ("kind", "scope", "behavior", "key")
Rows = Sequence[Mapping[str, Any]]


def results(entries: Rows, scope: Scope) -> Json:
    """Of one task: every cell by its kind, and how it was made; empty where nothing is done."""
    if not entries:
        return {}
    kinds = dict.fromkeys(entry["kind"] for entry in entries)
    seconds = sum(entry["cpu_seconds"] for entry in entries)
    about = {"command": COMMAND, "hardware": hardware(), "cpu_seconds": round(seconds)}
    about |= {"task": scope.task, "seeds": sorted({entry["seed"] for entry in entries})}
    cells = {
        kind: [
            {name: value for name, value in entry.items() if name not in UNTOLD and value != ""}
            for entry in entries
            if entry["kind"] == kind
        ]
        for kind in kinds
    }
    return about | cells


def tables(found: Mapping[str, Json]) -> dict[str, str]:
    """The tables of README.md."""
    made = {
        "levels": _levels,
        "labels": _labels,
        "gained": _gained,
        "unlabelled": _unlabelled,
        "answers": _answers,
        "colluders": _colluders,
    }
    cost = "; ".join(
        f"{name}: {len(each.get('owner', []))} networks, {each['cpu_seconds'] / 60:.0f} minutes of"
        f" one core ({each['hardware']})"
        for name, each in found.items()
    )
    return {
        "cost": f"{cost or 'Not run yet'}.\n",
        **{
            name: "\n".join(make(task, each) for task, each in found.items())
            for name, make in made.items()
        },
    }


def manual(found: Mapping[str, Json]) -> dict[str, str]:
    """What docs/licenses.md shows."""
    return {
        name: "\n".join(make(task, each) for task, each in found.items())
        for name, make in (("examples", _labels), ("unlabelled", _unlabelled))
    }


def drawing(found: Mapping[str, Json]) -> str:
    """A panel for each task: what so many examples lead to, from each start."""
    panels = []
    for task, each in found.items():
        cells = _by(each.get("labels", ()), "start", "given")
        counts = sorted({int(given) for _, given in cells})
        lines = {
            start: [
                (count, mean(row["accuracy"] for row in cells[start, str(count)]))
                for count in counts
                if (start, str(count)) in cells
            ]
            for start in STARTS
        }
        lines = {start: line for start, line in lines.items() if line}
        panels.append(Panel(task, "examples with labels", "accuracy", lines, {}, (True, False)))
    return drawn(panels, COLORS)


def _by(rows: Iterable[Mapping[str, Any]], *names: str) -> dict[tuple[str, ...], Rows]:
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return dict(found)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _two(value: float) -> str:
    return f"{value:.2f}".removeprefix("0") if 0 <= value < 1 else f"{value:.2f}"


def _levels(task: str, found: Json) -> str:
    rows = []
    for (network,), several in _by(found.get("owner", ()), "network").items():
        means = [mean(row["accuracy"][level] for row in several) for level in range(5)]
        hard = mean(row["hardened"] for row in several)
        rows.append([network, *map(_two, means), _two(hard)])
    return _table([task, "level 0", "level 1", "level 2", "level 3", NO_KEY, HARDENED], rows)


def _labels(task: str, found: Json) -> str:
    """Means over the networks; in parentheses what is reached naively."""
    cells = _by(found.get("labels", ()), "start", "given")

    def cell(start: str, given: str) -> str:
        rows = cells.get((start, given), ())
        if not rows:
            return "–"
        naive = f" ({_two(mean(row['naive'] for row in rows))})" if "naive" in rows[0] else ""
        return _two(mean(row["accuracy"] for row in rows)) + naive

    counts = sorted({given for _, given in cells}, key=int)
    rows = [[f"{int(given):,}", *(cell(start, given) for start in STARTS)] for given in counts]
    return _table([f"{task}: examples", *STARTS], rows)


def _gained(task: str, found: Json) -> str:
    """Paired with from scratch: of each network what a start adds, with a 95 % interval."""
    cells = _by(found.get("labels", ()), "start", "given", "network", "seed")
    counts = sorted({key[1] for key in cells}, key=int)

    def cell(start: str, given: str) -> str:
        gains = [
            rows[0]["accuracy"] - cells[SCRATCH, *key[1:]][0]["accuracy"]
            for key, rows in cells.items()
            if key[:2] == (start, given) and (SCRATCH, *key[1:]) in cells
        ]
        if not gains:
            return "–"
        each = paired(gains)
        ends = each.get("interval")
        return f"{each['mean']:+.3f}" + (f" ({ends[0]:+.3f} … {ends[1]:+.3f})" if ends else "")

    starts = STARTS[:-1]
    rows = [[f"{int(given):,}", *(cell(start, given) for start in starts)] for given in counts]
    return _table([f"{task}: examples", *starts], rows)


def _unlabelled(task: str, found: Json) -> str:
    cells = _by(found.get("unlabelled", ()), "start", "given")
    ways = ("as it is", "statistics", "entropy", "own answers", "own answers, zeros anew")
    rows = [
        [
            f"{start}, {'foreign' if whose == FOREIGN else 'the same'}",
            *(_two(mean(row[way] for row in several)) for way in ways),
        ]
        for (start, whose), several in cells.items()
    ]
    return _table([f"{task}: start, inputs", *ways], rows)


def _answers(task: str, found: Json) -> str:
    cells = _by(found.get("answers", ()), "start", "given")
    asked = dict.fromkeys(given for _, given in cells)
    rows = [
        [
            given if given == FOREIGN else f"{int(given):,}",
            *(
                _two(mean(row["accuracy"] for row in cells[start, given]))
                if (start, given) in cells
                else "–"
                for start in (LEVELS[0], SCRATCH)
            ),
        ]
        for given in asked
    ]
    return _table([f"{task}: inputs asked", LEVELS[0], SCRATCH], rows)


def _colluders(task: str, found: Json) -> str:
    several = found.get("colluders", [])
    if not several:
        return _table([task, "–"], [])
    rows = [
        [name, _two(mean(row["accuracy"][name] for row in several))]
        for name in several[0]["accuracy"]
    ]
    for name in (
        "words of level 1 that level 2 lacks", "of these in a lower file",
        "messages of higher parts", "opened by the keys of both",
    ):  # fmt: skip
        rows.append([name, f"{sum(row[name] for row in several):,}"])
    for name in ("keys of both are those of level 2", "level 2 with both keys is its file"):
        rows.append([name, f"{sum(row[name] for row in several)} of {len(several)}"])
    known = [row for row in several if "correlation" in row]
    if known:
        values = [row["correlation"] for row in known]
        spread = mean(row["deviation by chance"] for row in known)
        text = f"{mean(values):.3f} (from {min(values):.3f} to {max(values):.3f}; {spread:.3f})"
        rows.append(["correlation of guessed weights (range; deviation by chance)", text])
    for name in several[0]["part bytes"]:
        rows.append([name, f"{round(mean(row['part bytes'][name] for row in several)):,}"])
    return _table([f"{task}: {len(several)} networks", "mean, or sum"], rows)
