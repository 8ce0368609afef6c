"""Tables of README.md: what is within each radius, and how far apart graphs are by then."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.values import Json

LENGTHS = (64, 128, 256)
RADII = range(21)  # bits of 64


def tables(results: Json) -> dict[str, str]:
    """Of README.md."""
    far, apart = results["strangers"], results["held out"]
    changes = {name: np.array(counts) for name, counts in results["copies"].items()}
    head = ["radius, bits of 64", *(f"strangers, {n} bits" for n in LENGTHS)]
    head += [f"held out, {n} bits" for n in LENGTHS if any(str(n) in each for each in apart)]
    head += ["of one family", "variants, mean of all changes", "of the worst change"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for radius in RADII:
        cells = [str(radius)]
        for length in LENGTHS:
            cells.append(within([far], length, radius))
        for length in LENGTHS:
            if some := [each for each in apart if str(length) in each]:
                cells.append(within(some, length, radius))
        near = sum(far[str(LENGTHS[0])]["one family"][: radius + 1])
        cells.append(f"{near / max(far['pairs of one family'], 1):.3f}")
        found = [counts[: radius + 1].sum() / max(counts.sum(), 1) for counts in changes.values()]
        cells += [f"{np.mean(found):.3f}", f"{min(found):.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    nearest = ["| network | another, of another family | bits |", "|---|---|---|"]
    nearest += [f"| {' | '.join(map(str, row))} |" for row in far["nearest"]]
    return {
        "strangers": "\n".join(lines) + "\n",
        "nearest": "\n".join(nearest) + "\n",
        "edits": edits_table(results["pairs"]),
    }


def within(counted: Sequence[Json], length: int, radius: int) -> str:
    """Strangers so near per million pairs; where none is, what there are fewer of at 95 %."""
    reach = radius * length // LENGTHS[0] + 1
    count = sum(sum(each[str(length)]["strangers"][:reach]) for each in counted)
    pairs = sum(each["pairs"] for each in counted)
    return f"{1e6 * count / pairs:,.0f}" if count else f"0 (< {3e6 / pairs:.0f})"


def edits_table(rows: Sequence[Json]) -> str:
    """A row for each range of Hamming distances."""
    lines = ["| bits that differ | pairs | median lower bound | median upper bound"
             " | tenth of upper bounds below | above |", "|---|---|---|---|---|---|"]  # fmt: skip
    for low, high in ((0, 0), (1, 2), (3, 4), (5, 8), (9, 12), (13, 16), (17, 24), (25, 64)):
        some = np.array([row["bounds"] for row in rows if low <= row["bits"] <= high])
        if len(some):
            lower, upper = np.median(some, 0)
            ends = np.quantile(some[:, 1], (0.1, 0.9))
            cells = (f"{low}–{high}" if high > low else f"{low}", str(len(some)),
                     *(f"{each:.3f}" for each in (lower, upper, *ends)))  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
