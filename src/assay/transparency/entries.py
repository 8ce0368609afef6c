"""What an owner commits to, and what the log shows of it: a hash.

A statement names the owner's public key, the original model and what marks it, each by its SHA-256.
The owner signs it; the commitment is the hash of both.  A salt that only the owner's key gives
keeps anybody from guessing what was committed to.  The file of a watermark's key has the payload in
it: one that was logged before cannot have been read out of a suspect afterwards.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Self

from assay.errors import UnreadableProof
from assay.transparency import _strict

DIGEST = 64  # hexadecimal digits of a SHA-256, and of a public key
SIGNATURE = 128
SCHEME = 1_000  # characters
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
BOUND = ("key", "template", "fingerprint")


@dataclass(frozen=True, slots=True)
class Statement:
    """Who commits to what.  Raises UnreadableProof where a field is not what it says."""

    owner: str  # public key, Ed25519
    model: str  # SHA-256 of the original's file, before it was marked
    salt: str
    scheme: str = ""  # the repr of the method that the key is of
    key: str | None = None  # SHA-256 of the file of the watermark's key
    template: str | None = None  # SHA-256 of a structural mark's
    fingerprint: str | None = None  # digest of a fingerprint's Commitment

    def __post_init__(self) -> None:
        for name in ("owner", "model", "salt", *BOUND):
            value = getattr(self, name)
            if name not in BOUND or value is not None:
                _strict.digits(value, DIGEST, name)
        if not isinstance(self.scheme, str) or len(self.scheme) > SCHEME:
            raise UnreadableProof(f"scheme: is not text of at most {SCHEME} characters")

    @property
    def message(self) -> bytes:
        """What the owner signs."""
        return b"assay statement 1\n" + _strict.canonical(asdict(self))


@dataclass(frozen=True, slots=True)
class Opening:
    """A statement and its signature: a secret of the owner's until he claims it."""

    statement: Statement
    signature: str

    @property
    def commitment(self) -> str:
        """What is logged: SHA-256, which tells nothing of the statement."""
        content = b"assay commitment 1\n" + _strict.canonical(self.to_json())
        return hashlib.sha256(content).hexdigest()

    def to_json(self) -> dict[str, object]:
        """What ``from_json`` reads."""
        return {"statement": asdict(self.statement), "signature": self.signature}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Raises UnreadableProof."""
        found = _strict.fields(value, ("statement", "signature"), "opening")
        names = [field.name for field in fields(Statement)]
        statement = Statement(**_strict.fields(found["statement"], names, "opening"))
        return cls(statement, _strict.digits(found["signature"], SIGNATURE, "signature"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf of the log."""

    commitment: str
    logged: str  # ISO 8601, UTC, by the registry's clock, whose word it is

    def __post_init__(self) -> None:
        _strict.digits(self.commitment, DIGEST, "commitment")
        if not _is_moment(self.logged):
            raise UnreadableProof("logged: is not a moment such as 2026-11-22T09:30:00Z")

    @property
    def leaf(self) -> bytes:
        """What is hashed into the tree, and time-stamped."""
        return _strict.canonical({"assay entry": 1, **asdict(self)})

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Raises UnreadableProof."""
        found = _strict.fields(value, ("commitment", "logged"), "entry")
        return cls(found["commitment"], found["logged"])

    @classmethod
    def now(cls, commitment: str) -> Self:
        """An entry of this moment.  Raises UnreadableProof where it is no commitment."""
        return cls(commitment, datetime.now(UTC).strftime(MOMENT))


def _is_moment(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9TZ:-]{20}", value):
        return False
    try:
        return datetime.strptime(value, MOMENT).strftime(MOMENT) == value
    except ValueError:
        return False
