"""Rows of the benchmark, summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

Row = dict[str, Any]
LEVELS = (-0.5, -1, -2, -3, -4, -6)


def summary(rows: list[Row]) -> dict[str, Any]:
    """Children by disguise and design; strangers, twins, and every kind's null."""
    of = grouped(rows, lambda row: row["of"])
    return {
        "children": {
            disguise: {design: cell(found) for design, found in by_design(some).items()}
            for disguise, some in sorted(grouped(of["children"], lambda r: r["disguise"]).items())
        },
        "strangers": {design: cell(some) for design, some in by_design(of["strangers"]).items()},
        "twins": {design: cell(some) for design, some in by_design(of["twins"]).items()},
        "nulls": {
            kind: null(some) for kind, some in grouped(of["null"], lambda r: r["kind"]).items()
        },
        "tensors": tensors(of["null"]),
    }


def grouped(rows: list[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    """Rows by a key."""
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def by_design(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows of each network's design."""
    return grouped(rows, lambda row: row["design"])


def cell(rows: list[Row]) -> dict[str, Any]:
    """Means over models; the share of tensors that are found, the least tail, the longest time."""
    before = [row["before"] for row in rows if row["before"] is not None]
    words: dict[str, int] = defaultdict(int)
    for row in rows:
        for word, count in row["words"].items():
            words[word] += count
    return {
        "models": len(rows),
        "before": round(float(np.mean(before)), 3) if before else None,
        "after": round(float(np.mean([row["after"] for row in rows])), 3),
        "found": round(sum(r["found"] for r in rows) / sum(r["tensors"] for r in rows), 3),
        "least": min(row["least"] for row in rows),
        "seconds": max(row["seconds"] for row in rows),
        "words": dict(sorted(words.items())),
    }


def null(rows: list[Row]) -> dict[str, Any]:
    """How often strangers are as near as stated, and how near the nearest is to be evidence."""
    tails = np.array([row["tail"] for row in rows])
    nearest = max(rows, key=lambda row: row["correlation"] / row["evidence_from"])
    return {
        "comparisons": len(rows),
        "shares": {str(level): round(float((tails <= level).mean()), 6) for level in LEVELS},
        "least": float(tails.min()),
        "above": sum(row["correlation"] >= row["evidence_from"] for row in rows),
        "nearest": nearest,
    }


def tensors(rows: list[Row]) -> list[Row]:
    """Of each tensor and kind, the correlation that is nearest to what would be evidence there."""
    found = []
    keys = grouped(rows, lambda row: (row["design"], row["tensor"], row["kind"]))
    for (design, tensor, kind), some in sorted(keys.items()):
        nearest = max(some, key=lambda row: row["correlation"] / row["evidence_from"])
        found.append(
            {
                "design": design,
                "tensor": tensor,
                "kind": kind,
                "shape": some[0]["shape"],
                "pairs": len(some),
                "mean": round(float(np.mean([row["correlation"] for row in some])), 4),
                "largest": nearest["correlation"],
                "evidence_from": nearest["evidence_from"],
            }
        )
    return found
