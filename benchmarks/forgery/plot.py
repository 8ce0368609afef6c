"""What is said of forged weights at each change: forgery.svg, from results.json (matplotlib)."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "assay"
from matplotlib import pyplot  # noqa: E402 - the backend is chosen first

HERE = Path(__file__).parent
STYLES = {"public": "-", "secret": ":"}


def curves(rows: list[dict[str, Any]], what: str, way: str) -> dict[str, list[dict[str, Any]]]:
    """Rows of one way, by network."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        kind, network, name, _ = row["name"].split(" | ")
        if (kind, name) == (what, way):
            found[network].append(row)
    return found


def main() -> None:
    """Three panels."""
    rows = json.loads((HERE / "results.json").read_text())["rows"]
    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.5), sharey=True)
    shown = (("framing", "codes, public key"), ("evasion", "codes, public key"))
    for axis, (what, way) in zip(axes, shown, strict=False):
        for number, (network, points) in enumerate(curves(rows, what, way).items()):
            for key, style in STYLES.items():
                alarms = [point[key]["log10_false_alarm"] for point in points]
                label = network if key == "public" else None
                changes = [point["change"] for point in points]
                axis.plot(changes, alarms, f"o{style}", color=f"C{number}", label=label)
        axis.set(xscale="log", xlabel="relative change", title=f"{what}: {way}")
    for network, points in curves(rows, "evasion", "noise").items():
        lost = [100 * (point["before"] - point["after"]) for point in points]
        axes[2].plot(lost, [p["secret"]["log10_false_alarm"] for p in points], "o:", label=network)
    axes[2].set(xlabel="points of accuracy lost", title="evasion: noise, secret key")
    for axis in axes:
        axis.axhline(-6, color="black", linewidth=0.8)
    axes[0].set_ylabel("log10 false alarm (lines: public key, dots: secret)")
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(HERE / "forgery.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
