"""results.json and the tables of README.md, from the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Any

from plan import Scope

from assay.zoo.experiments import hardware

Json = dict[str, Any]
WANTED = -6.0  # log₁₀ of the false alarm at which a mark is found


def results(entries: Sequence[Json], scope: Scope) -> Json:
    """All that was measured, by kind."""
    kinds: dict[str, list[Json]] = {}
    for entry in entries:
        kept = {k: v for k, v in entry.items() if k not in ("key", "behavior", "kind")}
        kinds.setdefault(entry["kind"], []).append(kept)
    return {
        "command": "python papers/ingrain/run.py --sets FOLDER --families FOLDER",
        "machine": hardware(),
        "data": scope.data,
        "pictures": {"owner": scope.pictures, "thief": scope.pictures, "test": scope.judged},
        "cpu_seconds": round(sum(entry["cpu_seconds"] for entry in entries), 1),
        **kinds,
    }


def tables(found: Json) -> dict[str, str]:
    """Each table of the page by its name."""
    return {
        "students": _students(found.get("student", [])),
        "marked": _marked(found.get("marked", [])),
        "baselines": _baselines(found.get("baseline", [])),
        "attacks": _attacks(found.get("attack", [])),
        "alarms": _alarms(found),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _students(entries: Sequence[Json]) -> str:
    rows = []
    for kind in dict.fromkeys(tuple(e["detail"]) for e in entries):
        own = [e for e in entries if tuple(e["detail"]) == kind]
        for seen in ("scores", "labels"):
            tails = sorted(e[seen]["log10"] for e in own)
            carried = sum(tail <= WANTED for tail in tails)
            foreign = sorted(e["unforeseen"][seen] for e in own)
            without = sum(tail <= WANTED for tail in foreign)
            wrong = max(e[seen]["best_wrong"] for e in own)
            rows.append(
                (
                    *kind, f"{mean(e['accuracy'] for e in own):.2f}", seen,
                    f"{carried} of {len(own)}", f"{tails[len(tails) // 2]:.1f}",
                    f"{tails[-1]:.1f}", f"{min(e[seen]['score'] for e in own):.3f}",
                    f"{wrong:.3f}", f"{without} of {len(own)}, {foreign[-1]:.1f}",
                )
            )  # fmt: skip
    head = ("student", "answers learned", "accuracy, %", "asked for", "carried", "median log₁₀ p")
    more = ("weakest log₁₀ p", "lowest score", "best of all wrong keys", "unforeseen, weakest")
    return _table((*head, *more), rows)


def _marked(entries: Sequence[Json]) -> str:
    rows = [
        (
            e["run"], f"{e['before']:.2f}", f"{e['lost']:+.2f}", f"{e['scores']['log10']:.1f}",
            f"{e['scores']['score']:.3f}", f"{e['labels']['log10']:.1f}",
            "yes" if e["scores"]["payload"] else "no",
        )
        for e in entries
    ]  # fmt: skip
    if entries:
        lost = mean(e["lost"] for e in entries)
        rows.append(("mean", "", f"{lost:+.2f}", "", "", "", ""))
    head = ("run", "accuracy before, %", "lost, points", "log₁₀ p", "score")
    return _table((*head, "log₁₀ p, labels alone", "payload reads"), rows)


def _baselines(entries: Sequence[Json]) -> str:
    rows = []
    for e in entries:
        cells = {n: c for n, c in e.items() if isinstance(c, dict)}
        shown = [f"{c['score']:.2f}, {c['log10']:.1f}" for c in cells.values()]
        rows.append((e["detail"][0], f"{e['lost']:+.2f}", *shown))
    names = [n for n, c in entries[0].items() if isinstance(c, dict)] if entries else []
    return _table(("mark", "lost, points", *names), rows)


def _attacks(entries: Sequence[Json]) -> str:
    rows = [
        (
            e["detail"][0], f"{e['accuracy']:.2f}", f"{e['scores']['score']:.3f}",
            f"{e['scores']['log10']:.1f}", f"{e['labels']['log10']:.1f}",
        )
        for e in entries
    ]  # fmt: skip
    return _table(("attack", "accuracy, %", "score", "log₁₀ p", "log₁₀ p, labels alone"), rows)


def _alarms(found: Json) -> str:
    rows = []
    for entry in found.get("wrong keys", []):
        rows += [("wrong keys", name, a) for name, a in entry["suspects"].items()]
    for entry in found.get("clean models", []):
        rows.append(("a key each", f"{entry['keys']} clean models", entry))
    cells = (
        (
            what, where, a["keys"], _interval(a["1e-2"], a["keys"]),
            _interval(a["1e-3"], a["keys"]), a["lowest"],
        )
        for what, where, a in rows
    )  # fmt: skip
    head = ("what", "in", "keys", "at or below 1e-2", "at or below 1e-3", "lowest log₁₀ p")
    return _table(head, cells)


def _interval(count: int, of: int) -> str:
    """A rate with its 95 % interval [Clopper and Pearson, 1934]."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return f"{count} ({low:.4f}–{high:.4f})"
