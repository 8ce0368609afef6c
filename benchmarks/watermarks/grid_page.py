"""results.json and the tables of README.md, from the ledger's entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plan import Scope

from assay.values import Json
from assay.zoo.experiments import hardware

DROPPED = ("key", "behavior", "kind")


def results(entries: Sequence[Json], scope: Scope) -> Json:
    """All that was measured, by kind."""
    kinds: dict[str, list[Json]] = {}
    for entry in entries:
        kept = {name: v for name, v in entry.items() if name not in DROPPED and v != ""}
        kinds.setdefault(entry["kind"], []).append(kept)
    return {
        "command": "python benchmarks/watermarks/run.py --sets FOLDER --families FOLDER",
        "machine": hardware(),
        "data": scope.data,
        "pictures": {"owner": scope.pictures, "test": scope.judged, "thief": scope.thief},
        "bits": scope.bits,
        "cpu_seconds": round(sum(entry["cpu_seconds"] for entry in entries), 1),
        **kinds,
    }


def tables(found: Json) -> dict[str, str]:
    """Each table of the page by its name."""
    return {
        "marks": _marks(found),
        "attacks": _attacks(found),
        "alarms": _alarms(found),
        "grinding": _grinding(found.get("grinding", [])),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _marks(found: Json) -> str:
    kin = {(e["scheme"], e["network"]): (e["check"], e["compare"]) for e in found.get("kin", [])}
    rows = [
        (
            e["scheme"], e["network"], f"{e['twin']:.2f}", f"{e['accuracy'] - e['twin']:+.2f}",
            f"{e['score']:.3f}", f"{e['log10']:.1f}", "yes" if e["payload"] else "no",
            *kin.get((e["scheme"], e["network"]), ("", "")),
        )
        for e in found.get("mark", [])
    ]  # fmt: skip
    head = ("watermark", "network", "unmarked twin, %", "marked, points more")
    mark = ("of the mark", "log₁₀ p", "payload reads")
    return _table((*head, *mark, "check", "compare"), rows)


def _attacks(found: Json) -> str:
    """For each network an attack a row, a watermark a column: accuracy, mark left, log₁₀ p."""
    cells = {(e["attack"], e["network"], e["scheme"]): e for e in found.get("attack", [])}
    names = dict.fromkeys(name for name, *_ in cells)
    blocks = []
    for network in dict.fromkeys(network for _, network, _ in cells):
        schemes = dict.fromkeys(scheme for _, of, scheme in cells if of == network)
        rows = [[n, *(_cell(cells.get((n, network, s))) for s in schemes)] for n in names]
        blocks.append(_table([network, *schemes], rows))
    return "\n".join(blocks)


def _cell(entry: Json | None) -> str:
    """Accuracy, share of the mark, log₁₀ p; bold where it is found at 1e-6, * with its payload."""
    if entry is None:
        return ""
    if "unfit" in entry:
        return "–"
    accuracy = "" if entry["accuracy"] is None else f"{entry['accuracy']:.1f} %, "
    left = f"{entry['score']:.2f}, {entry['log10']:.0f}"
    return f"{accuracy}{f'**{left}**' if entry['log10'] <= -6 else left}" + (
        "\\*" if entry["payload"] else ""
    )


def _alarms(found: Json) -> str:
    rows = [
        (
            kind, e["scheme"], e["network"], e["keys"],
            *(_interval(e[level], e["keys"]) for level in ("1e-2", "1e-3")), e["lowest"],
        )
        for kind in ("wrong keys", "clean models")
        for e in found.get(kind, [])
    ]  # fmt: skip
    head = ("what", "watermark", "in", "keys", "at or below 1e-2", "at or below 1e-3")
    return _table((*head, "lowest log₁₀ p"), rows)


def _grinding(entries: Sequence[Json]) -> str:
    rows = [
        (
            e["scheme"], e["network"], e["keys"], f"{e['best']:.1f}", f"{e['corrected']:.1f}",
            e["payloads"], f"{e['fitted']:.1f}",
        )
        for e in entries
    ]  # fmt: skip
    head = ("watermark", "network", "keys tried", "best log₁₀ p", "times the keys")
    return _table((*head, "payloads tried of one key", "best log₁₀ p"), rows)


def _interval(count: int, of: int) -> str:
    """A rate with its 95 % interval [Clopper and Pearson, 1934]."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return f"{count} ({low:.4f}–{high:.4f})"
