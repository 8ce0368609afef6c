"""The tables of README.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

FIRST, SECOND = "garments", "digits"  # editions; the tables of the second are named after it
PARTS = ("references", "twins", "disguises", "budgets")


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """The tables of README.md, of all editions."""
    found = {edition: _tables(known) for edition, known in results.items()}
    return {
        f"{part}{suffix}": found.get(edition, {}).get(part, "Not run yet.\n")
        for edition, suffix in ((FIRST, ""), (SECOND, f"-{SECOND}"))
        for part in PARTS
    }


def _tables(results: Mapping[str, Any]) -> dict[str, str]:
    kinds = [
        f"{how}-{to}"
        for how in ("soft", "hard", "adversarial", "foreign")
        for to in ("same", "other")
    ]

    def row(name: str, each: Mapping[str, Any], last: object) -> str:
        cells = [each["kinds"].get(k, [0, 0, 0]) for k in kinds]
        low, high = each["interval"]
        words = [f"{a} of {b}" if b else "–" for a, b, _ in cells]
        return (
            f"| {name} | {' | '.join(words)} | {each['found']:.2f} ({low:.2f}–{high:.2f}) |"
            f" {each['auc']:.3f} | {last} |\n"
        )

    def table(rows: Mapping[str, Any], last: str, of: Callable[[Any], object]) -> str:
        head = f"| method | {' | '.join(kinds)} | found | AUC | {last} |\n"
        return (
            head
            + "|---" * (len(kinds) + 4)
            + "|\n"
            + "".join(row(n, e, of(e)) for n, e in sorted(rows.items(), key=lambda x: -x[1]["auc"]))
        )

    def accused(each: Any) -> str:
        count, of, expected = each["accused"]
        return f"{count} of {of} ({expected:g})"

    found = results["disguises"]
    columns = [key for key in next(iter(found.values())) if key not in ("accuracy", "diverted")]
    lines = [
        f"| thief | accuracy | {' | '.join(c.replace('among_', 'among ') for c in columns)} |\n"
    ]
    lines.append("|---" * (len(columns) + 2) + "|\n")
    for name, each in found.items():
        cells = [f"{each[c][0]} of {each[c][1]}" if each[c][1] else "abstains" for c in columns]
        lines.append(f"| {name} | {np.mean(each['accuracy']):.3f} | {' | '.join(cells)} |\n")
    counts = "| queries | among references: found, AUC | among twins: found, AUC |\n|---|---|---|\n"
    for count, each in results["budgets"].items():
        cells = [f"{e['found']:.2f}, {e['auc']:.3f}" for e in each.values()]
        counts += f"| {count} | {' | '.join(cells)} |\n"
    return {
        "references": table(results["references"], "AUC, as good", lambda e: e["matched"]),
        "twins": table(results["twins"], "strangers accused (by chance)", accused),
        "disguises": "".join(lines),
        "budgets": counts,
    }
