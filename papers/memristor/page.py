"""The tables of README.md, between its marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]
FLAWS = ("noise 5 %", "noise 10 %", "noise 20 %", "stuck on 1.75 %, off 9.04 %")


def tables(results: Json) -> dict[str, str]:
    """What stands between the marks."""
    return {name: make(results) for name, make in TABLES.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [[*head], ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def figures(results: Json) -> str:
    """Power and area of each network, dense and tiled, beside the paper's."""
    rows = []
    for name, found in results["networks"].items():
        printed = found["printed"]
        rows.append((name, f"{found['ratio']}x", "the paper", _two(printed["crossbar_area"]),
                     _two(printed["power"]), _two(printed["area"]), ""))  # fmt: skip
        for kind in ("dense", "tiled, columns", "tiled, filters and columns"):
            each = found[kind]
            alone = _two(found["crossbar_area_alone"]) if kind == "dense" else _tiles(each)
            off = f"{each['power_off']:+.2f}, {each['area_off']:+.2f}"
            rows.append(("", "", kind, alone, _two(each["power"]), _two(each["area"]), off))
    head = ("network", "ratio", "counted", "crossbars alone", "power", "area", "off by")
    return table(head, rows)


def variants(results: Json) -> str:
    """What other designs would give."""
    names = {
        "dense": "as above",
        "dense_with_shared_adc": "one ADC for all arrays of a place",
        "dense_with_buffer": "with a buffer for activations",
    }
    rows = [
        (name, shown, _two(found[kind]["power"]), _two(found[kind]["area"]))
        for name, found in results["networks"].items()
        for kind, shown in names.items()
    ]
    return table(("network", "dense", "power", "area"), rows)


def components(results: Json) -> str:
    """What one of each takes."""
    rows = [
        (each["component"].replace("_", " "), each["area_um2"], each["power_w"], each["source"])
        for each in results["components"]
    ]
    return table(("component", "µm²", "W", "source"), rows)


def sensitivity(results: Json) -> str:
    """The least and the largest figure when a component is halved or doubled."""
    rows = []
    for name in {row["component"]: None for row in results["sensitivity"]}:
        found = [row for row in results["sensitivity"] if row["component"] == name]
        cells = [
            f"{_two(row[network]['dense'][place])}"
            for network in ("VGG-16", "ResNet-18")
            for place in (0, 1)
            for row in found
        ]
        cells += [_two(row["ConvNet"]["tiled"][1]) for row in found]
        cells += [_two(row["LeNet-5"]["tiled"][1]) for row in found]
        paired = [f"{a} … {b}" for a, b in zip(cells[::2], cells[1::2], strict=True)]
        rows.append((name.replace("_", " "), *paired))
    head = ("halved … doubled", "VGG-16 power", "VGG-16 area", "ResNet-18 power",
            "ResNet-18 area", "ConvNet area, tiled", "LeNet-5 area, tiled")  # fmt: skip
    return table(head, rows)


def accuracies(results: Json) -> str:
    """LeNet-5: each row of the ledger's networks."""
    rows = []
    for row in results["rows"]:
        kept = min(row["reduction"]) if "reduction" in row else 1
        made = f"{row['group']}s, {row['bits']} bits" if row["bits"] else (
            "dense" if row["wanted_ratio"] == 1 else f"{row['group']}s, pruned"
        )  # fmt: skip
        loss = _mean(row["loss"], signed=True) if "loss" in row else ""
        read = [_mean(row[kind], signed=True) if kind in row else "" for kind in
                ("converters", "converters, noise 10 %")]  # fmt: skip
        rows.append((row["data"], f"{kept:.2f}x", made, len(row["seeds"]),
                     _mean(row["accuracy"]), loss, *read))  # fmt: skip
    head = ("data", "ratio", "made", "seeds", "accuracy, %", "loss, points", "more with converters",
            "and noise of 10 %")  # fmt: skip
    return table(head, rows)


def flaws(results: Json) -> str:
    """Accuracy with flaws alone: means over draws and seeds."""
    rows = [
        (row["data"], f"{row['wanted_ratio']}x {row['group']}s", row["bits"],
         _mean(row["crossbars"]), *(_mean(row["flaws"][name]) for name in FLAWS))
        for row in results["rows"] if row["bits"]
    ]  # fmt: skip
    return table(("data", "network", "bits", "no flaw", *FLAWS), rows)


def layers(results: Json) -> str:
    """Weights left by layer, and arrays of 32 x 32, of the first seed's networks."""
    rows = []
    for run in results["runs"]:
        if run["seed"] == 0 and "arrays" in run and run["bits"] in (0, 5):
            after = next(each for kind, each in run["arrays"].items() if kind.endswith("after"))
            bits = run["bits"] or 9
            left = " / ".join(f"{count:,}" for count in run["left"].values())
            rows.append((run["data"], f"{run['reduction']}x {run['group']}s", left,
                         f"{sum(run['left'].values()):,}", bits, after["dense"],
                         after["tiled"]))  # fmt: skip
    head = ("data", "network", "weights left by layer", "together", "bits", "arrays, dense",
            "arrays, tiled")  # fmt: skip
    return table(head, rows)


def _tiles(found: Json) -> str:
    before, after = found["tiles"]
    return f"{before} to {after} tiles"


def _mean(found: Json, *, signed: bool = False) -> str:
    text = f"{found['mean']:+.2f}" if signed else f"{found['mean']:.2f}"
    return text if found["interval"] is None else f"{text} ± {found['interval']:.2f}"


def _two(value: float) -> str:
    return f"{value:.2f}"


TABLES: dict[str, Callable[[Json], str]] = {
    "figures": figures,
    "variants": variants,
    "components": components,
    "sensitivity": sensitivity,
    "accuracies": accuracies,
    "flaws": flaws,
    "layers": layers,
}
