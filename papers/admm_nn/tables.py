"""What came out: means over seeds, intervals of paired differences, and the page's tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from scope import METHODS, VALUES

import assay
from assay.zoo.experiments import hardware, paired

Json = dict[str, Any]
EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
LAYERS = ("conv1", "conv2", "fc1", "fc2")
RATIOS = ("data_ratio", "data_section_ratio", "with_places_ratio", "file_ratio")
KEPT = (
    "seed", "dense", "accuracy", "loss", "left", "weights", "ratio", "seconds", "bit_for_bit",
    "bytes", "data_bits", *RATIOS, "deep_compression_ratio", "values",
)  # fmt: skip


def results(entries: Iterable[Json]) -> Json:
    """Of each data set, method and ratio: every seed's network, and the mean loss."""
    grouped: dict[tuple[str, str, int], list[Json]] = {}
    for entry in entries:
        grouped.setdefault((entry["data"], entry["method"], entry["wanted"]), []).append(entry)
    cells = [cell(key, runs) for key, runs in sorted(grouped.items())]
    return {
        "command": "python papers/admm_nn/run.py",
        "hardware": f"{hardware()}; one thread, beside other work",
        "versions": {"assay": assay.__version__, "torch": torch.__version__},
        "data": EXPECTED["data"],
        "cells": cells,
        "convergence": convergence(grouped),
        "not_run": EXPECTED["not_run"],
    }


def cell(key: tuple[str, str, int], runs: Sequence[Json]) -> Json:
    """One method at one ratio."""
    data, method, ratio = key
    first = runs[0]
    return {
        "data": data,
        "method": method,
        "ratio": ratio,
        "epochs": first["epochs"],
        "dense": round(mean(run["dense"] for run in runs), 3),
        "accuracy": round(mean(run["accuracy"] for run in runs), 3),
        "loss": paired([run["loss"] for run in runs]),
        "runs": [{name: run[name] for name in KEPT if name in run} for run in runs],
    }


def convergence(grouped: Mapping[tuple[str, str, int], Sequence[Json]]) -> list[Json]:
    """How far weights are from the few that stay, and the loss, epoch by epoch, of one seed."""
    found = []
    for data, ratio in sorted({(data, ratio) for data, _, ratio in grouped}):
        both = [grouped.get((data, method, ratio)) for method in ("admm", "projected")]
        if both[0] is None or both[1] is None:
            continue
        for runs in both:
            assert runs is not None
            run = min(runs, key=lambda each: each["seed"])
            names = ("data", "method", "seed", "residuals", "drawing")
            found.append({"ratio": ratio, **{name: run[name] for name in names}})
    return found


def tables(found: Json) -> dict[str, str]:
    """What stands between the marks of README.md."""
    return {"curve": curve(found), "split": split(found), "files": files(found)}


def curve(found: Json) -> str:
    """Loss by ratio and method."""
    lines = ["| data | ratio | weights left | " + " | ".join(METHODS) + " |"]
    lines.append("|---" * (3 + len(METHODS)) + "|")
    cells = {(c["data"], c["ratio"], c["method"]): c for c in found["cells"]}
    for data, ratio in sorted({(c["data"], c["ratio"]) for c in found["cells"]}, reverse=True):
        row = [cells.get((data, ratio, method)) for method in METHODS]
        weights = next((c["runs"][0]["weights"] for c in row if c), None)
        if weights is not None:
            said = " | ".join(_said(c) for c in row)
            lines.append(f"| {data} | {ratio}x | {weights:,} | {said} |")
    return "\n".join(lines) + "\n"


def split(found: Json) -> str:
    """How many weights of each layer are left."""
    lines = ["| data | ratio | " + " | ".join(LAYERS) + " | all |", "|---" * 7 + "|"]
    for each in sorted(found["cells"], key=lambda c: (c["data"], c["ratio"]), reverse=True):
        if each["method"] == METHODS[0]:
            run = each["runs"][0]
            counts = " | ".join(f"{count:,}" for count in run["left"].values())
            lines.append(f"| {each['data']} | {each['ratio']}x | {counts} | {run['weights']:,} |")
    return "\n".join(lines) + "\n"


def files(found: Json) -> str:
    """Sizes of packed files, and what they lose."""
    lines = [
        "| data | values | seed | accuracy, % | lost, points | bits of data | data alone |"
        " with places and codebooks | as Deep Compression's gaps | file, bytes | whole file |",
        "|---" * 11 + "|",
    ]
    for each in found["cells"]:
        for run in each["runs"] if each["method"] in VALUES else ():
            lines.append(
                f"| {each['data']} | {each['method']} | {run['seed']} | {run['accuracy']:.2f} |"
                f" {run['loss']:+.2f} | {run['data_bits']:,} | {run['data_ratio']:,.0f}x |"
                f" {run['with_places_ratio']:.0f}x | {run['deep_compression_ratio']:.0f}x |"
                f" {run['bytes']['file']:,} | {run['file_ratio']:.0f}x |"
            )
    return "\n".join(lines) + "\n"


def _said(cell: Json | None) -> str:
    if cell is None:
        return "–"
    loss = cell["loss"]
    interval = loss.get("interval")
    between = f", {interval[0]:+.2f} to {interval[1]:+.2f}" if interval else ""
    return f"{loss['mean']:+.2f} ({loss['pairs']} seeds{between})"
