"""One grid for two graphs side by side: what is paired stands in one row, as far as order allows.

The ranks of both graphs are walked together.  Pairs that keep the order of both are anchors [the
longest increasing run, Fredman, 1975]; between two anchors ranks stand side by side as they come.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from assay.report.layered import Ranks

Row = tuple[int | None, int | None]  # a rank of the source, and one of the suspect
TALLEST = 24  # rows of a block


def grid(source: Ranks, suspect: Ranks, pairs: Iterable[tuple[int, int]]) -> list[Row]:
    """Rows from top to bottom; each rank of either is in one of them."""
    met = sorted({(source.rank[ours], suspect.rank[theirs]) for ours, theirs in pairs})
    rows: list[Row] = []
    at = [0, 0]
    ends = [*_increasing(met), (len(source.rows), len(suspect.rows))]
    for anchor in ends:
        before = [range(start, end) for start, end in zip(at, anchor, strict=True)]
        for place in range(max(map(len, before))):
            ours, theirs = (each[place] if place < len(each) else None for each in before)
            rows.append((ours, theirs))
        if anchor is not ends[-1]:
            rows.append(anchor)
        at = [anchor[0] + 1, anchor[1] + 1]
    return rows


def _increasing(met: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run in which both numbers grow."""
    tails: list[int] = []  # the least second number that a run of each length ends with
    ends: list[int] = []  # places in ``met`` of those
    before: list[int] = [-1] * len(met)
    in_turn = sorted(range(len(met)), key=lambda place: (met[place][0], -met[place][1]))
    for place in in_turn:
        length = bisect_left(tails, met[place][1])
        before[place] = ends[length - 1] if length else -1
        tails[length : length + 1] = [met[place][1]]
        ends[length : length + 1] = [place]
    run: list[tuple[int, int]] = []
    place = ends[-1] if ends else -1
    while place >= 0:
        run.append(met[place])
        place = before[place]
    return run[::-1]


def cuts(rows: Sequence[Row], crossing: Sequence[int]) -> list[tuple[int, int]]:
    """Blocks of rows, start and end; cut where the fewest edges cross, ``crossing`` tells (r)."""
    found = []
    start = 0
    while start < len(rows):
        end = min(start + TALLEST, len(rows))
        if end < len(rows):
            window = range(start + TALLEST // 2, end + 1)
            end = min(window, key=lambda row: (crossing[row], -row))
        found.append((start, end))
        start = end
    return found
