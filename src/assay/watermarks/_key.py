"""Keys: what a mark is drawn from, as a value and as a file of its own.

Everything drawn has a purpose, and each purpose a key of its own [HKDF: RFC 5869], whose stream is
SHAKE-256 [FIPS 202]: no random generator's version plays a part.  A file is safetensors with JSON
in its header, which ``assay.keys.sealing`` seals under a passphrase.
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
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from assay.durable import write_whole
from assay.errors import BadData, BadOption, UnknownMethod, UnreadableKey
from assay.keys.deriving import derive
from assay.keys.sealing import seal, unseal
from assay.values import Json
from assay.watermarks import TAG, WATERMARKS

EXTRA = "watermarks"
LENGTH = 32  # bytes of a secret
_VERSION = 1  # of the file
_ABOUT = f"watermark key {_VERSION}"

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
        own = derive(self.secret, f"{self.method} {purpose}".encode(), LENGTH)
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

    @property
    def _checksum(self) -> str:
        """It tells damage, such as another size in the template, and nothing but damage."""
        return hashlib.sha256(f"{self.digest} {self.payload.hex()}".encode()).hexdigest()

    def save(self, path: Path, passphrase: str | None = None) -> None:
        """Write it, for its owner's eyes only.  Raises OSError."""
        about = {"method": self.method, "template": self.template, "payload": self.payload.hex()}
        about["checksum"] = self._checksum
        held = {"secret": np.frombuffer(self.secret, np.uint8)}
        held |= {f"array.{name}": np.ascontiguousarray(a) for name, a in self.arrays.items()}
        content = save(held, {"assay": _ABOUT, "key": json.dumps(about)})
        if passphrase is not None:
            block, how = seal(content, passphrase, _ABOUT.encode())
            held = {"sealed": np.frombuffer(block, np.uint8)}
            content = save(held, {"assay": _ABOUT, "sealed": how})
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
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        lacks = "it has no " if isinstance(error, KeyError) else ""
        raise BadData(f"{path}: a damaged key: {lacks}{error}") from error
    try:
        WATERMARKS[key.method]().validate(key)
    except UnknownMethod as error:
        raise BadData(f"{path}: a key of another version of assay: {error}") from error
    except BadData as error:
        raise BadData(f"{path}: a damaged key of {key.method}: {error}") from error
    if found.get("checksum", key._checksum) != key._checksum:  # files of old have none
        raise BadData(f"{path}: a damaged key of {key.method}: put it back from a copy")
    return key


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
        about = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    except (SafetensorError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise BadData(f"{path}: not a key: {error}") from error
    if not str(about.get("assay", "")).startswith("watermark key"):
        raise BadData(f"{path}: not a key of assay")
    if about["assay"] != _ABOUT:
        raise BadData(f"{path}: a key of another version of assay: {about['assay']}")
    return about, held


def _unsealed(
    about: Mapping[str, str], held: Mapping[str, Array], passphrase: str, path: Path
) -> bytes:
    try:
        how, block, bound = about["sealed"], held["sealed"].tobytes(), _ABOUT.encode()
        if how.startswith("{"):  # as files were sealed at first
            cost, salt, nonce = json.loads(how), held["salt"].tobytes(), held["nonce"].tobytes()
            how = f"scrypt {cost['n']} {cost['r']} {cost['p']} {salt.hex()}"
            block, bound = nonce + block, b""
    except (KeyError, TypeError, ValueError) as error:
        raise BadData(f"{path}: a damaged key: {error}") from error
    try:
        return unseal(block, how, passphrase, bound)
    except UnreadableKey as error:
        raise BadOption(f"{path}: not its passphrase, or the file is damaged") from error
