"""Keys that sign: Ed25519 [RFC 8032], of an owner or of a registry's log."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from assay.errors import UnreadableKey
from assay.keys import _files
from assay.keys.deriving import derive

EXTRA = "crypto"


@dataclass(frozen=True)
class SigningKey:
    """A private key; its repr does not show it."""

    kind: str  # owner or log
    _private: Any = field(repr=False)

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
        file = _files.read(path)
        try:
            if file.kind != kind:
                raise UnreadableKey(f"is a key of kind {file.kind}: give one of kind {kind}")
            try:
                private = load_der_private_key(file.secret(passphrase), None)
            except (ValueError, TypeError) as error:
                raise UnreadableKey("is a damaged key file: put it back from a copy") from error
            if not isinstance(private, Ed25519PrivateKey):
                raise UnreadableKey("is no Ed25519 key")
            found = cls(kind, private)
            if found.public != file.public:
                raise UnreadableKey("its public part is another key's: put it back from a copy")
        except UnreadableKey as error:
            raise UnreadableKey(f"{path}: {error}") from error
        return found

    def write(self, path: Path, passphrase: str | None = None) -> _files.KeyFile:
        """Write it to a new file (see ``assay.keys.write``)."""
        secret = self._private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return _files.write(path, self.kind, self.public, secret, passphrase)

    @property
    def public(self) -> str:
        """The public key: 64 hexadecimal digits."""
        return str(self._private.public_key().public_bytes_raw().hex())

    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes, always the same for the same message."""
        signature: bytes = self._private.sign(message)
        return signature

    def derive(self, purpose: bytes, length: int = 32) -> bytes:
        """Bytes that only the key's holder can make, others for each purpose."""
        return derive(self._private.private_bytes_raw(), purpose, length)


def signed(public: str, message: bytes, signature: bytes) -> bool:
    """Whether the holder of the public key (64 hexadecimal digits) signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):  # ValueError: no point of the curve
        return False
    return True
