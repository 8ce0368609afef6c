"""A proof in one JSON file, and what it shows without the registry.

A proof brings an entry, its path to a signed head, and, as far as they are wanted, the path from an
older head, the opening and time stamps.  It is worth what the verifier trusts: a head that he kept
himself, or the log's key.  By a head that he kept, nobody can have put the entry in afterwards, not
even the log.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from assay.errors import Unproved, UnreadableProof
from assay.transparency import _strict
from assay.transparency.entries import DIGEST, Entry, Opening, Statement
from assay.transparency.heads import SignedHead, Verifier
from assay.transparency.tree import consistent, included, leaf_hash

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from assay.transparency.stamps import Stamped

FIELDS = ("assay proof", "log", "index", "entry", "head", "path", "older", "opening", "stamps")
HASHES = 128  # in a path, at most: twice the logarithm of the largest log
STAMPS = 100


@dataclass(frozen=True, slots=True)
class Older:
    """That the head's log begins with what an older head was of."""

    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Proved:
    """What a proof shows."""

    index: int
    size: int  # of the log, by the head that was trusted, or by the proof's own
    entry: Entry
    statement: Statement | None  # None: the entry is not opened
    stamps: tuple[Stamped, ...]  # that were checked
    before: bool  # whether the entry was in the log when the trusted head was kept
    log: Verifier

    @property
    def tries(self) -> int | None:
        """What a claim's p-value is multiplied by (see ``tries``); None where no head says it.

        The size in the claimant's own proof is his choice: it may be the smallest that suffices.
        """
        return self.size if self.before else None


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry is in a log."""

    log: Verifier
    index: int
    entry: Entry
    head: SignedHead
    path: tuple[bytes, ...]
    older: Older | None = None
    opening: Opening | None = None
    stamps: tuple[bytes, ...] = ()

    @property
    def text(self) -> str:
        """The file, with a checksum that tells damage, and nothing but damage."""
        older = self.older and {"size": self.older.size, "path": _hexadecimal(self.older.path)}
        body = {
            "assay proof": 1,
            "log": str(self.log),
            "index": self.index,
            "entry": {"commitment": self.entry.commitment, "logged": self.entry.logged},
            "head": str(self.head),
            "path": _hexadecimal(self.path),
            "older": older,
            "opening": self.opening and self.opening.to_json(),
            "stamps": [base64.b64encode(stamp).decode() for stamp in self.stamps],
        }
        return json.dumps(body | {"sha256": _checksum(body)}, indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """What ``text`` gives, laid out in any way.  Raises UnreadableProof."""
        row = _strict.fields(_strict.loads(text, "proof"), (*FIELDS, "sha256"), "proof")
        if row["assay proof"] != 1:
            raise UnreadableProof("is a proof of a newer assay: upgrade")
        if row["sha256"] != _checksum({name: row[name] for name in FIELDS}):
            raise UnreadableProof("is a damaged proof: have it made again")
        older, stamps = row["older"], row["stamps"]
        if older is not None:
            found = _strict.fields(older, ("size", "path"), "proof")
            size = _strict.number(found["size"], "the older head's size")
            older = Older(size, _hashes(found["path"]))
        if not isinstance(stamps, list) or len(stamps) > STAMPS:
            raise UnreadableProof("stamps: is not a list of time stamps")
        return cls(
            Verifier.parse(row["log"]),
            _strict.number(row["index"], "index"),
            Entry.from_json(row["entry"]),
            SignedHead.parse(row["head"]),
            _hashes(row["path"]),
            older,
            None if row["opening"] is None else Opening.from_json(row["opening"]),
            tuple(_strict.decoded(stamp, "time stamp") for stamp in stamps),
        )

    def check(
        self,
        *,
        trusted: SignedHead | None = None,
        key: Verifier | None = None,
        authorities: Sequence[Certificate] | None = None,
    ) -> Proved:
        """What the proof shows to who trusts a head, or the log's key, and time-stamp authorities.

        Stamps are passed over where no authorities are given.

        Raises:
            Unproved: it does not show that the entry is in that log, or neither is trusted.
            UnreadableProof: a time stamp is none.
            MissingExtra: signatures cannot be checked.
        """
        if trusted is None and key is None:
            raise Unproved("a log's word for itself proves nothing: trust a head, or its key")
        if key is not None and key != self.log:
            raise Unproved(f"the proof is of the log {self.log}, which is not the trusted one")
        self.head.check(self.log)
        leaf = leaf_hash(self.entry.leaf)
        if not included(leaf, self.index, self.head.size, self.path, self.head.root):
            raise Unproved(f"the path does not lead from entry {self.index} to the tree head")
        if trusted is not None:
            self._check_trusted(trusted)
        if self.opening is not None:
            from assay.transparency import claims

            if self.opening.commitment != self.entry.commitment:
                raise Unproved("the opening is of another commitment")
            claims.check(self.opening)
        stamped = self._check_stamps(authorities) if authorities is not None else ()
        before = trusted is not None and self.index < trusted.size
        size = trusted.size if trusted is not None and before else self.head.size
        statement = self.opening.statement if self.opening else None
        return Proved(self.index, size, self.entry, statement, stamped, before, self.log)

    def without_opening(self) -> Self:
        """The same, of a sealed entry."""
        return replace(self, opening=None)

    def _check_trusted(self, trusted: SignedHead) -> None:
        trusted.check(self.log)
        mine = self.head
        if trusted.size > mine.size:
            raise Unproved(
                f"the proof's tree head is of {mine.size} entries, older than the trusted one of"
                f" {trusted.size}: have the proof made with --head and that one"
            )
        path = self.older.path if self.older else ()
        if (self.older.size if self.older else mine.size) != trusted.size:
            raise Unproved(
                "the proof does not begin at the trusted head: have it made with --head and that"
            )
        if not consistent(trusted.size, trusted.root, mine.size, mine.root, path):
            raise Unproved("the log is not the one that the trusted head was taken of")

    def _check_stamps(self, authorities: Sequence[Certificate]) -> tuple[Stamped, ...]:
        from assay.keys import cryptography_for

        with cryptography_for("time stamps"):
            from assay.transparency import stamps
        return tuple(stamps.check(each, self.entry.leaf, authorities) for each in self.stamps)


def first(proved: Sequence[Proved]) -> Proved | None:
    """Who registered first: the lowest index; None where not all are of one log.

    All must have been checked by one head: two heads of one key may be of two logs.
    """
    if not proved or len({each.log for each in proved}) > 1:
        return None
    return min(proved, key=lambda each: each.index)


def _checksum(body: object) -> str:
    return hashlib.sha256(_strict.canonical(body)).hexdigest()


def _hexadecimal(path: Sequence[bytes]) -> list[str]:
    return [each.hex() for each in path]


def _hashes(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > HASHES:
        raise UnreadableProof(f"path: is not a list of at most {HASHES} hashes")
    return tuple(bytes.fromhex(_strict.digits(each, DIGEST, "path")) for each in value)
