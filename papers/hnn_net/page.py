"""The tables of README.md, written from results.json and expected.json so that they stay true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from assay.zoo import experiments

Json = dict[str, Any]
MEASURES = ("recall", "precision", "f1")
BEYOND = {
    "family_map": "family mAP",
    "model_map": "model mAP",
    "model_map_reranked": "model mAP, re-ranked",
    "ndcg": "nDCG",
    "precision_within_2": "precision in radius 2",
    "distinct_codes": "distinct codes",
    "bit_entropy": "bit entropy",
    "accuracy": "category accuracy",
    "seconds": "training, s",
}


def with_tables(page: str, found: Json, expected: Json) -> str:
    """The page with the text between each pair of markers written anew."""
    makers: dict[str, Callable[[Json, Json], Iterator[str]]] = {
        "table2": table2,
        "beyond": beyond,
        "distances": distances,
        "figure7": figure7,
        "search": search,
        "made": made,
        "time": time,
    }
    tables = {n: "".join(f"{line}\n" for line in m(found, expected)) for n, m in makers.items()}
    return experiments.with_tables(page, tables)


def table2(found: Json, expected: Json) -> Iterator[str]:
    """Ours over the paper's, cell by cell."""
    for data in dict.fromkeys(cell["data"] for cell in found["table2"]):
        yield f"**{data.capitalize()} data**: recall / precision / F1"
        yield ""
        yield from _grid(found["table2"], data, lambda cell: _beside(cell, expected, MEASURES))
        yield ""
    ceiling = found["ceiling"]
    yield "The ceiling is " + " / ".join(_short(ceiling[name]) for name in MEASURES) + "."


def _grid(cells: list[Json], data: str, text: Callable[[Json], str]) -> Iterator[str]:
    cells = [cell for cell in cells if cell["data"] == data]
    bits = sorted({cell["bits"] for cell in cells})
    yield "| method | " + " | ".join(f"{b} bits" for b in bits) + " |"
    yield "|---|" + "---|" * len(bits)
    for row in dict.fromkeys(cell["row"] for cell in cells):
        each = [
            text(cell) for b in bits for cell in cells if (cell["row"], cell["bits"]) == (row, b)
        ]
        yield f"| {row} | " + " | ".join(each) + " |"


def _beside(cell: Json, expected: Json, names: tuple[str, ...]) -> str:
    if not cell["runs"]:
        return "not run yet"
    ours = " / ".join(_short(cell["mean"][name]) for name in names)
    ours += _spread(cell, "f1")
    row = paper_row(cell["row"])
    if row not in expected["table2"]:
        return ours
    paper = expected["table2"][row][cell["data"]].get(str(cell["bits"]))
    return ours if paper is None else f"{ours}<br>*{' / '.join(_short(paper[n]) for n in names)}*"


def paper_row(row: str) -> str:
    """The printed table's name of a row: without the reading."""
    return row.removesuffix(", as printed").removesuffix(", as resolved")


def beyond(found: Json, expected: Json) -> Iterator[str]:
    """What the paper does not measure: means over the seeds, at the greatest length."""
    bits = max(cell["bits"] for cell in found["table2"])
    for data in dict.fromkeys(cell["data"] for cell in found["table2"]):
        yield f"**{data.capitalize()} data, {bits} bits**"
        yield ""
        yield "| method | " + " | ".join(BEYOND.values()) + " |"
        yield "|---|" + "---|" * len(BEYOND)
        for cell in found["table2"]:
            if (cell["data"], cell["bits"]) == (data, bits):
                texts = [_measured(cell["mean"].get(name), name) for name in BEYOND]
                yield f"| {cell['row']} | " + " | ".join(texts) + " |"
        yield ""
    for title, text in (
        ("Model mAP", _model_map),
        ("Distinct codes / mean entropy of a bit", _collapse),
    ):
        for data in dict.fromkeys(cell["data"] for cell in found["table2"]):
            yield f"**{title}, {data} data**"
            yield ""
            yield from _grid(found["table2"], data, text)
            yield ""


def _measured(number: float | None, name: str) -> str:
    counted = name in ("distinct_codes", "seconds") and number is not None
    return f"{number:.0f}" if counted else _short(number)


def _model_map(cell: Json) -> str:
    if not cell["runs"]:
        return "not run yet"
    return _short(cell["mean"]["model_map"]) + _spread(cell, "model_map")


def _collapse(cell: Json) -> str:
    if not cell["runs"]:
        return "not run yet"
    mean = cell["mean"]
    codes = f"{mean['distinct_codes']:.1f}".removesuffix(".0")
    return f"{codes} / {_short(mean['bit_entropy'])} ({len(cell['runs'])})"


