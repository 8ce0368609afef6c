"""Keys that sign: Ed25519 [RFC 8032], of an owner or of a registry's log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from assay.keys._pairs import KeyPair

EXTRA = "crypto"


@dataclass(frozen=True)
class SigningKey(KeyPair):
    """A private key that signs, of kind owner or log; its repr does not show it."""

    curve: ClassVar[str] = "Ed25519"
    private_type: ClassVar[type[Ed25519PrivateKey]] = Ed25519PrivateKey

    @classmethod
    def new(cls, kind: str = "owner") -> Self:
        """A key drawn at random."""
        return cls(kind, Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path, kind: str = "owner", passphrase: str | None = None) -> Self:
        """The key in a file.

        Raises UnreadableKey where it is no such key, damaged, or the passphrase is missing or
        wrong; OSError where it cannot be read.
        """
        return cls._read(path, kind, passphrase)

    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes, always the same for the same message."""
        signature: bytes = self._private.sign(message)
        return signature


def signed(public: str, message: bytes, signature: bytes) -> bool:
    """Whether the holder of the public key (64 hexadecimal digits) signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):  # ValueError: no point of the curve
        return False
    return True
