"""Secrets sealed by a passphrase: scrypt [RFC 7914], then AES-256-GCM [SP 800-38D].

PKCS #8 has an encryption of its own.  The library that writes it stretches a passphrase by 2,048
rounds of PBKDF2, and offers no more: half a millisecond a guess.  Here a guess takes 64 MiB and a
good part of a second.
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from assay.errors import UnreadableKey

EXTRA = "crypto"
N, R, P = 2**16, 8, 2  # what OWASP advises for scrypt with 64 MiB
NONCE = 12  # bytes, before the ciphertext
_MEMORY = 2**27  # bytes that stretching may take, whatever a file asks for


def seal(secret: bytes, passphrase: str, about: bytes) -> tuple[bytes, str]:
    """The secret, sealed and bound to ``about``; and how, as the file tells it."""
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(NONCE)
    sealed = f"scrypt {N} {R} {P} {salt.hex()}"
    return nonce + AESGCM(_stretched(passphrase, sealed)).encrypt(nonce, secret, about), sealed


def unseal(block: bytes, sealed: str, passphrase: str, about: bytes) -> bytes:
    """The secret.  Raises UnreadableKey where the passphrase is another."""
    try:
        key = _stretched(passphrase, sealed)
        secret: bytes = AESGCM(key).decrypt(block[:NONCE], block[NONCE:], about)
    except (InvalidTag, ValueError, TypeError) as error:  # the last two: no way of sealing
        raise UnreadableKey("the passphrase is wrong") from error
    return secret


def _stretched(passphrase: str, sealed: str) -> bytes:
    _, n, r, p, salt = sealed.split(" ")
    return hashlib.scrypt(
        passphrase.encode("utf-8", "surrogatepass"), salt=bytes.fromhex(salt), maxmem=_MEMORY,
        dklen=32, n=int(n), r=int(r), p=int(p),
    )  # fmt: skip
