"""Keys: what a mark is drawn from, as a value and as a file of its own.

Everything drawn has a purpose, and each purpose a key of its own [HKDF: RFC 5869], whose stream is
SHAKE-256 [FIPS 202]: no random generator's version plays a part.  A file is safetensors with JSON
in its header; under a passphrase it is sealed [scrypt: RFC 7914; AES-256-GCM: SP 800-38D].
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from assay.durable import write_whole
from assay.errors import BadData, BadOption
from assay.values import Json
from assay.watermarks import TAG

EXTRA = "watermarks"
LENGTH = 32  # bytes of a secret
_VERSION = 1  # of the file
_COST = {"n": 2**15, "r": 8, "p": 1}  # of scrypt: 32 MB and a tenth of a second
_MEMORY = 2**26

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """What it takes to find one mark; whoever has it can read the mark, and aim at it.

    Two keys are equal where everything in them is.
    """

    method: str  # name of the watermark
    template: Json  # what reading needs to know of the model, and of how the mark is written
    secret: bytes = field(repr=False)
    payload: bytes = b""  # what the mark says; empty before it is made
    arrays: Mapping[str, Array] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != LENGTH:
            raise BadOption(f"a key's secret has {LENGTH} bytes, not {len(self.secret)}")

    def __eq__(self, other: object) -> bool:
        both = isinstance(other, Key) and self.digest == other.digest
        return both and isinstance(other, Key) and self.payload == other.payload

    def __hash__(self) -> int:
        return hash((self.digest, self.payload))

    @property
    def digest(self) -> str:
        """SHA-256 of all but the payload, which may be made of it: what is logged of a key."""
        found = hashlib.sha256(json.dumps([self.method, self.template], sort_keys=True).encode())
        found.update(self.secret)
        for name, array in sorted(self.arrays.items()):
            found.update(f"{name} {array.dtype} {array.shape} ".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    def carrying(self, payload: bytes) -> Key:
        """The key of a mark that says ``payload``."""
        return replace(self, payload=payload)

    def wrong(self, number: int) -> Key:
        """One of the keys that are no owner's, for controls: the same but for the secret.

        It is drawn from the digest alone, so that the same evidence can be given again.
        """
        text = f"assay: wrong key {number} of {self.digest}"
        return replace(self, secret=hashlib.sha256(text.encode()).digest())

    # What is drawn

    def stream(self, purpose: str, length: int) -> bytes:
        """Bytes that only who has the secret can draw; those of two purposes tell nothing alike."""
        info = f"assay {self.method} {purpose}".encode()
        own = HKDF(SHA256(), LENGTH, salt=None, info=info).derive(self.secret)
        return hashlib.shake_256(own).digest(length)

    def uniform(self, purpose: str, *sizes: int) -> NDArray[np.float64]:
        """Numbers between 0 and 1."""
        count = int(np.prod(sizes, dtype=np.int64))
        drawn = np.frombuffer(self.stream(purpose, 4 * count), "<u4")
        return ((drawn + 0.5) / 2**32).reshape(sizes)

    def normal(self, purpose: str, *sizes: int) -> NDArray[np.float64]:
        """Standard-normal numbers [Box and Muller, 1958]."""
        radius, angle = self.uniform(purpose, 2, *sizes)
        drawn: NDArray[np.float64] = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)
        return drawn

    def places(self, purpose: str, size: int, count: int) -> NDArray[np.int64]:
        """The first ``count`` of a permutation of 0 … size − 1, without making the rest."""
        if count > size:
            raise BadOption(f"{count} places among {size}")
        length = 4 * count
        while True:
            drawn = np.frombuffer(self.stream(purpose, 8 * length), "<u8") % np.uint64(size)
            values, first = np.unique(drawn, return_index=True)
            if len(values) >= count:
                return drawn[np.sort(first)[:count]].astype(np.int64)
            length *= 4

    # What a mark says

    def sealed(self) -> bytes:
        """The payload with a tag behind it, which only this key gives."""
        return self.payload + self._tag(self.payload)

    def opened(self, word: bytes) -> bytes | None:
        """The payload of what was read; None where its tag is not this key's."""
        payload, tag = word[:-TAG], word[-TAG:]
        return payload if hmac.compare_digest(tag, self._tag(payload)) else None

    def _tag(self, payload: bytes) -> bytes:
        return hmac.digest(self.stream("tag", LENGTH), payload, "sha256")[:TAG]

    # The file

    def save(self, path: Path, passphrase: str | None = None) -> None:
        """Write it, for its owner's eyes only.  Raises OSError."""
        about = {"method": self.method, "template": self.template, "payload": self.payload.hex()}
        held = {"secret": np.frombuffer(self.secret, np.uint8)}
        held |= {f"array.{name}": np.ascontiguousarray(a) for name, a in self.arrays.items()}
        content = save(held, {"assay": f"watermark key {_VERSION}", "key": json.dumps(about)})
        if passphrase is not None:
            content = _sealed(content, passphrase)
        write_whole(path, content, 0o600)


