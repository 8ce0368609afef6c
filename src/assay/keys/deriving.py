"""Bytes from a secret, for each purpose others: HKDF-SHA-256 [RFC 5869]."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

EXTRA = "crypto"


def derive(secret: bytes, purpose: bytes, length: int = 32) -> bytes:
    """Bytes from a secret of full entropy, independent for each purpose.

    A purpose says what the bytes are for, and begins with the name of what uses them.
    """
    made: bytes = HKDF(SHA256(), length, None, b"assay " + purpose).derive(secret)
    return made
