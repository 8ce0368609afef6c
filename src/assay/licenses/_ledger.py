"""What the owner keeps of the marks in licensed copies: where they lie, and what was there before.

It lies beside the distributable, sealed under a key that follows from the owner's, and is of no use
to anybody else.  Words of licensees are not in it: each follows from the owner's key and the
licensee's, and is as likely as every other of the code [fingerprints of copies: Boneh and Shaw,
1998].
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from assay.errors import UnreadableLicense
from assay.keys.signing import SigningKey
from assay.licenses._copies import Patch
from assay.weights.numbers import decode, encode
from assay.weights.sites import Array, Sites, Words

EXTRA = "crypto"
_NONCE = bytes(12)  # a key seals one ledger
_ABOUT = b"assay license ledger 1"
_DRAWN = 8  # bytes for each place of a word


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A marked tensor in a level's file, as it is before a mark."""

    offset: int
    dtype: str
    content: bytes

    def values(self, shape: Sequence[int]) -> Array:
        """The same as float32."""
        return decode(self.content, self.dtype, int(np.prod(shape))).reshape(shape)

    @property
    def end(self) -> int:
        """Where in the file it ends."""
        return self.offset + len(self.content)


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Of one distributable."""

    identity: str  # the distributable's
    sites: tuple[Sites, ...]
    levels: tuple[tuple[Held, ...], ...]  # of each level, one for each of ``sites``

    def patches(self, level: int, words: Sequence[Words]) -> list[Patch]:
        """What a level's copy has at the marked tensors where it says these words."""
        made = [
            (held.offset, encode(each.marked(held.values(each.shape), word), held.dtype))
            for each, held, word in zip(self.sites, self.levels[level], words, strict=True)
        ]
        return sorted(made)

    def words(self, owner: SigningKey, public: str) -> list[Words]:
        """Those of the licensee who has this public key (64 hexadecimal digits)."""
        about = bytes.fromhex(self.identity) + bytes.fromhex(public)
        return drawn(self.sites, owner.derive(b"license word " + about))

    def seal(self, owner: SigningKey) -> bytes:
        """The file."""
        arrays: dict[str, Any] = {}
        about: dict[str, Any] = {"sites": [], "levels": []}
        for number, each in enumerate(self.sites):
            about["sites"].append({"name": each.name, "shape": each.shape, "ones": each.ones})
            for name in ("places", "low", "high"):
                arrays[f"{name} {number}"] = getattr(each, name)
        for level, row in enumerate(self.levels):
            about["levels"].append([[held.offset, held.dtype] for held in row])
            for number, held in enumerate(row):
                arrays[f"held {level} {number}"] = np.frombuffer(held.content, np.uint8)
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        stream = BytesIO()
        np.savez(stream, allow_pickle=False, **arrays)
        cipher = AESGCM(_key(owner, self.identity))
        sealed: bytes = cipher.encrypt(_NONCE, stream.getvalue(), _ABOUT)
        return sealed

    @classmethod
    def unseal(cls, content: bytes, identity: str, owner: SigningKey) -> Self:
        """Inverse of ``seal``.  Raises UnreadableLicense where it is another's, or damaged."""
        try:
            plain = AESGCM(_key(owner, identity)).decrypt(_NONCE, content, _ABOUT)
            with np.load(BytesIO(plain), allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            return cls._read(identity, json.loads(arrays["about"].tobytes()), arrays)
        except (InvalidTag, BadZipFile, KeyError, TypeError, ValueError) as error:
            raise UnreadableLicense("is another owner's, or damaged") from error

    @classmethod
    def _read(cls, identity: str, about: Any, arrays: Mapping[str, Any]) -> Self:
        sites = tuple(
            Sites(
                each["name"], tuple(each["shape"]), each["ones"],
                *(arrays[f"{name} {number}"] for name in ("places", "low", "high")),
            )
            for number, each in enumerate(about["sites"])
        )  # fmt: skip
        levels = tuple(
            tuple(
                Held(offset, dtype, arrays[f"held {level} {number}"].tobytes())
                for number, (offset, dtype) in enumerate(row)
            )
            for level, row in enumerate(about["levels"])
        )
        return cls(identity, sites, levels)


def drawn(sites: Sequence[Sites], key: bytes) -> list[Words]:
    """Words that follow from a key, all of them equally likely."""
    sizes = [each.places.shape for each in sites]
    counts = [blocks * length for blocks, length in sizes]
    stream = hashlib.shake_256(key).digest(_DRAWN * sum(counts))
    made, start = [], 0
    for each, size, count in zip(sites, sizes, counts, strict=True):
        numbers = np.frombuffer(stream, "<u8", count, _DRAWN * start).reshape(size)
        order = np.argsort(numbers, axis=1, kind="stable")
        word = np.zeros(size, bool)
        np.put_along_axis(word, order[:, : each.ones], True, axis=1)
        made.append(word)
        start += count
    return made


def sites_key(owner: SigningKey, identity: str) -> bytes:
    """What the places of marks are drawn from."""
    return owner.derive(b"license sites " + bytes.fromhex(identity))


def _key(owner: SigningKey, identity: str) -> bytes:
    return owner.derive(b"license ledger " + bytes.fromhex(identity))
