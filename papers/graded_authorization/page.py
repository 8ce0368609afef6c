"""results.json and the tables of README.md, from the ledger's entries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from plan import DENSE, DENSENET, PENALTIES, VGG_16, VGG_19, Scope

import assay
from assay.zoo.experiments import hardware

Json = dict[str, Any]
EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text())
TOPS = ("top1", "top3")
NEAR_CHANCE, GAINED, APART = 5.0, 20.0, 5.0  # points; see grades


def results(entries: Sequence[Json], scope: Scope, device: str) -> Json:
    """All that was measured, by kind."""
    kinds: dict[str, list[Json]] = {}
    for entry in entries:
        kept = {k: v for k, v in entry.items() if k not in ("key", "behavior", "kind")}
        kinds.setdefault(entry["kind"], []).append(kept)
    return {
        "command": "python papers/graded_authorization/run.py --sets FOLDER",
        "machine": f"{hardware()}; one thread, beside other work" if device == "cpu" else device,
        "versions": {"assay": assay.__version__, "torch": torch.__version__},
        "width": scope.width,
        "data": [*scope.data],
        "cpu_seconds": round(sum(entry["cpu_seconds"] for entry in entries), 1),
        **kinds,
    }


def tables(found: Json) -> dict[str, str]:
    """Each table of the page by its name."""
    return {
        "networks": _networks(found.get("trained", [])),
        "table1": _table_1(found),
        "table2": _table_2(found),
        "table3": _table_3(found),
        "rates": _rates(found),
        "levels": _levels(found.get("levels", [])),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _over(values: Sequence[float]) -> str:
    """The mean over seeds, and from the smallest to the largest; nothing of nothing."""
    if not values:
        return ""
    if max(values) - min(values) < 0.05:
        return f"{mean(values):.1f}"
    return f"{mean(values):.1f} ({min(values):.1f}–{max(values):.1f})"


def _cells(entries: Iterable[Json], *names: str) -> dict[tuple[Any, ...], list[Json]]:
    """Entries that differ in their seeds alone, by what they have in common."""
    cells: dict[tuple[Any, ...], list[Json]] = {}
    for entry in entries:
        cells.setdefault(tuple(entry[name] for name in names), []).append(entry)
    return cells


def grades(pruned: Sequence[float], tuned: Sequence[float], chance: float) -> list[str]:
    """Which rates, rising, may be used, and as which level, in the paper's way.

    × where a pruned model is not near chance, or tuning does not bring it far above that.  Level 1
    is the rate of the highest tuned accuracy; each further one the next whose is clearly lower.
    """
    usable = [
        low <= chance + NEAR_CHANCE and high >= low + GAINED
        for low, high in zip(pruned, tuned, strict=True)
    ]
    said = ["usable" if each else "×" for each in usable]
    if any(usable):
        place = max((i for i, each in enumerate(usable) if each), key=lambda i: tuned[i])
        said[place], last, level = "Level 1", tuned[place], 1
        for later in range(place + 1, len(said)):
            if usable[later] and tuned[later] <= last - APART:
                level, last = level + 1, tuned[later]
                said[later] = f"Level {level}"
    return said


def _networks(entries: Sequence[Json]) -> str:
    rows = [
        (
            data, network, penalty, len(own), f"{own[0]['channels']:,}",
            f"{own[0]['parameters']:,}", _over([e["judged"]["top1"] for e in own]),
            _over([e["judged"]["top3"] for e in own]),
            "" if penalty == DENSE else f"{100 * mean(e['near_zero'] for e in own):.0f} %",
        )
        for (data, network, penalty), own in _cells(entries, "data", "network", "penalty").items()
    ]  # fmt: skip
    head = ("data", "network", "trained", "seeds", "channels", "parameters", "top-1, %", "top-3, %")
    return _table((*head, "scales below .05"), rows)


def _alike(found: Json) -> list[Json]:
    """Those that were tuned as all rates are."""
    return [e for e in found.get("tuned", []) if e["step"] is None and "tuned" in e]


def _by_rate(entries: Sequence[Json]) -> list[tuple[str, ...]]:
    """A row for each rate of one network, data set and penalty."""
    cells = _cells(sorted(entries, key=lambda e: e["rate"]), "rate")
    pruned = [[e["pruned"]["top1"] for e in own] for own in cells.values()]
    tuned = [[e["tuned"]["top1"] for e in own] for own in cells.values()]
    chance = 100 / len(entries[0]["pruned"]["one"]["probabilities"])
    said = grades([mean(each) for each in pruned], [mean(each) for each in tuned], chance)
    return [
        (
            f"{rate:g} %", f"{own[0]['removed']} of {own[0]['of']}", _over(low),
            _over([e["statistics_anew"] for e in own]), _over(high),
            _over([e["tuned"]["top3"] for e in own]), level,
        )
        for ((rate,), own), low, high, level in zip(cells.items(), pruned, tuned, said, strict=True)
    ]  # fmt: skip


_BY_RATE = (
    "rate", "channels removed", "pruned", "pruned, statistics anew", "tuned, top-1", "top-3",
    "level",
)  # fmt: skip


def _table_1(found: Json) -> str:
    own = [e for e in _alike(found) if e["network"] == VGG_19]
    paper = {f"{row['rate']:g} %": row for row in EXPECTED["table1"]["rows"]}
    rows = []
    for (data, penalty), entries in _cells(own, "data", "penalty").items():
        for row in _by_rate(entries):
            stated = paper[row[0]]
            tuned = "" if "tuned" not in stated else f"{stated['tuned']:.2f}, {stated['level']}"
            rows.append((data, penalty, *row, tuned or stated["said"]))
    return _table(("data", "penalty", *_BY_RATE, "paper, on CIFAR-10"), rows)


def _rates(found: Json) -> str:
    others = [e for e in _alike(found) if e["network"] != VGG_19]
    rows = []
    for (network, *rest), own in _cells(others, "network", "data", "penalty").items():
        rows += [(network, *rest, *row) for row in _by_rate(own)]
    return _table(("network", "data", "penalty", *_BY_RATE), rows)


def _table_2(found: Json) -> str:
    own = [e for e in found.get("tuned", []) if e["step"] is not None and e["network"] == DENSENET]
    rows: list[tuple[object, ...]] = []
    for (data, penalty, rate), entries in _cells(own, "data", "penalty", "rate").items():
        about = (data, penalty, f"{rate:g} %", _over([e["pruned"]["top1"] for e in entries]))
        for (step,), some in _cells(entries, "step").items():
            well = [e["tuned"] for e in some if "tuned" in e]
            lost = f"{len(some) - len(well)} of {len(some)} diverged"
            said = (_over([e["top1"] for e in well]), _over([e["top3"] for e in well]))
            rows.append((*about, f"rate of learning {step:g}", *(said if well else (lost, ""))))
        for points, each in _met(found, DENSENET, data, penalty, several=True):
            epochs = _over([level["epoch"] for level in each])
            top1, top3 = (_over([level["tuned"][top] for level in each]) for top in TOPS)
            name = f"small steps until {points:g} below, {epochs or 'too many'} epochs"
            rows.append((*about, name, top1 or "not met", top3))
    head = ("data", "penalty", "rate", "pruned", "tuned by", "tuned, top-1", "top-3")
    return _table(head, rows)


def _met(
    found: Json, network: str, data: str, penalty: str, several: bool
) -> list[tuple[float, list[Json]]]:
    """Of each level that was asked for, how many points below the original, and where it was met.

    ``several``: whether the levels of one rate are meant, or those with a rate each.
    """
    by_points: dict[float, list[Json]] = {}
    for entry in found.get("levels", []):
        about = (entry["network"], entry["data"], entry["penalty"])
        if about != (network, data, penalty) or (len(entry["lower"]) > 1) != several:
            continue
        for points in entry["lower"]:
            met = by_points.setdefault(points, [])
            target = round(entry["original"] - points, 2)
            met += [level for level in entry["levels"] if abs(level["target"] - target) < 1e-6]
    return sorted(by_points.items())


def _table_3(found: Json) -> str:
    dense = [e for e in found.get("trained", []) if e["penalty"] == DENSE]
    rows: list[tuple[object, ...]] = []
    for (data,), own in _cells((e for e in dense if e["network"] == VGG_16), "data").items():
        rows.append((data, "", "original", *_one([e["judged"]["one"] for e in own])))
        for penalty in PENALTIES:
            met = _met(found, VGG_16, data, penalty, several=False)
            for number, (_, levels) in enumerate(met, 1):
                said = _one([e["tuned"]["one"] for e in levels]) if levels else ("not met", "", "")
                rows.append((data, penalty, f"Level {number}", *said))
            last = [
                e["pruned"]["one"]
                for e in found.get("levels", [])
                if (e["network"], e["data"], e["penalty"]) == (VGG_16, data, penalty)
                and e["rate"] == max(x["rate"] for x in found["levels"])
            ]
            if last:
                rows.append((data, penalty, "pruned at 10 %", *_one(last)))
    head = ("data", "penalty", "level", "top-1, %", "top-3, %")
    return _table((*head, "mean probability of each class, %"), rows)


def _one(several: Sequence[Json]) -> tuple[str, str, str]:
    chances = zip(*(each["probabilities"] for each in several), strict=True)
    shown = [f"{100 * mean(each):.0f}" for each in chances]
    said = " ".join(f"**{each}**" if place == 7 else each for place, each in enumerate(shown))
    return _over([e["top1"] for e in several]), _over([e["top3"] for e in several]), said


def _levels(entries: Sequence[Json]) -> str:
    rows: list[tuple[object, ...]] = []
    for kind, cells in _cells(entries, "network", "data", "penalty").items():
        for several in (False, True):
            own = [e for e in cells if (len(e["lower"]) > 1) == several]
            for points, met in _met({"levels": own}, *kind, several):
                asked = [e for e in own if points in e["lower"]]
                off = [abs(level["tuned"]["top1"] - level["target"]) for level in met]
                rows.append(
                    (
                        *kind, "two" if several else "one", f"{asked[0]['rate']:g} %",
                        f"-{points:g}", f"{len(met)} of {len(asked)}",
                        _over([level["epoch"] for level in met]),
                        _over([e["pruned"]["top1"] for e in asked]),
                        *(_over([level["tuned"][top] for level in met]) for top in TOPS),
                        f"{max(off):.1f}" if off else "",
                    )
                )  # fmt: skip
    head = ("network", "data", "penalty", "method", "rate", "asked for, points", "met", "epochs")
    return _table((*head, "pruned", "top-1", "top-3", "largest miss"), rows)
