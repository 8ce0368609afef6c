"""Ledger lines to rows: mean, deviation and interval of the paired losses over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from assay.zoo.experiments import half_width

Json = dict[str, Any]


def summary(entries: Sequence[Json]) -> Json:
    """Rows by data, ratio, groups and bits; and every line as it is."""
    dense = {(e["data"], e["seed"]): e["accuracy"] for e in entries if e["ratio"] == 1}
    groups: dict[tuple[Any, ...], list[Json]] = {}
    for entry in entries:
        place = (entry["data"], entry["ratio"], entry["group"], entry["bits"])
        groups.setdefault(place, []).append(entry)
    rows = [_row(place, found, dense) for place, found in groups.items()]
    return {"rows": rows, "runs": [*entries]}


def _row(place: tuple[Any, ...], found: list[Json], dense: dict[tuple[str, int], float]) -> Json:
    data, ratio, group, bits = place
    row: Json = {
        "data": data,
        "wanted_ratio": ratio,
        "group": group,
        "bits": bits,
        "seeds": [entry["seed"] for entry in found],
        "accuracy": spread([entry["accuracy"] for entry in found]),
        "seconds": round(sum(entry["seconds"] for entry in found), 1),
    }
    if ratio == 1:
        return row
    row["loss"] = spread([dense[data, entry["seed"]] - entry["accuracy"] for entry in found])
    row["left"] = [entry["left"] for entry in found]
    row["reduction"] = [entry["reduction"] for entry in found]
    row["arrays"] = [entry["arrays"] for entry in found]
    if bits:
        row["crossbars"] = spread([entry["crossbars"] for entry in found])
        reads = [entry["read"] for entry in found]
        for kind in ("converters", "converters, noise 10 %"):
            row[kind] = spread([read["without converters"] - read[kind] for read in reads])
        names = found[0]["flaws"]
        row["flaws"] = {n: spread([mean(entry["flaws"][n]) for entry in found]) for n in names}
    return row


def spread(values: Sequence[float]) -> Json:
    """Mean, deviation, and half of the 95 % interval of the mean."""
    off = stdev(values) if len(values) > 1 else None
    half = half_width(values)
    return {
        "mean": round(mean(values), 3),
        "deviation": None if off is None else round(off, 3),
        "interval": None if half is None else round(half, 3),
        "values": [round(value, 3) for value in values],
    }
