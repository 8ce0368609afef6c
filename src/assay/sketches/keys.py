"""The key of a sketch: which projections are drawn, the same on every machine [FIPS 202].

Signs are the bits of SHAKE-128 over key, purpose and sizes: no random generator's version plays a
part.  With the public key, everybody's codes can be compared; with a secret one, nobody who does
not know it can aim at a code.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadOption

LENGTH = 32  # bytes of a key
PUBLIC = hashlib.sha256(b"assay: the public key of sketches").digest()
_VERSION = "s2"  # of everything in this package that decides a bit

Signs = NDArray[np.int8]


def pair_key(a: str, b: str) -> bytes:
    """The key of two models' comparison, drawn from their sha256, in which order plays no part.

    A forger who changes his model to come near another under this key changes the key.
    """
    return hashlib.sha256("|".join(["assay: a pair", *sorted((a, b))]).encode()).digest()


def scheme(key: bytes) -> str:
    """What names everything that decides the bits of a code: bits, key, version.

    Raises BadOption where the key has not 32 bytes.
    """
    if len(key) != LENGTH:
        raise BadOption(f"a key of {len(key)} bytes: a sketch's key has {LENGTH}")
    name = "public" if key == PUBLIC else hashlib.sha256(key).hexdigest()[:8]
    return f"projection-256@{name}+{_VERSION}"


def signs(key: bytes, purpose: str, *sizes: int) -> Signs:
    """Signs ±1 of the given sizes, one for each place, row by row."""
    count = int(np.prod(sizes, dtype=np.int64))
    bits = np.frombuffer(stream(key, purpose, (count + 7) // 8, *sizes), np.uint8)
    drawn: Signs = np.unpackbits(bits, count=count).view(np.int8)
    return (drawn * 2 - 1).reshape(sizes)


def numbers(key: bytes, purpose: str, *sizes: int) -> NDArray[np.float64]:
    """Numbers between 0 and 1, evenly distributed, of the given sizes."""
    count = int(np.prod(sizes, dtype=np.int64))
    drawn = np.frombuffer(stream(key, purpose, 4 * count, *sizes), "<u4")
    return ((drawn + 0.5) / 2**32).reshape(sizes)


@lru_cache(maxsize=32)
def stream(key: bytes, purpose: str, length: int, *sizes: int) -> bytes:
    """Bytes that only who has the key can draw; the purpose keeps streams apart."""
    text = f"{purpose}|{'x'.join(map(str, sizes))}".encode()
    return hashlib.shake_128(len(key).to_bytes(4, "little") + key + text).digest(length)
