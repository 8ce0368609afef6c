"""What keys of two parts have in common, whatever their private part does: made, read, written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

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
class KeyPair:
    """A private key; its repr does not show it."""

    curve: ClassVar[str]  # its name
    private_type: ClassVar[Any]  # the library's class

    kind: str  # of ``assay.keys.KINDS``
    _private: Any = field(repr=False)

    @classmethod
    def _read(cls, path: Path, kind: str, passphrase: str | None) -> Self:
        file = _files.read(path)
        try:
            if file.kind != kind:
                raise UnreadableKey(f"is a key of kind {file.kind}: give one of kind {kind}")
            try:
                private = load_der_private_key(file.secret(passphrase), None)
            except (ValueError, TypeError) as error:
                raise UnreadableKey("is a damaged key file: put it back from a copy") from error
            if not isinstance(private, cls.private_type):
                raise UnreadableKey(f"is no {cls.curve} key")
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

    def derive(self, purpose: bytes, length: int = 32) -> bytes:
        """Bytes that only the key's holder can make, others for each purpose."""
        return derive(self._private.private_bytes_raw(), purpose, length)
