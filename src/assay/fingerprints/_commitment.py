"""What an owner fixes, and has logged, before a suspect is looked at.

Who may choose his queries freely can find some to which a stranger answers as his own model does
[false claims: Liu et al., 2023].  So queries follow from what was logged: method, model, seeds, and
a number that nobody knew then, such as one drawn from a public beacon after the log's time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import TYPE_CHECKING

from assay.errors import BadData

if TYPE_CHECKING:
    from assay.fingerprints import Fingerprint, Model, Queries, Seeds


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is logged is ``digest``; the rest is shown when it is claimed to hold."""

    method: str  # repr of the fingerprint
    owner: str  # SHA-256 of the owner's model
    seeds: str  # SHA-256 of the seeds
    nonce: str  # at random, so that the digest tells nothing
    references: tuple[str, ...] = ()  # SHA-256 of each reference model, sorted
    twins: tuple[str, ...] = ()  # the same of the twins

    @classmethod
    def to(cls, method: Fingerprint, owner: str, seeds: Seeds, nonce: str) -> Commitment:
        """One to a method, a model by its SHA-256, and seeds."""
        return cls(repr(method), owner, seeds.digest, nonce)

    @classmethod
    def parse(cls, text: str) -> Commitment:
        """The one that ``text`` holds.  Raises BadData."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        names = {field.name for field in fields(cls)}
        if not isinstance(found, dict) or found.keys() != names:
            raise BadData("not a commitment that 'assay commit' wrote")
        others = {name: found.pop(name) for name in ("references", "twins")}
        lists = [each for each in others.values() if isinstance(each, list)]
        if len(lists) < len(others) or not all(
            isinstance(each, str) for each in (*found.values(), *chain(*lists))
        ):
            raise BadData("not a commitment that 'assay commit' wrote")
        return cls(**found, references=tuple(others["references"]), twins=tuple(others["twins"]))

    def __str__(self) -> str:
        """JSON, such that ``Commitment.parse(str(c)) == c``."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @property
    def digest(self) -> str:
        """SHA-256 of all that is fixed."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def seed(self, beacon: str) -> int:
        """The seed of the queries: nobody chooses it who does not choose the beacon."""
        return int.from_bytes(hashlib.sha256(f"{self.digest} {beacon}".encode()).digest()[:8])

    def broken(self, given: Commitment) -> str:
        """What of ``given`` is not what was committed to, for the reader; empty where all is."""
        said = {"method": "the method", "owner": "the owner's model", "seeds": "the inputs"}
        said |= {"references": "the references", "twins": "the twins"}
        differing = [said[name] for name in said if getattr(self, name) != getattr(given, name)]
        return " and ".join(differing)

    def verify(
        self, logged: str, beacon: str, method: Fingerprint, owner: Model, seeds: Seeds
    ) -> Queries:
        """The queries that follow from it, made anew: on one machine the same bit by bit.

        Raises BadData where it is not what was logged, or method or seeds are not the logged ones.
        That ``owner`` has the logged SHA-256 is the caller's to see to.
        """
        if self.digest != logged:
            raise BadData("the commitment is not the one that was logged")
        if (repr(method), seeds.digest) != (self.method, self.seeds):
            raise BadData("method or seeds are not the ones that were committed to")
        return method.craft(owner, seeds, self.seed(beacon))
