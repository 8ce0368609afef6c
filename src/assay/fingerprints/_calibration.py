"""False alarms from reference models: a suspect's place among ones made without the owner's.

A suspect that was made as the references were could have been any of them.  So where a statistic is
computed for all of them alike, with the suspect in the place of each, its rank among them has an
exact probability [the permutation test].  Of n references it is 1 / (n + 1) at the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import TYPE_CHECKING

import numpy as np

from assay.errors import BadData, BadOption
from assay.running.predictors import Answers
from assay.running.predictors.answers import Array, alike
from assay.values import Evidence

if TYPE_CHECKING:
    from assay.fingerprints import Fingerprint, Queries


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a suspect's place among references says; or why nothing is said."""

    methods: tuple[str, ...]  # reprs; several are one statistic
    score: float | None  # standard deviations above the references; larger is nearer the owner's
    log10_false_alarm: float | None  # None: the method abstains
    why: str  # … because of this
    references: int  # independent ones
    queries: int  # that the suspect was sent
    null: tuple[float, ...] = ()  # scores of the references, one for each root
    among: tuple[str, ...] = ()  # which roots, or which twins, in the same order

    def evidence(self) -> Evidence | None:
        """As evidence, where there is any."""
        if self.score is None:
            return None
        detail = {"references": self.references, "queries": self.queries}
        if self.why:
            detail |= {"why": self.why}  # type: ignore[dict-item]
        return Evidence(" + ".join(self.methods), self.score, self.log10_false_alarm, detail)


def references_needed(alarm: float) -> int:
    """How many independent references it takes to say something at this false alarm."""
    if not 0 < alarm < 1:
        raise BadOption(f"a false alarm lies between 0 and 1: {alarm} does not")
    return ceil(1 / alarm - 1e-9) - 1


def calibrate(
    methods: Sequence[Fingerprint],
    owner: Answers,
    suspect: Answers,
    references: Sequence[Answers],
    queries: Queries,
    *,
    roots: Sequence[str] = (),
    alarm: float = 0.01,
) -> Calibrated:
    """The false alarm of a suspect's likeness to the owner's model, by all methods together.

    Args:
        methods: What is kept of the answers, and how far apart that is; their own queries are not
            asked.  Several make one statistic.
        owner: The answers of the owner's model to the queries.
        suspect: The same of the suspect.
        references: Answers of models of the same task, made without the owner's.
        queries: Made without the suspect: that is what makes it one of many.
        roots: Where each reference comes from.  What comes from one root is not independent, and
            counts as one reference, the one that is nearest to the owner's; it is looked at
            without the others of its root, as the suspect is.  By default each is its own, but
            that those which answer all the same are one.
        alarm: The false alarm at which something is to be said.

    Raises:
        BadOption: there is no method, or one makes its queries on the suspect.
        BadData: ``roots`` are not as many as ``references``.
    """
    _check(methods, references, roots)
    names = tuple(map(repr, methods))
    needed, sent = references_needed(alarm), suspect.queries
    origins = [*roots] or [*map(str, _firsts(references))]
    for method in methods:
        if why := method.comparable(owner, suspect):
            return Calibrated(names, None, None, why, 0, sent)
    fit = [
        (answers, origin)
        for answers, origin in zip(references, origins, strict=True)
        if all(m.between(owner, answers, queries).distance is not None for m in methods)
    ]
    independent = len({origin for _, origin in fit})
    if independent < 2:
        why = f"{independent} references can be compared, and it takes {max(needed, 2)}"
        return Calibrated(names, None, None, why, independent, sent)
    pool = [suspect, *(answers for answers, _ in fit)]
    apart = [None, *(origin for _, origin in fit)]  # nobody is of the suspect's
    statistic = _fused(methods, owner, pool, queries, len(pool), apart)
    if statistic is None:
        return Calibrated(names, None, None, "the answers do not vary", independent, sent)
    return placed(names, statistic, [origin for _, origin in fit], alarm, sent)


def placed(
    names: tuple[str, ...], statistic: Array, origins: Sequence[str], alarm: float, queries: int
) -> Calibrated:
    """The place of a suspect, whose value is the first, among references of these origins."""
    rivals = dict.fromkeys(sorted({*origins}), -np.inf)  # in one order, whoever was left out
    for value, origin in zip(statistic[1:], origins, strict=True):
        rivals[origin] = max(rivals[origin], value)
    null = tuple(map(float, rivals.values()))
    return _ranked(names, float(statistic[0]), null, tuple(rivals), alarm, queries)