def _spread(cell: Json, name: str) -> str:
    """The deviation, where there is one, and the number of seeds."""
    seeds = len(cell["runs"])
    return (f" ± {_short(cell['deviation'][name])}" if seeds > 1 else "") + f" ({seeds})"


def distances(found: Json, expected: Json) -> Iterator[str]:
    """What is known of the edit distances."""
    yield "| data | pairs | seconds | min(GED, 11) left open | label is 11 | exact |"
    yield "|---|---|---|---|---|---|"
    for entry in found["distances"]:
        yield (
            f"| {entry['data']} | {entry['pairs']}"
            f" | {entry['seconds']:.0f} | {entry['undecided_share']:.1%}"
            f" | {entry['at_cap_share']:.1%} | {entry['exact_share']:.1%} |"
        )


def figure7(found: Json, expected: Json) -> Iterator[str]:
    """Recall, precision and F1 by the weight that is varied."""
    for weight, symbol in (("beta", "β"), ("gamma", "γ")):
        cells = [cell for cell in found["figure7"] if weight in cell]
        values = list(dict.fromkeys(cell[weight] for cell in cells))
        yield "| method | " + " | ".join(f"{symbol} = {value:g}" for value in values) + " |"
        yield "|---|" + "---|" * len(values)
        for row in dict.fromkeys(cell["row"] for cell in cells):
            each = [_beside(cell, {"table2": {}}, MEASURES) for cell in cells if cell["row"] == row]
            yield f"| {row} | " + " | ".join(each) + " |"
        yield ""


def search(found: Json, expected: Json) -> Iterator[str]:
    """GHashing's three stages, by threshold, at 32 bits."""
    entries = found["ghashing_search"]
    bits = sorted({entry["bits"] for entry in entries})
    for entry in (entry for entry in entries if entry["bits"] == bits[len(bits) // 2]):
        yield f"**{entry['data'].capitalize()} data, {entry['bits']} bits** ({entry['seeds']})"
        yield ""
        yield (
            "| τ | queries with an answer | within τ | open | in the radius | after the filter"
            " | open after it | recall of the radius | of the filter | F1 at the end | F1 of all |"
        )
        yield "|" + "---|" * 11
        for stage in entry["thresholds"]:
            counts = (stage["candidates"]["count"], stage["filtered"]["count"])
            shares = (
                stage["candidates"]["recall_answered"],
                stage["filtered"]["recall_answered"],
                stage["verified"]["f1_answered"],
                stage["verified"]["f1"],
            )
            numbers = (stage["wanted"], stage["undecided"], *counts, stage["undecided_to_verify"])
            texts = [f"{number:.2f}" for number in numbers] + [_short(share) for share in shares]
            yield (
                f"| {stage['threshold']:g} | {stage['queries_with_an_answer']:g} | "
                + " | ".join(texts)
                + " |"
            )
        yield ""


def made(found: Json, expected: Json) -> Iterator[str]:
    """How the numbers were made."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    yield f"`{found['command']}` on {found['hardware']}; {versions}."


def time(found: Json, expected: Json) -> Iterator[str]:
    """What the ledger's clock says of the trainings; those of both parts count once."""
    yield "| method | trainings | least, s | median, s | most, s | all, h |"
    yield "|---|---|---|---|---|---|"
    # A training of Figure 7 at the paper's weights is one of Table 2's.
    trained = {
        (cell["method"], cell["data"], run["seed"]): (cell["row"], run["seconds"])
        for part in ("table2", "figure7")
        for cell in found[part]
        for run in cell["runs"]
        if run["seconds"]
    }
    for name in dict.fromkeys(row for row, _ in trained.values()):
        yield _clocked(name, [seconds for row, seconds in trained.values() if row == name])
    if trained:
        yield _clocked("all", [seconds for _, seconds in trained.values()])


def _clocked(name: str, seconds: list[float]) -> str:
    spans = (min(seconds), median(seconds), max(seconds))
    texts = " | ".join(f"{number:.0f}" for number in spans)
    return f"| {name} | {len(seconds)} | {texts} | {sum(seconds) / 3600:.2f} |"


def _short(number: float | None) -> str:
    if number is None:
        return "–"
    if number >= 10:
        return f"{number:.0f}" if number >= 100 else f"{number:.1f}"
    number = round(number, 3) + 0.0  # no -0.000
    return f"{number:.3f}".removeprefix("0") if number < 1 else f"{number:.3f}"
