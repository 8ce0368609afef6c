"""How well scores tell derived models from strangers, and between which bounds that lies.

Ties are nobody's gain: in the area they count one half, and at a threshold all or none of them are
accused.  Pairs are not independent, for each model is in many of them: so roots are drawn again,
not pairs [the pigeonhole bootstrap, Owen 2007].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
Json = dict[str, Any]
FALSE_ALARMS = (0.01, 0.05)
_SLACK = 1e-6  # of a weight: sums are rounded
_AT_ONCE = 200  # draws


@dataclass(frozen=True, eq=False)
class Pairs:
    """The truth of n pairs, and how often each counts when origins are drawn again."""

    derived: Array  # (n,)
    weights: Array  # (1 + draws, n); the first are those of the pairs as they are

    @classmethod
    def of(
        cls,
        derived: Sequence[bool],
        origins: Sequence[tuple[str, str]],
        draws: int,
        seed: int = 0,
    ) -> Pairs:
        """``origins`` are the owner's and the suspect's.

        A stranger's pair counts as often as both are drawn, a derived one as its only origin is.
        """
        names = sorted({name for both in origins for name in both})
        places = {name: place for place, name in enumerate(names)}
        owners, suspects = (np.array([places[both[side]] for both in origins]) for side in (0, 1))
        truth, rng = np.array(derived, bool), np.random.default_rng(seed)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
        counts = np.concatenate([np.ones((1, len(names)), int), drawn]).astype(np.float32)
        weights = counts[:, owners] * np.where(truth, 1, counts[:, suspects])
        return cls(truth, weights.astype(np.float32))

    def take(self, rows: Array) -> Pairs:
        """Some of them."""
        return Pairs(self.derived[rows], self.weights[:, rows])


@dataclass(frozen=True, eq=False)
class Measured:
    """The area and the shares found: (1 + draws,) each, NaN where there is nothing to find."""

    area: Array
    found: dict[float, Array]  # by the false alarm


def measured(pairs: Pairs, scores: Sequence[float]) -> Measured:
    """Of scores (n,), larger is nearer; who abstains, by NaN, is not accused at any threshold.

    The area is that under the curve of the derived found by the strangers accused; a share found
    is the largest where no more than that share of strangers is accused.
    """
    values = np.nan_to_num(np.array(scores, float), nan=-np.inf, neginf=-np.inf)
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # a threshold lies behind equal scores
    areas, shares = [], {level: list[Array]() for level in FALSE_ALARMS}
    for start in range(0, len(pairs.weights), _AT_ONCE):
        weights = pairs.weights[start : start + _AT_ONCE, order].astype(float)
        false, true = (
            np.pad(np.cumsum(weights * mask[order], axis=1)[:, last], ((0, 0), (1, 0)))
            for mask in (~pairs.derived, pairs.derived)
        )  # (draws, thresholds + 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            middle = (true[:, 1:] + true[:, :-1]) / 2
            areas.append((np.diff(false) * middle).sum(1) / false[:, -1] / true[:, -1])
            for level, parts in shares.items():
                allowed = false <= level * false[:, -1:] + _SLACK
                allowed[:, -1] &= not np.isneginf(ranked[-1])  # the last step: those who abstain
                none = (true[:, -1] == 0) | (false[:, -1] == 0)
                share = np.where(allowed, true, 0).max(1) / true[:, -1]
                parts.append(np.where(none, np.nan, share))
    return Measured(np.concatenate(areas), {k: np.concatenate(v) for k, v in shares.items()})


def bounded(values: Array) -> Json:
    """A value, the first, and the middle 95 % of those drawn again, where most are known."""
    drawn = values[1:][np.isfinite(values[1:])]
    found: Json = {"value": None if np.isnan(values[0]) else round(float(values[0]), 3)}
    if len(drawn) and len(drawn) >= 0.8 * (len(values) - 1):
        found["interval"] = [round(float(each), 3) for each in np.quantile(drawn, (0.025, 0.975))]
    return found


def summary(pairs: Pairs, scores: Sequence[float]) -> Json:
    """Counts, area, and shares found, with their bounds."""
    found = measured(pairs, scores)
    return {
        "derived": int(pairs.derived.sum()),
        "strangers": int((~pairs.derived).sum()),
        "abstained": int(np.isnan(np.array(scores, float)).sum()),
        "auc": bounded(found.area),
        **{f"tpr_at_{level:g}": bounded(share) for level, share in found.found.items()},
    }


def by_kind(pairs: Pairs, scores: Sequence[float], kinds: Sequence[str], level: float) -> Json:
    """The share found of each kind of reuse, at a false alarm of all strangers."""
    values, kind = np.array(scores, float), np.array(kinds)
    found: Json = {}
    for name in dict.fromkeys(kinds):
        if name:
            rows = np.flatnonzero(~pairs.derived | (kind == name))
            part = pairs.take(rows)
            share = measured(part, values[rows]).found[level]
            found[name] = bounded(share) | {"derived": int(part.derived.sum())}
    return found


def difference(pairs: Pairs, first: Sequence[float], second: Sequence[float], level: float) -> Json:
    """How much more the first finds of the same pairs, and its bounds."""
    one, other = (measured(pairs, each).found[level] for each in (first, second))
    return bounded(one - other)


def calibration(stated: Sequence[float]) -> list[list[float]]:
    """Of strangers: each false alarm that is stated, and the share with one as small."""
    values = np.array(stated, float)
    return [[round(float(level), 5), round(float((values <= level + 1e-9).mean()), 5)]
            for level in np.unique(values)]  # fmt: skip
