"""What leads from one level of a model's file to the next: sealed, window by window.

A file is cut into windows of a mebibyte.  Of each, a delta says which words of four bytes become
others, one bit each, and gives their values.  So a part works on a file of any format, and neither
making nor applying it takes more memory than a few windows.  Each delta is a message of AES-256-GCM
[SP 800-38D], whose nonce is its number and whether it is the last one [STREAM: Hoang, Reyhanitabar,
Rogaway and Vizár, 2015]: none can be left out, added, or change places.  A key seals one part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from assay.errors import UnreadableLicense

EXTRA = "crypto"
WINDOW = 2**20  # bytes
_WORD = 4  # bytes: of a float32
_TAG = 16
_PREFIX = 4  # bytes before each message: its length
_LONGEST = WINDOW // _WORD // 8 + WINDOW + _TAG

Words = NDArray[np.uint32]


def windows(size: int) -> int:
    """How many windows a file of so many bytes has: one at least."""
    return max(1, -(-size // WINDOW))


def delta(before: bytes, after: bytes) -> bytes:
    """What turns one window into another; nothing where they are the same.

    ``before`` is cut, or filled up with zeros, to the other's length.
    """
    old, new = _words(before, len(after)), _words(after, len(after))
    changed = old != new
    return np.packbits(changed).tobytes() + new[changed].tobytes() if changed.any() else b""


def apply(window: Words, size: int, change: bytes) -> None:
    """Make a window, in place, what ``change`` makes of it; behind ``size`` bytes it is zero.

    Raises UnreadableLicense where it is no change of a window of that size.
    """
    if change:
        words = window[: -(-size // _WORD)]
        length = -(-len(words) // 8)
        bits = np.frombuffer(change, np.uint8, min(length, len(change)))
        changed = np.unpackbits(bits, count=len(words)).view(np.bool_)
        values = memoryview(change)[length:]
        if len(values) != _WORD * np.count_nonzero(changed):
            raise UnreadableLicense("is damaged: a window's values are not as many as it says")
        words[changed] = np.frombuffer(values, np.uint32)
    if size < window.nbytes:
        window.view(np.uint8)[size:] = 0


def new_window() -> Words:
    """A window of zeros."""
    return np.zeros(WINDOW // _WORD, np.uint32)


def seal(changes: Iterable[bytes], count: int, key: bytes, about: bytes) -> Iterator[bytes]:
    """``count`` deltas as a part's bytes, bound to ``about``."""
    cipher = AESGCM(key)
    for number, change in enumerate(changes):
        message = cipher.encrypt(_nonce(number, count), change, about)
        yield len(message).to_bytes(_PREFIX, "little") + message


def unseal(part: BinaryIO, count: int, key: bytes, about: bytes) -> Iterator[bytes]:
    """The deltas of a part.  Raises UnreadableLicense where it is not the whole of this one."""
    cipher = AESGCM(key)
    for number in range(count):
        length = int.from_bytes(part.read(_PREFIX), "little")
        message = part.read(min(length, _LONGEST))
        try:
            yield cipher.decrypt(_nonce(number, count), message, about)
        except (InvalidTag, ValueError) as error:  # ValueError: shorter than a tag
            raise UnreadableLicense(f"is damaged, or another's: message {number + 1}") from error
    if part.read(1):
        raise UnreadableLicense("is damaged: goes on behind its last message")


def _nonce(number: int, count: int) -> bytes:
    return number.to_bytes(11, "big") + bytes([number == count - 1])


def _words(content: bytes, size: int) -> Words:
    return np.frombuffer(content[:size].ljust(-(-size // _WORD) * _WORD, b"\0"), np.uint32)
