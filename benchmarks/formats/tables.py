"""The tables of README.md, from ``files.json`` and ``pairs.json``.

Usage: python benchmarks/formats/tables.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MARK = "<!-- tables -->"
_WAYS = {
    "equal": "equal",
    "rounding": "but for the last digit",
    "half": "as float16",
    "another layout": "with axes in another order",
}


def of_files(results: Mapping[str, Any]) -> list[str]:
    """One line a file."""
    lines = [
        "| file | format | judge | tensors | theirs | parameters | theirs | apart | layers |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, found in results.items():
        ours, theirs = found["ours"], found["theirs"]
        layers = "no graph" if found["layers"] is None else found["layers"]
        lines.append(
            f"| {name} | {found['format']} | {found['judge']} | {ours['tensors']:,} |"
            f" {theirs['tensors']:,} | {ours['numbers']:,} | {theirs['numbers']:,} |"
            f" {found['values_apart']} | {layers} |"
        )
    return lines


def of_pairs(results: list[Mapping[str, Any]]) -> list[str]:
    """One line a pair."""
    lines = [
        "| first | second | said to be | weights | only first | only second | merged graphs |",
        "|---|---|---|---|--:|--:|---|",
    ]
    for pair in results:
        found = pair["weights"]
        ways = ", ".join(f"{found[way]} {text}" for way, text in _WAYS.items() if found[way])
        only = [sum(found[side].values()) for side in ("only_first", "only_second")]
        graphs = {"none": "not both have one"}.get(pair["graphs"], pair["graphs"])
        if pair["graphs"] == "equal":
            graphs += f", {pair['layers']} layers"
        elif pair["graphs"] == "differ":
            parts = [f"{part} {count}" for part, count in pair["apart"].items() if count]
            graphs += f" ({', '.join(parts)})"
        kind = pair["kind"].replace("_", " ")
        lines.append(
            f"| {pair['first']} | {pair['second']} | {kind} | {ways} | {only[0]} | {only[1]} |"
            f" {graphs} |"
        )
    return lines


def main() -> None:
    """Puts both tables at the end of README.md."""
    page = HERE / "README.md"
    text = page.read_text().partition(MARK)[0] + MARK + "\n\n## Files\n\n"
    files = json.loads((HERE / "files.json").read_text())
    pairs = json.loads((HERE / "pairs.json").read_text())
    text += "\n".join([*of_files(files), "", "## Pairs", "", *of_pairs(pairs), ""])
    page.write_text(text)


if __name__ == "__main__":
    main()
