"""Tree heads: how large a log is and its root, as a signed note that anybody can keep.

    assay.registry/0f3c…
    12
    iVBORw0KGgo…                       the root, base64

    — assay.registry/0f3c… Az3grl…     the signature

The format is C2SP's tlog-checkpoint in a signed-note, which other tools read and witnesses sign.
Who keeps a head keeps the whole log up to it: it cannot become another one unseen.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from assay.errors import Unproved, UnreadableProof
from assay.transparency import _strict

ED25519 = b"\1"  # the note's number of the algorithm
LARGEST = 4096  # characters of a note
NAME = r"[0-9a-zA-Z./_-]{1,200}"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A log's name and public key: what its heads are known by."""

    origin: str
    public: str  # Ed25519, 64 hexadecimal digits

    @property
    def id(self) -> bytes:
        """Four bytes that say which key signed."""
        key = ED25519 + bytes.fromhex(self.public)
        return hashlib.sha256(self.origin.encode() + b"\n" + key).digest()[:4]

    def __str__(self) -> str:
        key = base64.b64encode(ED25519 + bytes.fromhex(self.public)).decode()
        return f"{self.origin}+{self.id.hex()}+{key}"

    @classmethod
    def parse(cls, text: object) -> Self:
        """What ``str`` gives.  Raises UnreadableProof."""
        parts = text.split("+", 2) if isinstance(text, str) else []
        if len(parts) == 3 and re.fullmatch(NAME, parts[0]):
            key = _strict.decoded(parts[2], "the log's key")
            found = cls(parts[0], key[1:].hex())
            if len(key) == 33 and str(found) == text:
                return found
        raise UnreadableProof("is no key of a log: 'assay log head --json' shows it")


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The first ``size`` entries of a log, by their root."""

    origin: str
    size: int
    root: bytes
    key_id: bytes
    signature: bytes

    @property
    def message(self) -> bytes:
        """What is signed."""
        return message(self.origin, self.size, self.root)

    def __str__(self) -> str:
        signature = base64.b64encode(self.key_id + self.signature).decode()
        return f"{self.message.decode()}\n— {self.origin} {signature}\n"

    @classmethod
    def parse(cls, text: object) -> Self:
        """What ``str`` gives; signatures of others, such as witnesses, are passed over.

        Raises UnreadableProof.
        """
        wrong = UnreadableProof("is no tree head, or a damaged one: 'assay log head' prints one")
        if not isinstance(text, str) or len(text) > LARGEST:
            raise wrong
        pattern = rf"({NAME})\n(0|[1-9][0-9]{{0,18}})\n(\S+)\n\n((?:— \S+ \S+\n)+)"
        found = re.fullmatch(pattern, text)
        if found is None:
            raise wrong
        origin, size, root, lines = found.groups()
        own = [line.split(" ")[2] for line in lines.splitlines() if line.split(" ")[1] == origin]
        if len(own) != 1:
            raise wrong
        signature = _strict.decoded(own[0], "the tree head's signature")
        root = _strict.decoded(root, "the tree head's root")
        if len(signature) != 68 or len(root) != 32:
            raise wrong
        return cls(origin, int(size), root, signature[:4], signature[4:])

    def check(self, verifier: Verifier) -> None:
        """Raises Unproved where it is not signed with that key."""
        from assay.keys import cryptography_for

        with cryptography_for("signatures"):
            from assay.keys.signing import signed
        if (self.origin, self.key_id) != (verifier.origin, verifier.id) or not signed(
            verifier.public, self.message, self.signature
        ):
            raise Unproved("the tree head is not signed with the log's key")


def message(origin: str, size: int, root: bytes) -> bytes:
    """What a log signs, to say how large it is."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
