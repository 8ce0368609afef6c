"""What came out: means over seeds with intervals of paired differences, and the README's tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from plan import LONGER, ROWS, TWINS

import assay
from assay.zoo.experiments import hardware, paired

Json = dict[str, Any]
EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())


def results(entries: Sequence[Json]) -> Json:
    """Of each data set and row: every seed's network, and the mean loss against its dense twin."""
    cells = []
    for data in dict.fromkeys(entry["data"] for entry in entries):
        known = {(e["row"], e["seed"]): e for e in entries if e["data"] == data}
        for row in ROWS:
            made = [entry for (name, _), entry in known.items() if name == row]
            if made:
                cells.append(cell(data, row, made, known))
    return {
        "command": "python papers/admm_pruning/run.py",
        "hardware": f"{hardware()}; one thread, beside other work",
        "versions": {"assay": assay.__version__, "torch": torch.__version__},
        "data": EXPECTED["data"],
        "cells": cells,
    }


def cell(data: str, row: str, made: Sequence[Json], known: dict[tuple[str, int], Json]) -> Json:
    """One row of one data set."""
    found: Json = {"data": data, "row": row, "seeds": [entry["seed"] for entry in made]}
    found["accuracy"] = round(100 * mean(entry["accuracy"] for entry in made), 3)
    for twin, name in ((TWINS.get(row), "lost"), (LONGER, "lost_to_longer")):
        if row not in TWINS or (
            name == "lost_to_longer" and (row == LONGER or "left" not in made[0])
        ):
            continue
        pairs = [
            (known[twin, entry["seed"]]["accuracy"], entry["accuracy"])
            for entry in made
            if (twin, entry["seed"]) in known
        ]
        if pairs:
            found[name] = paired([100 * (dense - own) for dense, own in pairs])
    first = made[0]
    if "left" in first:
        found |= {key: first[key] for key in ("left", "of")}
        found["reduction"] = round(first["of"] / sum(first["left"].values()), 2)
    if "parameters" in first:
        found["parameters"] = first["parameters"]
    if "multiply_adds" in first:
        found["multiply_adds"] = [entry["multiply_adds"] for entry in made]
    found["runs"] = [
        {key: entry[key] for key in ("seed", "accuracy", "on_training", "seconds", "cpu_seconds")}
        | ({"residuals": last(entry)} if "residuals" in entry else {})
        for entry in made
    ]
    return found


def last(entry: Json) -> list[float]:
    """‖W − Z‖/‖W‖ of each layer after the last update."""
    return [residuals[-1] for residuals in entry["residuals"].values()]


def tables(found: Json) -> dict[str, str]:
    """What stands between the marks of README.md."""
    return {"losses": losses(found), "counts": counts(found)}


def losses(found: Json) -> str:
    """Accuracy of every row, and what is lost."""
    lines = [
        "| data | row | weights left | seeds | accuracy, % | lost against the dense twin, points |"
        " against the one trained as long |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found["cells"]:
        left = f"{sum(each['left'].values()):,} ({each['reduction']:g}x)" if "left" in each else ""
        lines.append(
            f"| {each['data']} | {each['row']} | {left} | {len(each['seeds'])} |"
            f" {each['accuracy']:.2f} | {_said(each.get('lost'))} |"
            f" {_said(each.get('lost_to_longer'))} |"
        )
    return "\n".join(lines) + "\n"


def counts(found: Json) -> str:
    """What is left of each layer, and what is multiplied."""
    lines = [
        "| data | row | layer | weights left | of | multiply-adds | of | without dead channels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in found["cells"]:
        if "multiply_adds" not in each:
            continue
        after = [seed["after"] for seed in each["multiply_adds"]]
        for layer in [*after[0], "all"]:
            kinds = [_total(one, layer) for one in after]
            left = each["left"].get(f"{layer}.weight")
            if layer == "all":
                left = sum(each["left"].values())
            whole = each["of"] if layer == "all" else ""
            lines.append(
                f"| {each['data']} | {each['row']} | {layer} | {'all' if left is None else left} |"
                f" {whole} | {mean(k['nonzero'] for k in kinds):,.0f} | {kinds[0]['dense']:,} |"
                f" {mean(k['live'] for k in kinds):,.0f} |"
            )
    return "\n".join(lines) + "\n"


def _total(layers: Json, layer: str) -> Json:
    if layer != "all":
        return dict(layers[layer])
    kinds = ("dense", "nonzero", "live")
    return {kind: sum(each[kind] for each in layers.values()) for kind in kinds}


def _said(lost: Json | None) -> str:
    if lost is None:
        return ""
    low, high = lost.get("interval", (None, None))
    interval = "" if low is None else f" [{low:+.2f}, {high:+.2f}]"
    return f"{lost['mean']:+.3f}{interval}"