def among_twins(
    methods: Sequence[Fingerprint],
    owner: Answers,
    suspect: Answers,
    twins: Sequence[Answers],
    queries: Queries,
    *,
    references: Sequence[Answers] = (),
    alarm: float = 0.01,
) -> Calibrated:
    """The false alarm of a suspect's likeness to the owner's model and not to its twins.

    Twins were trained as the owner's model was, and differ from it in what was drawn: its seed
    [exact tests against the owner's own randomness: Kuditipudi et al., 2025].  To whoever did not
    learn from this one they are all the same.  So its rank among them, by how near the suspect is
    to each, has an exact probability, whatever the suspect is: of n twins 1 / (n + 1) at the least.

    Args:
        methods: As for ``calibrate``.
        owner: The answers of the owner's model to the queries.
        suspect: The same of the suspect.
        twins: The same of the twins; those which answer all the same are one.
        queries: Made without the owner's model and the suspect.
        references: Answers of other models of the task: what they have in common tells nothing.
        alarm: The false alarm at which something is to be said.

    Raises BadOption where there is no method, or one makes its queries of the owner's model.
    """
    _check(methods, (), ())
    for method in methods:
        if not method.is_neutral:
            raise BadOption(
                f"{method.method}: queries made of the owner's model set it apart from its twins"
            )
    apart = sorted({*_firsts(twins)})
    twins = [twins[number] for number in apart]
    names, needed, count = tuple(map(repr, methods)), references_needed(alarm), len(twins)
    for method in methods:
        if why := next(filter(None, (method.comparable(e, suspect) for e in (owner, *twins))), ""):
            return Calibrated(names, None, None, why, 0, suspect.queries)
    fit = [e for e in references if not any(m.comparable(owner, e) for m in methods)]
    if count < 2:
        why = f"{count} twins can be compared, and it takes {max(needed, 2)}"
        return Calibrated(names, None, None, why, count, suspect.queries)
    statistic = _fused(methods, suspect, [owner, *twins, *fit], queries, 1 + count)
    if statistic is None:
        return Calibrated(names, None, None, "the answers do not vary", count, suspect.queries)
    score, *null = map(float, statistic)
    among = tuple(map(str, apart))
    return _ranked(names, score, tuple(null), among, alarm, suspect.queries, "twins")


def fuse(several: Sequence[Calibrated], alarm: float = 0.01) -> Calibrated:
    """Methods with queries of their own as one statistic: the largest of their scores.

    Each kind of reuse shows in another method, and most methods see nothing of it: their mean would
    hide what one of them sees.

    The suspect's is one among the references' as before, as long as which methods there are was
    settled without looking at scores.  Those that abstain, or that not all references could be
    compared by, are left out.
    """
    groups = {each.among for each in several if each.score is not None}
    among = max(groups, key=lambda names: (len(names), names), default=())  # whatever the scores
    fit = [each for each in several if each.score is not None and each.among == among != ()]
    names, sent = tuple(name for each in fit for name in each.methods), sum(e.queries for e in fit)
    if not fit:
        return Calibrated((), None, None, "no method can be compared with references", 0, 0)
    rows = np.array([[each.score, *each.null] for each in fit])  # (methods, 1 + references)
    score, *null = map(float, rows.max(0))
    return _ranked(names, score, tuple(null), among, alarm, sent)


def _ranked(
    names: tuple[str, ...],
    score: float,
    null: tuple[float, ...],
    among: tuple[str, ...],
    alarm: float,
    queries: int,
    others: str = "references",
) -> Calibrated:
    """The rank of a score, where there are enough others for the false alarm."""
    count, needed = len(null), references_needed(alarm)
    if count < needed:
        why = f"a false alarm of {alarm:g} takes {needed} {others}, and there are {count}"
        return Calibrated(names, score, None, why, count, queries, null, among)
    return Calibrated(names, score, _chance(score, null), "", count, queries, null, among)


def _firsts(several: Sequence[Answers]) -> list[int]:
    """(n,) the first of those that answer all the same: a model in two files is one model."""
    first: dict[bytes, int] = {}
    return [
        first.setdefault(np.ascontiguousarray(answers.values).tobytes(), number)
        for number, answers in enumerate(several)
    ]


def _chance(score: float, null: Sequence[float]) -> float:
    """log10 of the probability that one among so many has so high a rank."""
    return log10((1 + sum(value >= score for value in null)) / (1 + len(null)))


def _check(
    methods: Sequence[Fingerprint], references: Sequence[Answers], roots: Sequence[str]
) -> None:
    if not methods:
        raise BadOption("no method to calibrate")
    for method in methods:
        if getattr(method, "crafted_on", "owner") == "suspect":
            raise BadOption(
                f"{method.method}: queries made on the suspect set it apart from the references"
            )
    if roots and len(roots) != len(references):
        raise BadData(f"{len(roots)} roots of {len(references)} references")


def _fused(
    methods: Sequence[Fingerprint],
    anchor: Answers,
    pool: Sequence[Answers],
    queries: Queries,
    ranked: int,
    origins: Sequence[object] = (),
) -> Array | None:
    """(r,) of the first r in the pool: how far each is nearer to the anchor than these others are.

    Each method counts in standard deviations of the others, and the largest number is taken: who
    stands out by one stands out.  None where a method cannot say.
    """
    anchor, *pool = alike([anchor, *pool])
    standing = np.full(ranked, -np.inf)
    for method in methods:
        own = method.represent(anchor, queries)
        rows = [method.represent(each, queries) for each in pool]
        values = method.closeness(own, rows, origins)[:ranked]
        if not np.isfinite(values).all():
            return None
        standing = np.maximum(standing, _standing(values))
    return standing


def _standing(values: Array) -> Array:  # (p,) -> (p,)
    """How many standard deviations of the others each lies above their mean."""
    count = len(values) - 1
    means = (values.sum() - values) / count
    squares = np.maximum(((values**2).sum() - values**2) / count - means**2, 0)
    spread = np.sqrt(squares) + 1e-9 * (np.abs(values).max() or 1)
    standing: Array = (values - means) / spread
    return standing
