"""Whom a suspect is ranked among: does that make its rank a false alarm?

By ``partial-correlation`` a stranger stands out where others of a root explain what each of them
has of its own, and where references are of other networks than the owner's, which is his, too.
Here each choice of references is tried on all strangers that are as good, and on all that is
derived, of the owner's task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from judging import Court
from plan import Row

Json = dict[str, Any]
ROW = "partial-correlation"
WHO = ("all", "of the owner's network", "of other networks")
HOW = ("beside others of their root", "without these", "one of each root", "one that is as good")
DRAWS = 20
CLOSE = 0.02  # of accuracy: as good as the suspect
SEED = 0


def placed(court: Court) -> list[Json]:
    """Of every suspect and choice: how many roots there are, and how many are as near as it."""
    row = next(each for each in court.scope.rows if each.name == ROW)
    pairs = [
        pair
        for pair in court.lineage.pairs
        if pair.source == court.owner and pair.same_task and (pair.is_derived or pair.is_hard)
    ]
    known, found = court.represented(row), []  # fmt: skip
    for pair in pairs:
        fit = [name for name in court.references(pair.suspect) if name in known]
        for who in WHO:
            chosen = [name for name in fit if _is_of(court, name, who)]
            for how in HOW if pair.suspect in known else ():
                roots, above = _above(court, row, pair.suspect, chosen, how)
                if above:
                    found.append(
                        {
                            "suspect": pair.suspect,
                            "is_derived": pair.is_derived,
                            "who": who,
                            "how": how,
                            "roots": roots,
                            "above": above,
                        }
                    )
    return found


def _is_of(court: Court, name: str, who: str) -> bool:
    records = court.lineage.by_name
    same = records[name]["network"] == records[court.owner]["network"]
    return who == WHO[0] or same == (who == WHO[1])


def _above(
    court: Court, row: Row, suspect: str, chosen: Sequence[str], how: str
) -> tuple[int, list[int]]:
    """How many roots there are, and how many are as near as the suspect, of each draw."""
    by_root: dict[str, list[str]] = {}
    records = court.lineage.by_name
    for name in chosen:
        if how != HOW[3] or abs(records[name]["accuracy"] - records[suspect]["accuracy"]) <= CLOSE:
            by_root.setdefault(court.lineage.origins[name], []).append(name)
    if len(by_root) < 2:
        return len(by_root), []
    found, rng = list[int](), np.random.default_rng(SEED)
    for _ in range(DRAWS if how in HOW[2:] else 1):
        pool = chosen
        if how in HOW[2:]:
            pool = [names[rng.integers(len(names))] for names in by_root.values()]
        own, *others = court.closeness(row, court.owner, [suspect, *pool], apart=how != HOW[0])
        near = {court.lineage.origins[n] for n, v in zip(pool, others, strict=True) if v >= own}
        found.append(len(near))
    return len(by_root), found


def tallied(several: Iterable[Sequence[Json]]) -> Json:
    """By choice: strangers that are nearer than all roots, or than all but one; derived found."""
    cells = {f"{who}, {how}": Counter[str]() for who in WHO for how in HOW}
    for each in (one for part in several for one in part):
        cell = cells[f"{each['who']}, {each['how']}"]
        if each["is_derived"]:
            cell["derived"] += 1
            cell["found"] += np.mean([above == 0 for above in each["above"]])
            continue
        cell["strangers"] += 1
        for most, name in enumerate(("first", "second")):
            cell[name] += np.mean([above <= most for above in each["above"]])
            cell[f"{name}, by chance"] += (1 + most) / (1 + each["roots"])
    return {name: {what: round(float(value), 1) for what, value in cell.items()}
            for name, cell in cells.items()}  # fmt: skip


def lines(found: Mapping[str, Json]) -> list[tuple[object, ...]]:
    """For the page."""
    return [
        (name, *(f"{cell.get(each, 0):g} of {cell['strangers']:g}, by chance"
                 f" {cell[f'{each}, by chance']:g}" for each in ("first", "second")),
         f"{cell.get('found', 0):g} of {cell.get('derived', 0):g}")
        for name, cell in found.items() if cell.get("strangers")
    ]  # fmt: skip
