"""Commitments made and opened: what takes an owner's key."""

from __future__ import annotations

from dataclasses import asdict, replace

from assay.errors import Unproved
from assay.keys.signing import SigningKey, signed
from assay.transparency import _strict
from assay.transparency.entries import Opening, Statement

EXTRA = "crypto"
UNSALTED = "0" * 64


def commit(
    owner: SigningKey,
    model: str,
    *,
    scheme: str = "",
    key: str | None = None,
    template: str | None = None,
    fingerprint: str | None = None,
) -> Opening:
    """Commit to a model and what marks it, all but ``scheme`` by SHA-256 (see ``Statement``).

    The same key and the same words give the same commitment, salt included: an opening that was
    lost can be made again.  Raises UnreadableProof where a field is not what it says.
    """
    bare = Statement(owner.public, model, UNSALTED, scheme, key, template, fingerprint)
    salt = owner.derive(b"log salt 1\n" + _strict.canonical(asdict(bare)))
    statement = replace(bare, salt=salt.hex())
    return Opening(statement, owner.sign(statement.message).hex())


def check(opening: Opening) -> None:
    """Raises Unproved where the statement is not signed by its owner."""
    statement = opening.statement
    if not signed(statement.owner, statement.message, bytes.fromhex(opening.signature)):
        raise Unproved("the opening is not signed with its owner's key")
