"""The tables of README.md, from what results.json holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from tools import NOT_COMPARED, NOTHING, SURE, UNSURE

Row = dict[str, Any]
TOOLS = ("assay", "modeldna", "provenance-kit")
ORDER = (SURE, UNSURE, NOTHING, NOT_COMPARED)
VERDICTS = {
    "derived": {SURE: "found", NOTHING: "**missed**"},
    "independent": {SURE: "**accused**", NOTHING: "cleared"},
    "common start": {SURE: "related", NOTHING: "nothing said"},
}


def written(results: dict[str, Any], page: Path) -> None:
    """Puts the tables between their marks."""
    text = page.read_text()
    for name, table in (
        ("pairs", of_pairs(results["pairs"])),
        ("search", of_search(results["search"])),
        ("cost", of_cost(results)),
    ):
        before, rest = text.split(f"<!-- {name} -->\n")
        _, after = rest.split(f"<!-- /{name} -->\n")
        text = f"{before}<!-- {name} -->\n{table}<!-- /{name} -->\n{after}"
    page.write_text(text)


def lines(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    body = [head, ["---"] * len(head), *rows]
    return "\n" + "\n".join("| " + " | ".join(row) + " |" for row in body) + "\n\n"


def of_pairs(rows: list[Row]) -> str:
    """A line for each case, a column for each tool, and one for weights alone."""
    table = []
    for case in dict.fromkeys(row["case"] for row in rows):
        of_case = [row for row in rows if row["case"] == case]
        truth = of_case[0]["truth"]
        by_tool = {tool: [row for row in of_case if row["tool"] == tool] for tool in TOOLS}
        kit = by_tool["provenance-kit"]
        alone = counted([row["weights"] or NOT_COMPARED for row in kit], truth)
        cells = [f"{counted([r['means'] for r in some], truth)}: {said(some)}"
                 for some in by_tool.values()]  # fmt: skip
        scores = [row["score"] for row in kit if row["score"] is not None]
        spread = f": {min(scores):.2f} – {max(scores):.2f}" if scores else ""
        table.append([case, truth, *cells, alone + spread])
    head = ["case", "truth", *TOOLS, "provenance-kit, its score of weights alone"]
    return lines(head, table)


def counted(means: list[str], truth: str) -> str:
    """How many came to what."""
    counts = Counter(means)
    words = VERDICTS[truth]
    return ", ".join(f"{words.get(m, m)} {counts[m]}" for m in ORDER if counts[m])


def said(rows: list[Row]) -> str:
    """A tool's own words, most frequent first."""
    counts = Counter(row["words"] for row in rows if row["words"] != row["means"])
    return "; ".join(f"*{w}*" + (f" × {n}" if n > 1 else "") for w, n in counts.most_common())


def of_search(rows: list[Row]) -> str:
    """A line for each case, two columns."""
    table = []
    for case in dict.fromkeys(row["case"] for row in rows):
        cells = []
        for tool in TOOLS[:2]:
            some = [row for row in rows if (row["case"], row["tool"]) == (case, tool)]
            counts = Counter(row["means"] for row in some)
            own = ", ".join(f"{m} {counts[m]}" for m in ORDER if counts[m])
            accused, unsure = (sum(len(row[how]) for row in some) for how in ("accused", "unsure"))
            cells += [f"{own} {said(some)}".rstrip(), f"{accused}, unsure {unsure}"]
        table.append([case, *cells])
    head = ["suspect", "assay of its source", "others named", "modeldna of its source"]
    return lines([*head, "others named"], table)


def of_cost(results: dict[str, Any]) -> str:
    """Medians over all questions that were answered, and their ratio to the first tool's."""
    kinds = {
        f"compare, {truth}": [row for row in results["pairs"] if row["truth"] == truth]
        for truth in VERDICTS
    }
    table = []
    for kind, rows in {**kinds, "one among all": results["search"]}.items():
        answered = [row for row in rows if row["means"] != NOT_COMPARED]
        first = None
        for tool in TOOLS:
            some = [row for row in answered if row["tool"] == tool and row["mib"] is not None]
            if some:
                cost = tuple(median(row[what] for row in some) for what in ("cpu_s", "mib"))
                first = first or cost
                ratios = [f"{mine / other:.1f}" for mine, other in zip(cost, first, strict=True)]
                values = [f"{cost[0]:.1f}", ratios[0], f"{cost[1]:.0f}", ratios[1]]
                table.append([kind, tool, str(len(some)), *values])
    head = ["", "tool", "answers", "s of one core", "× assay", "MiB", "× assay"]
    return lines(head, table)
