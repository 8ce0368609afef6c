"""The tables of README.md, from results.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ranks
from contests import GROUPS
from plan import ALARMS, TOGETHER

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
Json = dict[str, Any]
NONE = "–"


def tables(found: Json) -> dict[str, str]:
    """What stands between the marks."""
    return {
        "run": run(found),
        "contests": contests(found, "two roots", "suspect"),
        "contests-owner": contests(found, "two roots", "owner"),
        "contests-all": contests(found, "all roots", "suspect"),
        "pairs": pairs(found["same_task"]),
        "kinds": kinds(found["same_task"]),
        "against": against(found["same_task"]),
        "hard": hard(found),
        "ranks": ranked(found),
        "across": pairs(found["across_tasks"]),
        "kinds-across": kinds(found["across_tasks"]),
        "ablations": ablations(found),
        "adversaries": adversaries(found),
        "costs": costs(found),
        "accuracies": accuracies(found),
    }


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """In Markdown; a table without rows says so."""
    lines = [" | ".join(map(str, row)) for row in rows]
    if not lines:
        return "Not run yet.\n"
    bar = "|---" * len(head) + "|"
    return "\n".join([f"| {' | '.join(head)} |", bar, *(f"| {line} |" for line in lines)]) + "\n"


def run(found: Json) -> str:
    """What the figures below are of."""
    few = found["queries"].startswith("few")
    warning = "**Few queries of each method, to see that it runs: no figures to quote.** "
    return (
        f"{warning if few else ''}Of the edition `{found['edition']}`: {found['models']} models;"
        f" {found['cpu_seconds_of_jobs']:,} seconds of one core for all queries and answers."
        f" {found['hardware']}.\n"
    )


def contests(found: Json, which: str, view: str) -> str:
    """How many parents win, by method and kind of reuse."""
    about = found["contests"][which]
    cells = about[view]
    kinds = [f"{kind}{of}" for of in ("", " of the root") for kind in GROUPS]
    kinds = [kind for kind in kinds if any(kind in row for row in cells.values())]
    rows = []
    if view == "suspect" and which == "two roots":
        logs, published = EXPECTED["logs"], EXPECTED["published"]
        printed = [_of(*logs[kind]) if kind in logs else "all" for kind in kinds]
        rows.append(("*the authors' logs*", *printed, _of(published["right"], published["of"])))
    for name, row in cells.items():
        counted = [_right(row.get(kind)) for kind in (*kinds, "all")]
        if any(cell != NONE for cell in counted):
            rows.append((_name(name), *counted))
    return table(("right", *kinds, f"all {about['pairs']}"), rows)


def pairs(part: Json) -> str:
    """Areas and shares found."""
    rows = []
    for name, cells in part["rows"].items():
        for which, said in (("raw", "distance"), ("score", "with references")):
            if which in cells and not (name == TOGETHER and which == "raw"):
                cell = cells[which]
                shown = (_bounded(cell[what]) for what in ("auc", "tpr_at_0.01", "tpr_at_0.05"))
                rows.append((_name(name), said, *shown, cell["abstained"]))
    return table(("method", "score", "AUC", "found at 1 %", "found at 5 %", "abstains"), rows)


def kinds(part: Json) -> str:
    """Shares found at 5 % of each kind of reuse, by distance and with references."""
    names = list(dict.fromkeys(
        kind for cells in part["rows"].values() for cell in cells.values() for kind in cell["kinds"]
    ))  # fmt: skip
    rows = []
    for name, cells in part["rows"].items():
        shown = []
        for kind in names:
            both = [cells[w]["kinds"][kind]["value"] for w in ("raw", "score") if w in cells]
            both = both[-1:] if name == TOGETHER else both
            shown.append(" / ".join(NONE if each is None else f"{each:.2f}" for each in both))
        rows.append((_name(name), *shown))
    return table(("found at 5 %", *names), rows)


def against(part: Json) -> str:
    """How much more all methods find together than the best ones by themselves."""
    known = part.get("together_against", {}).items()
    known = sorted((each for each in known if each[1]["value"] is not None),
                   key=lambda each: each[1]["value"])  # fmt: skip
    return table(("together finds more at 5 % than", "by"),
                 [(name, _bounded(cell, signed=True)) for name, cell in known[:6]])  # fmt: skip


def hard(found: Json) -> str:
    """How many hard strangers are accused."""
    rows = [
        (_name(name), *(f"{cell['accused']} of {cell['stated']}" if cell["stated"] else "abstains"
                        for cell in (cells[f"{alarm:g}"] for alarm in ALARMS)))
        for name, cells in found["hard"]["accused"].items()
    ]  # fmt: skip
    head = (f"accused of {found['hard']['pairs']:,} hard strangers", *(f"at {a:g}" for a in ALARMS))
    return table(head, rows)


def ranked(found: Json) -> str:
    """How many strangers are the nearest, by whom they are ranked among."""
    head = ("references", "accused as the nearest", "as one of the nearest two", "derived found")
    return table(head, ranks.lines(found["ranks"]))


def ablations(found: Json) -> str:
    """The changed ModelDiff beside the authors' logs."""
    rows = []
    for name, cells in found["ablations"].items():
        printed = EXPECTED["ablations"].get(name, {})
        shown = [f"{_right(cells.get(kind))} ({_of(*printed[kind])})" if kind in printed
                 else _right(cells.get(kind)) for kind in (*GROUPS, "all")]  # fmt: skip
        rows.append((name, *shown))
    return table(("ours (the authors')", *GROUPS, "all"), rows)