def load_key(path: Path, passphrase: str | None = None) -> Key:
    """The key of a file.

    Raises OSError, BadData where it holds no key, BadOption where the passphrase is missing or not
    the file's.
    """
    content = path.read_bytes()
    about, held = _parsed(content, path)
    if "sealed" in about:
        if passphrase is None:
            raise BadOption(f"{path}: the key is under a passphrase: give it")
        about, held = _parsed(_unsealed(about, held, passphrase, path), path)
    try:
        found = json.loads(about["key"])
        arrays = {n.removeprefix("array."): a for n, a in held.items() if n.startswith("array.")}
        secret, payload = held["secret"].tobytes(), bytes.fromhex(found["payload"])
        key = Key(str(found["method"]), found["template"], secret, payload, arrays)
        if type(key.template["payload_bytes"]) is not int:
            raise TypeError("its template has no length of a payload")
        return key
    except (KeyError, TypeError, ValueError) as error:
        raise BadData(f"{path}: a damaged key: {error}") from error


def is_sealed(path: Path) -> bool:
    """Whether the key of a file is under a passphrase.  Raises as ``load_key`` does."""
    return "sealed" in _parsed(path.read_bytes(), path)[0]


def new_secret() -> bytes:
    """One that nobody knows."""
    return secrets.token_bytes(LENGTH)


def _parsed(content: bytes, path: Path) -> tuple[dict[str, str], dict[str, Array]]:
    """The notes and tensors of a key's file."""
    length = int.from_bytes(content[:8], "little")
    try:
        held = load(content)
        about = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    except (SafetensorError, ValueError) as error:
        raise BadData(f"{path}: not a key: {error}") from error
    if not str(about.get("assay", "")).startswith("watermark key"):
        raise BadData(f"{path}: not a key of assay")
    if about["assay"] != f"watermark key {_VERSION}":
        raise BadData(f"{path}: a key of another version of assay: {about['assay']}")
    return about, held


def _sealed(content: bytes, passphrase: str) -> bytes:
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    about = {"assay": f"watermark key {_VERSION}", "sealed": json.dumps(_COST)}
    hidden = AESGCM(_stretched(passphrase, salt, _COST)).encrypt(nonce, content, None)
    parts = {"salt": salt, "nonce": nonce, "sealed": hidden}
    return save({name: np.frombuffer(part, np.uint8) for name, part in parts.items()}, about)


def _unsealed(
    about: Mapping[str, str], held: Mapping[str, Array], passphrase: str, path: Path
) -> bytes:
    try:
        cost = json.loads(about["sealed"])
        salt, nonce, hidden = (held[name].tobytes() for name in ("salt", "nonce", "sealed"))
        content: bytes = AESGCM(_stretched(passphrase, salt, cost)).decrypt(nonce, hidden, None)
    except InvalidTag as error:
        raise BadOption(f"{path}: not its passphrase, or the file is damaged") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadData(f"{path}: a damaged key: {error}") from error
    return content


def _stretched(passphrase: str, salt: bytes, cost: Mapping[str, int]) -> bytes:
    return hashlib.scrypt(
        passphrase.encode("utf-8", "surrogatepass"), salt=salt, maxmem=_MEMORY, dklen=LENGTH,
        n=cost["n"], r=cost["r"], p=cost["p"],
    )  # fmt: skip
