"""JSON that its owner signed: manifests, and licenses.

The file may be laid out in any way; what is signed is its one canonical form.  The signature shows
that who has the key named in the file wrote it, and whose key that is one must know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from assay.errors import UnreadableLicense, UnreadableProof
from assay.keys.signing import SigningKey, signed
from assay.transparency import _strict
from assay.values import Json

EXTRA = "crypto"
DIGEST = 64  # hexadecimal digits of a SHA-256, and of a public key
_SIGNATURE = 128
_TEXT = 1_000  # characters of a name or a note


def sign(what: str, body: Mapping[str, Any], owner: SigningKey) -> Json:
    """``body`` as a document of the owner's."""
    whole = {f"assay {what}": 1, **body, "owner": owner.public}
    return {**whole, "signature": owner.sign(_message(what, whole)).hex()}


def parse(text: str, what: str, names: tuple[str, ...]) -> Mapping[str, Any]:
    """The document in a text, whose signature holds; with the fields ``names``, and its owner.

    Raises UnreadableLicense where it is none, or was changed.
    """
    with reading(what):
        row = _strict.loads(text, what)
        kind = f"assay {what}"
        if isinstance(row, dict) and _strict.number(row.get(kind), kind) > 1:
            raise UnreadableLicense(f"is a {what} of a newer assay: upgrade")
        row = _strict.fields(row, (kind, *names, "owner", "signature"), what)
        owner = _strict.digits(row["owner"], DIGEST, "owner")
        signature = bytes.fromhex(_strict.digits(row["signature"], _SIGNATURE, "signature"))
    whole = {name: value for name, value in row.items() if name != "signature"}
    if row[kind] != 1 or not signed(owner, _message(what, whole), signature):
        raise UnreadableLicense(f"was changed: it is not the {what} that its owner signed")
    return row


def text_of(document: Json) -> str:
    """The file."""
    return json.dumps(document, indent=1) + "\n"


def digest(document: Json) -> str:
    """SHA-256 of what is in a document, however it is laid out."""
    return hashlib.sha256(_strict.canonical(document)).hexdigest()


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns what the strict reader refuses into UnreadableLicense."""
    try:
        yield
    except UnreadableProof as error:
        raise UnreadableLicense(f"is no {what} that can be read: {error}") from error


def note(value: object, name: str) -> str:
    """Text of one line.  Raises UnreadableLicense."""
    if not isinstance(value, str) or len(value) > _TEXT or not value.isprintable():
        raise UnreadableLicense(f"{name}: is not a line of at most {_TEXT} characters")
    return value


def day(value: object, name: str) -> str:
    """A day as ``2027-01-31``.  Raises UnreadableLicense."""
    try:
        if not isinstance(value, str) or date.fromisoformat(value).isoformat() != value:
            raise ValueError
    except ValueError as error:
        raise UnreadableLicense(f"{name}: {str(value)[:20]!r} is no day like 2027-01-31") from error
    return value


def end(value: object) -> str | None:
    """The last day, or None: it does not end.  Raises UnreadableLicense."""
    return None if value is None else day(value, "expires")


def today() -> str:
    """The day by this machine's clock, in UTC."""
    return datetime.now(UTC).date().isoformat()


def _message(what: str, whole: Mapping[str, Any]) -> bytes:
    return f"assay {what} 1\n".encode() + _strict.canonical(whole)
