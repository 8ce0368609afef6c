"""The paper's protocol: the parent must be more similar to a suspect than every reference.

Seen from the suspect, as published, every candidate takes the parent's place in turn.  Seen from
the owner's model, the suspect must be nearer to it than every reference: so methods that look at
the suspect alone are judged, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from archive import Kept
from ground import Lineage
from judging import Court
from plan import TOGETHER, Row, Scope

from assay.fingerprints._calibration import _standing
from assay.zoo.reuse import Contest

Array = np.ndarray
Json = dict[str, Any]
VIEWS = ("suspect", "owner")
GROUPS = ("transfer", "quantize", "prune", "distill", "steal")


def group(contest: Contest) -> str:
    """The kind of reuse: the last step of it."""
    last = contest.reuse.rpartition(" + ")[2].partition("-")[0]
    return "steal" if last == "soft" else last


def wins(court: Court, contest: Contest, view: str) -> dict[str, bool | None]:
    """Whether the parent wins, by row; None where a method cannot compare the two."""
    found: dict[str, bool | None] = {}
    standings = []
    for row in court.scope.rows:
        if row.questions.made_on == "suspect":
            if view == "suspect":
                found[row.name] = _published(court.kept, row, contest)
            continue
        values = _candidates(court, row, contest, view)
        found[row.name] = None if values is None else _leads(values)
        if row.together and values is not None:
            standings.append(_spread(values))
    found[TOGETHER] = _leads(np.fmax.reduce(standings)) if standings else None  # skips NaN
    return found


def _published(kept: Kept, row: Row, contest: Contest) -> bool | None:
    """By the distances to what the queries were made on: the suspect."""
    known = kept.of((row.questions.name, contest.suspect, row.name))
    return led(known, contest)


def led(known: dict[str, Array], contest: Contest) -> bool | None:
    """Whether the parent's distance is below every reference's; None where it is not known."""
    if contest.parent not in known:
        return None
    apart = [float(known.get(name, np.nan)) for name in (contest.parent, *contest.references)]
    return _leads(-np.array(apart))


def _candidates(court: Court, row: Row, contest: Contest, view: str) -> Array | None:
    """(1 + references,) how near each candidate is, the true one first; None where it cannot be."""
    if view == "suspect":
        if row.one_sided or row.questions.kept == "distances":
            return None
        anchor, first = contest.suspect, contest.parent
    else:
        anchor, first = contest.parent, contest.suspect
    names = (first, *contest.references)
    near = court.near(row, anchor)
    fit = [place for place, name in enumerate(names) if np.isfinite(near.get(name, np.nan))]
    if 0 not in fit or len(fit) < 2:
        return None
    found = np.full(len(names), np.nan)
    found[fit] = court.closeness(row, anchor, [names[place] for place in fit])
    return found


def _leads(values: Array) -> bool:
    """Whether the first is larger than all others that are known."""
    others = values[1:][np.isfinite(values[1:])]
    return bool(np.isfinite(values[0]) and (others < values[0]).all())


def _spread(values: Array) -> Array:
    """Each in standard deviations of the others; what is not known stays so."""
    known, found = np.isfinite(values), np.full(len(values), np.nan)
    found[known] = _standing(values[known]) if known.sum() > 2 else values[known] * 0
    return found


def outcomes(court: Court, contests: Iterable[Contest]) -> list[Json]:
    """Of every contest whose parent is the court's owner."""
    return [
        {
            "suspect": contest.suspect,
            "parent": contest.parent,
            "reuse": contest.reuse,
            "group": group(contest),
            "is_combined": contest.is_combined,
            "references": len(contest.references),
            "wins": {view: wins(court, contest, view) for view in VIEWS},
        }
        for contest in contests
        if contest.parent == court.owner
    ]


def tallied(found: Sequence[Json], view: str) -> Json:
    """By row: how many were right, and answered, of each group, combined ones apart, and of all."""
    rows: Json = {}
    for each in found:
        kind = f"{each['group']} of the root" if each["is_combined"] else each["group"]
        for row, won in each["wins"][view].items():
            for name in (kind, "all"):
                cell = rows.setdefault(row, {}).setdefault(name, Counter())
                cell["of"] += 1
                cell["answered"] += won is not None
                cell["right"] += bool(won)
    return _plain(rows)


def ablated(kept: Kept, lineage: Lineage, scope: Scope) -> Json:
    """Direct contests of two roots, by each changed ModelDiff and by the published one."""
    found: Json = {}
    published = next(row for row in scope.rows if row.questions.made_on == "suspect")
    for contest in lineage.ablated:
        for name in ("as published", *scope.ablations):
            key = ("ablated", contest.suspect, name)
            if name == "as published":
                key = (published.questions.name, contest.suspect, published.name)
            won = led(kept.of(key), contest)
            for kind in (group(contest), "all"):
                cell = found.setdefault(name, {}).setdefault(kind, Counter())
                cell["of"] += 1
                cell["answered"] += won is not None
                cell["right"] += bool(won)
    return _plain(found)


def _plain(found: Json) -> Json:
    return {
        name: {kind: dict(cell) for kind, cell in cells.items()} for name, cells in found.items()
    }
