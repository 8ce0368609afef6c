"""Secrets wrapped for the holder of a public key: X25519 [RFC 7748], HKDF, AES-256-GCM.

Each is wrapped under a key of its own, which an ephemeral key pair and the receiver's public key
give [ECIES: Abdalla, Bellare and Rogaway, 2001].  Both public keys and what the secret is about
are bound to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from assay.errors import UnreadableKey
from assay.keys._pairs import KeyPair
from assay.keys.deriving import derive

EXTRA = "crypto"
PUBLIC = 32  # bytes
_NONCE = bytes(12)  # a key wraps one secret, and no other


@dataclass(frozen=True)
class ReceivingKey(KeyPair):
    """A private key that opens what was wrapped for its public part; its repr does not show it."""

    curve: ClassVar[str] = "X25519"
    private_type: ClassVar[type[X25519PrivateKey]] = X25519PrivateKey

    @classmethod
    def new(cls, kind: str = "licensee") -> Self:
        """A key drawn at random."""
        return cls(kind, X25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path, kind: str = "licensee", passphrase: str | None = None) -> Self:
        """The key in a file; raises as ``SigningKey.read`` does."""
        return cls._read(path, kind, passphrase)

    def unwrap(self, wrapped: bytes, about: bytes) -> bytes:
        """What ``wrap`` was given.  Raises UnreadableKey where it is another's, or damaged."""
        ephemeral, sealed = wrapped[:PUBLIC], wrapped[PUBLIC:]
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            key = _key(shared, ephemeral, bytes.fromhex(self.public))
            secret: bytes = AESGCM(key).decrypt(_NONCE, sealed, about)
        except (InvalidTag, ValueError) as error:  # ValueError: no key, or one of low order
            raise UnreadableKey("was not wrapped for this key, or is damaged") from error
        return secret


def wrap(public: str, secret: bytes, about: bytes) -> bytes:
    """A secret that only the holder of a public key (64 hexadecimal digits) opens.

    Raises UnreadableKey where there is no such public key.
    """
    ephemeral = X25519PrivateKey.generate()
    mine: bytes = ephemeral.public_key().public_bytes_raw()
    theirs = bytes.fromhex(public)
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError as error:
        raise UnreadableKey(f"{public}: is no public key of X25519") from error
    sealed: bytes = AESGCM(_key(shared, mine, theirs)).encrypt(_NONCE, secret, about)
    return mine + sealed


def _key(shared: bytes, ephemeral: bytes, receiver: bytes) -> bytes:
    return derive(shared, b"wrapping " + ephemeral + receiver)