def adversaries(found: Json) -> str:
    """What is found at 5 % when suspects hide."""
    known = {name: cells for name, cells in found["adversaries"].items() if cells is not None}
    names = ["none", *(name for name in known if name != "none")]
    rows = [
        (_name(row), *(_bounded(known[name].get(row, {}).get("tpr_at_0.05")) for name in names))
        for row in known.get("none", {})
    ]
    missing = [name for name, cells in found["adversaries"].items() if cells is None]
    said = f"\nNot run yet: {', '.join(missing)}.\n" if missing else ""
    return table(("found at 5 %", *names), rows) + said


def costs(found: Json) -> str:
    """Queries and seconds: medians, and quartiles."""
    rows = [
        (_name(name), f"{cell['queries']:,}",
         *(_spread(cell[what]) for what in ("crafted", "asked", "compared")))
        for name, cell in found["costs"].items()
    ]  # fmt: skip
    return table(("method", "queries", "made, s", "a suspect asked, s", "compared, s"), rows)


def accuracies(found: Json) -> str:
    """How good the models are."""
    rows = [(name, each["models"], f"{each['least']:.3f}", f"{each['mean']:.3f}",
             f"{each['largest']:.3f}") for name, each in found["accuracies"].items()]  # fmt: skip
    return table(("task: how it was made", "models", "least", "mean", "largest accuracy"), rows)


def _name(name: str) -> str:
    return f"**{name}**" if name == TOGETHER else name


def _of(right: int, of: int) -> str:
    return f"{right} of {of}"


def _right(cell: Json | None) -> str:
    if cell is None or not cell["answered"]:
        return NONE
    silent = cell["of"] - cell["answered"]
    return _of(cell["right"], cell["of"]) + (f", {silent} silent" if silent else "")


def _bounded(cell: Json | None, *, signed: bool = False) -> str:
    if cell is None or cell["value"] is None:
        return NONE
    form = "+.2f" if signed else ".2f"
    bounds = cell.get("interval")
    between = f" ({bounds[0]:{form}} … {bounds[1]:{form}})" if bounds else ""
    return f"{cell['value']:{form}}{between}"


def _spread(quartiles: Sequence[float]) -> str:
    low, middle, high = quartiles
    return f"{middle:.3g} ({low:.3g} … {high:.3g})"
