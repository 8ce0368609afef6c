"""What two models answer, as evidence beside that of their files.

The suspect is only asked.  Without reference models a likeness is a lead: strangers that learned
one task answer alike.  With enough of them, or of the owner's model's twins, its false alarm is
known, and at most a common source is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assay.errors import BadData, BadOption, MissingExtra, Overspent, UnfitModel
from assay.fingerprints import (
    FINGERPRINTS,
    Calibrated,
    Fingerprint,
    Queries,
    Seeds,
    among_twins,
    calibrate,
    fuse,
)
from assay.running.predictors import Answers, Predictor
from assay.running.predictors.answers import Array, alike
from assay.values import Evidence, Json, Kin, Relation

_ITS_OWN = (BadData, BadOption, MissingExtra, Overspent, UnfitModel)  # of one method: others go on


@dataclass(frozen=True, eq=False)
class Asking:
    """Who is asked, and what the questions are made of."""

    owner: Predictor  # of a module, where methods need its gradients or layers
    suspect: Predictor
    seeds: Seeds
    origin: str  # where the seeds come from, for the reader
    references: tuple[tuple[str, Predictor], ...] = ()  # each after what it comes from, its root
    alarm: float = 0.01  # false alarm up to which something is said
    queries: int | None = None  # that each method may ask; None: as many as is its default
    seed: int = 0
    twins: tuple[Predictor, ...] = ()  # models that differ from the owner's in their seed alone
    drawn: Mapping[str, str] = field(default_factory=dict)  # what ``seed`` follows from, if logged


@dataclass(frozen=True, eq=False)
class Behavior:
    """What one method found."""

    method: Fingerprint | None  # None: several together
    evidence: Evidence
    calibrated: Calibrated | None = None  # where there were references
    vectors: tuple[Array, Array] | None = None  # (k,) of owner and suspect, where there are any


def methods(name: str) -> list[Fingerprint]:
    """The fingerprint of a name, or "all".  Raises UnknownMethod."""
    chosen: list[Any] = [FINGERPRINTS[each] for each in (FINGERPRINTS if name == "all" else [name])]
    return [method() for method in chosen]


def prepared(method: Fingerprint, owner: Predictor, queries: int | None) -> Fingerprint:
    """The method with the options that the owner's model and the number of queries leave it.

    Raises BadOption, UnfitModel where they leave none.
    """
    if queries is not None:
        method = method.within(queries)
    if getattr(owner, "module", None) is None:
        method = method.without_gradients()
    return method


def described(several: Sequence[Fingerprint], owner: Predictor, queries: int | None) -> str:
    """How methods will ask, for a commitment to them; those that cannot are left out."""
    found = list[str]()
    for method in several:
        try:
            found.append(repr(prepared(method, owner, queries)))
        except _ITS_OWN:
            if len(several) == 1:
                raise
    return "; ".join(found)


def behaviors(several: Sequence[Fingerprint], asking: Asking) -> list[Behavior]:
    """What each method finds, the strongest first; of several, what one cannot is said in it.

    Whoever looks at several and takes the smallest false alarm understates it.  So of several only
    one has any: the first, in which they are one statistic.

    Raises:
        BadData, BadOption, MissingExtra, Overspent, UnfitModel: a single method, or each of
            several, cannot be used; the first reason.
        Unreachable: a remote model does not answer.
    """
    found, failures = [], list[Exception]()
    for method in several:
        try:
            found.append(_behavior(method, asking, is_alone=len(several) == 1))
        except _ITS_OWN as error:
            failures.append(error)
            found.append(Behavior(method, _abstention(method, asking, str(error))))
    if len(failures) == len(several):
        raise failures[0]
    found.sort(key=lambda each: ("distance" not in each.evidence.detail, -each.evidence.score))
    calibrated = [each.calibrated for each in found if each.calibrated is not None]
    if len(several) > 1 and calibrated:
        return [_together(calibrated, asking), *found]
    return found


def with_behavior(kin: Kin, found: Sequence[Behavior], alarm: float) -> Kin:
    """``kin`` with what was found beside its evidence: no more than a common ancestor by it."""
    evidence = tuple(each.evidence for each in found)
    near = any(each.holds_at(alarm) for each in evidence)
    if near and kin.relation < Relation.COMMON_ANCESTOR:
        return replace(kin, relation=Relation.COMMON_ANCESTOR, evidence=(*evidence, *kin.evidence))
    return replace(kin, evidence=(*kin.evidence, *evidence))


def _behavior(method: Fingerprint, asking: Asking, *, is_alone: bool) -> Behavior:
    """What a method finds; its false alarm only where it is the one method."""
    if asking.suspect.why:
        return Behavior(method, _abstention(method, asking, asking.suspect.why))
    method = prepared(method, asking.owner, asking.queries)
    queries = method.craft(asking.owner, asking.seeds, asking.seed)
    owner, suspect = (method.ask(model, queries) for model in (asking.owner, asking.suspect))
    if suspect.is_hard:
        method = method.of_labels()
    outcome = method.between(owner, suspect, queries)
    if outcome.distance is None:
        return Behavior(method, _abstention(method, asking, outcome.why, suspect.queries))
    calibrated = _calibrated(method, asking, owner, suspect, queries)
    if calibrated is not None and not is_alone and not calibrated.why:
        why = "the methods together are one statistic"
        calibrated = replace(calibrated, log10_false_alarm=None, why=why)
    detail: Json = {
        **_about(method, asking),
        "distance": outcome.distance,
        "queries": outcome.queries,
        "queries_sha256": queries.digest,
    }
    if fitting := asking.suspect.fitting:
        detail["suspect_inputs"] = fitting
    said = (
        f"distance {outcome.distance:.3g} in {outcome.queries:,} queries made of {asking.origin},"
        f" which were answered with {method.needs}{fitting and f' ({fitting})'}"
    )
    evidence = _evidence(repr(method), said, 1 - outcome.distance, calibrated, detail, asking)
    return Behavior(method, evidence, calibrated, _vectors(method, owner, suspect, queries))


def _calibrated(
    method: Fingerprint, asking: Asking, owner: Answers, suspect: Answers, queries: Queries
) -> Calibrated | None:
    """Among the owner's model's twins where there are any, else among the references."""
    if not asking.references and not asking.twins:
        return None
    references = [method.ask(model, queries) for _, model in asking.references]
    if not asking.twins:
        roots, alarm = [root for root, _ in asking.references], asking.alarm
        return calibrate([method], owner, suspect, references, queries, roots=roots, alarm=alarm)
    if not method.is_neutral:
        why = "its queries are made of the owner's model, which sets it apart from its twins"
        return Calibrated((repr(method),), None, None, why, 0, suspect.queries)
    return among_twins(
        [method],
        owner,
        suspect,
        [method.ask(model, queries) for model in asking.twins],
        queries,
        references=references,
        alarm=asking.alarm,
    )


def _together(several: Sequence[Calibrated], asking: Asking) -> Behavior:
    """All methods as one."""
    fused = fuse(several, asking.alarm)
    detail: Json = {**_about(None, asking), "queries": fused.queries}
    said = f"{len(fused.methods)} methods, {fused.queries:,} queries made of {asking.origin}"
    name = f"Together({', '.join(fused.methods)})"
    evidence = _evidence(name, said, 0.0, fused, detail, asking)
    return Behavior(None, evidence, fused)


def _evidence(
    name: str,
    said: str,
    score: float,
    calibrated: Calibrated | None,
    detail: Json,
    asking: Asking,
) -> Evidence:
    """The score is ``score``, or where references stand against it, how far above them it is."""
    if calibrated is None:
        why = "without reference models it is a lead"
        words = f"{said}; no false alarm: {why}"
        return Evidence(name, score, None, {"in_words": words, **detail, "why": why})
    among = "twins" if asking.twins else "references"
    detail |= {among: calibrated.references, "null": [*calibrated.null]}
    words = f"{said}; {calibrated.references} {among}"
    if calibrated.score is not None:
        score, words = calibrated.score, f"{words}, the score in their standard deviations"
    if calibrated.why:
        words = f"{words}; no false alarm: {calibrated.why}"
        detail |= {"why": calibrated.why}
    return Evidence(name, score, calibrated.log10_false_alarm, {"in_words": words, **detail})


def _abstention(method: Fingerprint, asking: Asking, why: str, queries: int = 0) -> Evidence:
    """Evidence of nothing: what a method that cannot say anything says."""
    detail: Json = {"in_words": f"abstains: {why}", "why": why, "queries": queries}
    return Evidence(repr(method), 0.0, None, detail | _about(method, asking))


def _about(method: Fingerprint | None, asking: Asking) -> Json:
    access = "all" if method is None else method.needs
    told: Json = {"access": access, "seeds": asking.origin, "references": 0}
    return {**told, "alarm": asking.alarm, **asking.drawn}


def _vectors(
    method: Fingerprint, owner: Answers, suspect: Answers, queries: Queries
) -> tuple[Array, Array] | None:
    if not method.entry:
        return None
    first, second = (method.represent(each, queries) for each in alike([owner, suspect]))
    return first, second
