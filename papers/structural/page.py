"""results.json and the tables of README.md, from the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from plan import TOLERANCES, Scope

from assay.zoo.experiments import hardware

Json = dict[str, Any]
COMMAND = "python papers/structural/run.py --sets FOLDER --families FOLDER --others FOLDER"


def results(entries: Sequence[Json], scope: Scope) -> Json:
    """All that was measured, by kind."""
    kinds: dict[str, list[Json]] = {}
    for entry in entries:
        kept = {k: v for k, v in entry.items() if k not in ("key", "behavior", "kind")}
        kinds.setdefault(entry["kind"], []).append(kept)
    return {
        "command": COMMAND,
        "machine": hardware(),
        "data": scope.data,
        "pictures": {"training": scope.pictures, "test": scope.judged},
        "cpu_seconds": round(sum(entry["cpu_seconds"] for entry in entries), 1),
        **kinds,
    }


def tables(found: Json) -> dict[str, str]:
    """Each table of the page by its name."""
    return {
        "capacity": _capacity(found.get("capacity", [])),
        "accuracy": _accuracy(found.get("accuracy", [])),
        "derivations": _derivations(found.get("derivations", []), found.get("removal", [])),
        "tolerance": _tolerance(found.get("tolerance", [])),
        "alarms": _alarms(found),
        "forged": _forged(found.get("forged templates", [])),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _capacity(entries: Sequence[Json]) -> str:
    rows = []
    for row in (row for entry in entries for row in entry["rows"]):
        bits = (f"{there} ({most})" for there, most in row["bits"].values())
        rows.append((row["network"], row["channels"], row["layers"], *bits))
    head = ("network", "channels that", "layers")
    return _table((*head, *(f"±{t} tolerated" for t in TOLERANCES)), rows)


def _accuracy(entries: Sequence[Json]) -> str:
    rows = []
    for e in entries:
        base, marked, twin = e["accuracy"]
        left = [f"{each:,}" for each in e["parameters"]]
        row = (e["network"], e["detail"][0], f"{e['rate']:.0%}", *left)
        says = "yes" if e["payload"] else "no"
        rows.append((*row, f"{base:.1f}", f"{marked:.1f}", f"{twin:.1f}", says, e["log10"]))
    head = ("network", "key", "channels gone", "parameters", "marked", "twin")
    more = ("accuracy, %", "marked", "twin", "payload reads", "log₁₀ p")
    return _table((*head, *more), rows)


def _derivations(entries: Sequence[Json], removal: Sequence[Json]) -> str:
    more = {e["network"]: e["attacks"] for e in removal}
    entries = [{**e, "attacks": e["attacks"] | more.get(e["network"], {})} for e in entries]
    names = list(dict.fromkeys(name for e in entries for name in e["attacks"]))
    rows = []
    for group in ("keeps", "hides", "changes"):
        for name in names:
            some = [e["attacks"].get(name) for e in entries]
            if not any(a and a["group"] == group for a in some):
                continue
            cells = [
                "–"
                if a is None
                else f"{'yes' if a['payload'] else 'misread' if a['misread'] else 'lost'},"
                f" {a['log10']:.1f}, {a['accuracy']:.0f} %"
                for a in some
            ]
            rows.append((name, *cells))
    marked = (f"yes, {e['accuracy']:.0f} %" for e in entries)
    return _table(
        ("attack", *(e["network"] for e in entries)), [("none: as marked", *marked), *rows]
    )


def _tolerance(entries: Sequence[Json]) -> str:
    rows = []
    for e in entries:
        for a in e["attacks"]:
            counts = (a["recovered"], a["lost"], a["misread"])
            row = (e["network"], f"±{e['detail'][0]}", f"±{a['up_to']}", *counts)
            rows.append((*row, a["median_log10"]))
    head = ("network", "planned", "moved, up to", "recovered", "lost", "misread")
    return _table((*head, "median log₁₀ p"), rows)


def _alarms(found: Json) -> str:
    rows = []
    for entry in found.get("wrong keys", []):
        rows.append(_alarm("wrong keys", entry["network"], entry, entry["valid"]))
    for entry in found.get("clean models", []):
        for name, each in entry["templates"].items():
            rows.append(_alarm(f"clean models, {name}", f"{entry['models']} models", each, "–"))
    head = ("what", "in", "keys", "at or below 1e-2", "at or below 1e-3", "lowest log₁₀ p")
    return _table((*head, "payloads"), rows)


def _alarm(what: str, where: str, each: Json, payloads: object) -> tuple[object, ...]:
    intervals = (_interval(each[level], each["keys"]) for level in ("1e-2", "1e-3"))
    return (what, where, each["keys"], *intervals, each["lowest"], payloads)


def _forged(entries: Sequence[Json]) -> str:
    rows = [
        (e["network"], e["tries"], e["naive"], e["whole"], f"{e['lowest']:.1f}") for e in entries
    ]
    head = ("network", "tries", "all symbols, words drawn without the template")
    return _table((*head, "all symbols, as it is", "lowest log₁₀ p"), rows)


def _interval(count: int, of: int) -> str:
    """A rate with its 95 % interval [Clopper and Pearson, 1934]."""
    from scipy.stats import beta

    if not of:
        return "–"
    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return f"{count} ({low:.4f}–{high:.4f})"
