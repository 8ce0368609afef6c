"""What makes a copy one licensee's: values that no shared file holds, and his license brings.

They are whole tensors, in which his mark lies: where they are missing, a layer is missing.  So who
leaves them out has no unmarked model, and nothing tells which of their values are marked.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from assay.errors import UnreadableLicense
from assay.licenses._manifest import Content
from assay.licenses._parts import WINDOW
from assay.transparency import _strict
from assay.values import Json

EXTRA = "crypto"
KEY = 32  # bytes of what seals the values: drawn for each license
LARGEST = 12_000_000  # bytes that a license brings: as text they fit ``_strict.LARGEST``
_NONCE = bytes(12)  # a key seals the values of one license, and no other
_ABOUT = b"assay license values 1"
_MOST = 1_000  # places

Patch = tuple[int, bytes]  # where in a file, and what is there in one licensee's copy


@dataclass(frozen=True, slots=True)
class Copy:
    """What a license tells of the copy that it makes."""

    content: Content  # of the whole file
    places: tuple[tuple[int, int], ...]  # where in it, and how many bytes
    sealed: bytes  # what is there, one place after the other

    @classmethod
    def seal(cls, content: Content, patches: Sequence[Patch], key: bytes) -> Self:
        """Raises UnreadableLicense where they are more than a license holds."""
        values = b"".join(value for _, value in patches)
        if len(values) > LARGEST:
            raise UnreadableLicense(
                f"the marked tensors take {len(values):,} bytes, and a license holds {LARGEST:,}"
            )
        places = tuple((offset, len(value)) for offset, value in patches)
        return cls(content, places, AESGCM(key).encrypt(_NONCE, values, _ABOUT))

    def patches(self, key: bytes) -> list[Patch]:
        """Inverse of ``seal``.  Raises UnreadableLicense where the key or the length is another."""
        try:
            values = AESGCM(key).decrypt(_NONCE, self.sealed, _ABOUT)
        except (InvalidTag, ValueError) as error:  # ValueError: no key, or shorter than a tag
            raise UnreadableLicense("its values are damaged") from error
        if len(values) != sum(length for _, length in self.places):
            raise UnreadableLicense("its values are not as many as it says")
        made, start = [], 0
        for offset, length in self.places:
            made.append((offset, values[start : start + length]))
            start += length
        return made

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """None where there is none.  Raises UnreadableLicense, or UnreadableProof."""
        if value is None:
            return None
        row = _strict.fields(value, ("content", "places", "sealed"), "copy")
        content, listed = Content.from_json(row["content"], "copy"), row["places"]
        if not isinstance(listed, list) or not 0 < len(listed) <= _MOST:
            raise UnreadableLicense("places: is not a list of places")
        places, end = [], 0
        for each in listed:
            if not isinstance(each, list) or len(each) != 2:
                raise UnreadableLicense("places: one is not a start and a length")
            offset, length = (_strict.number(number, "places") for number in each)
            if offset < end or offset + length > content.size:
                raise UnreadableLicense("places: are not one after the other within the file")
            places.append((offset, length))
            end = offset + length
        return cls(content, tuple(places), _strict.decoded(row["sealed"], "sealed"))

    def to_json(self) -> Json:
        """As ``from_json`` reads it."""
        return {
            "content": asdict(self.content),
            "places": [list(place) for place in self.places],
            "sealed": base64.b64encode(self.sealed).decode(),
        }


def patched(windows: Iterable[memoryview], patches: Sequence[Patch]) -> Iterator[memoryview]:
    """A file's windows with its patches in place."""
    for number, window in enumerate(windows):
        start = number * WINDOW
        for offset, value in patches:
            first, last = max(start, offset), min(start + len(window), offset + len(value))
            if first < last:
                window[first - start : last - start] = value[first - offset : last - offset]
        yield window
