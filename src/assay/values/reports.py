"""What is said of two models, and of one among all that are registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from importlib import import_module
from math import log10
from typing import Any

from assay.errors import AssayError
from assay.values.layers import Json
from assay.values.records import Record


class Relation(IntEnum):
    """What the evidence supports about two models, weakest first; JSON says ``same-family``."""

    UNRELATED = 0
    SAME_FAMILY = 1
    SAME_ARCHITECTURE = 2
    COMMON_ANCESTOR = 3
    DERIVED = 4
    SAME_MODEL = 5
    IDENTICAL = 6

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, text: str) -> Relation:
        """Inverse of ``str``.  Raises AssayError for another word."""
        for relation in cls:
            if str(relation) == text:
                return relation
        raise AssayError(f"no relation {text!r}: one of {', '.join(map(str, cls))}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one method found.  A larger score is always stronger evidence."""

    method: str  # repr of the method: its name and every option, enough to run it again
    score: float
    log10_false_alarm: float | None  # of such a score between independent models; None: unknown
    detail: Mapping[str, Any] = field(default_factory=dict)

    def holds_at(self, alarm: float) -> bool:
        """Whether its false alarm is known, and no larger than this probability."""
        known = self.log10_false_alarm
        return known is not None and known <= log10(alarm) + 1e-9  # a rank is exactly at it

    def to_json(self) -> Json:
        return {
            "method": self.method,
            "score": self.score,
            "log10_false_alarm": self.log10_false_alarm,
            "detail": dict(self.detail),
        }


@dataclass(frozen=True, slots=True)
class Licensed:
    """That a registered model is the copy of a licensee."""

    licensee: str  # a name
    key: str  # public: the licensee's, …
    owner: str  # … and the owner's, who signed the license
    manifest: str  # SHA-256 of the distributable's
    license: str  # SHA-256 of the license
    level: int  # 0 is the whole model
    expires: str | None  # the last day, as 2027-01-31
    expired: bool = False  # by the clock of who asked
    unproved: str | None = None  # who claims the copy, where the key is not known as his

    def __str__(self) -> str:
        said = f"licensed to {self.licensee}, grade {self.level}"
        said += "" if self.expires is None else f", until {self.expires}"
        said += ": expired" if self.expired else ""
        return said + (f": with no key known as {self.unproved}'s" if self.unproved else "")

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Kin:
    """A registered model, and the evidence that ties the suspect to it."""

    record: Record
    relation: Relation
    evidence: tuple[Evidence, ...]  # strongest first
    explained_by: str | None = None  # a public base that all the two share comes from, by name
    licensed: tuple[Licensed, ...] = ()  # to whom the registered model is licensed

    @property
    def score(self) -> float:
        """Score of the strongest evidence."""
        return self.evidence[0].score if self.evidence else 0.0

    @property
    def log10_false_alarm(self) -> float | None:
        """That of the strongest evidence."""
        return self.evidence[0].log10_false_alarm if self.evidence else None

    def to_json(self) -> Json:
        return {
            "name": self.record.name,
            "path": self.record.path,
            "owner": self.record.owner,
            "sha256": self.record.sha256,
            "relation": str(self.relation),
            "score": self.score,
            "log10_false_alarm": self.log10_false_alarm,
            **({} if self.explained_by is None else {"explained_by": self.explained_by}),
            **({"licensed": [each.to_json() for each in self.licensed]} if self.licensed else {}),
            "evidence": [evidence.to_json() for evidence in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to ``check``: the suspect, its kin best first, and the strongest relation."""

    suspect: Record
    matches: tuple[Kin, ...]
    merge: Json | None = None  # of which matches it is a merge, as far as that was looked for
    unlisted: int = 0  # matches that are to be reviewed and not among these

    @property
    def verdict(self) -> Relation:
        """The strongest relation that the evidence supports."""
        return max((kin.relation for kin in self.matches), default=Relation.UNRELATED)

    @property
    def licensed(self) -> tuple[Licensed, ...]:
        """To whom the suspect itself is licensed: it is the same as a copy that was recorded."""
        same = [kin for kin in self.matches if kin.relation >= Relation.SAME_MODEL and kin.licensed]
        best = max((kin.relation for kin in same), default=None)
        found = [each for kin in same if kin.relation == best for each in kin.licensed]
        proved = {each.license for each in found if each.unproved is None}  # by one who claims it
        return tuple(
            dict.fromkeys(e for e in found if e.unproved is None or e.license not in proved)
        )

    @property
    def needs_review(self) -> bool:
        """Whether some weights seem to be shared that come from no public base, nor by license."""
        return bool(self.unexplained)

    def first(self, top: int) -> Report:
        """The same with at most so many matches.

        What is to be reviewed comes first: copies of a license, however many, do not hide it.
        """
        unexplained = self.unexplained
        known = {id(kin) for kin in unexplained}
        rest = tuple(kin for kin in self.matches if id(kin) not in known)
        unlisted = self.unlisted + max(0, len(unexplained) - top)
        return replace(self, matches=(*unexplained, *rest)[:top], unlisted=unlisted)

    @property
    def unexplained(self) -> tuple[Kin, ...]:
        """Kin that seem to share weights by no right that is known.

        A license speaks for its owner's models alone: what is akin to another's is to be reviewed.
        """
        licensors = self._licensors()
        return tuple(
            kin
            for kin in self.matches
            if kin.relation >= Relation.COMMON_ANCESTOR
            and kin.explained_by is None
            and kin.record.owner not in licensors
        )

    def _licensors(self) -> set[str | None]:
        """Who owns the copies that the suspect is, by licenses still valid.

        Nobody where several claim such a copy, be it in files of their own: which of them may
        license it is to be reviewed.  Nor who claims it under a name that stands for another key
        than the license's: anybody may use a name.
        """
        valid = [
            (kin.record.owner, each)
            for kin in self.matches
            if kin.relation >= Relation.SAME_MODEL
            for each in kin.licensed
            if not each.expired
        ]
        claimed = {owner for owner, _ in valid}
        is_proved = any(each.unproved is None for _, each in valid)
        is_whole = not self.unlisted  # else another claim may be among what is not listed
        return claimed if len(claimed) == 1 and is_proved and is_whole else set()

    def _repr_html_(self) -> str:
        """What a notebook shows.  Its words are above the values, so it is looked up by name."""
        shown: str = import_module("assay.report").notebook(self)
        return shown

    def to_json(self) -> Json:
        return {
            "suspect": self.suspect.summary(),
            "verdict": str(self.verdict),
            "matches": [kin.to_json() for kin in self.matches],
            **({} if self.merge is None else {"merge": self.merge}),
            **({"licensed": [each.to_json() for each in self.licensed]} if self.licensed else {}),
        }
