"""Codes of models, near for near models: of a layer graph, and of each weight."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from math import prod
from typing import Any

from assay.errors import AssayError, SchemeMismatch
from assay.values.layers import Json


@dataclass(frozen=True, slots=True)
class HashCode:
    """The perceptual hash of a model: near codes, near models.

    Codes of the same scheme subtract to their Hamming distance.  The scheme names everything
    that decides the bits, so a stored code never loses its meaning.  ``parse(str(c)) == c``.
    """

    scheme: str  # e.g. "weisfeiler-lehman-64+g1": method, bits, graph rules
    digest: bytes

    def __len__(self) -> int:
        """Bits."""
        return 8 * len(self.digest)

    def __sub__(self, other: HashCode) -> int:
        """Hamming distance in bits.  Raises SchemeMismatch where the schemes differ."""
        if self.scheme != other.scheme or len(self) != len(other):
            raise SchemeMismatch(
                f"cannot compare {self.scheme} with {other.scheme}: hash both models with one"
                " scheme (assay rehash does it for a registry)"
            )
        return (int.from_bytes(self.digest) ^ int.from_bytes(other.digest)).bit_count()

    def __str__(self) -> str:
        return f"{self.scheme}:{self.digest.hex()}"

    @classmethod
    def parse(cls, text: str) -> HashCode:
        """Inverse of ``str``.  Raises AssayError where the text is not ``scheme:hex``."""
        scheme, _, digits = text.rpartition(":")
        try:
            digest = bytes.fromhex(digits)
        except ValueError:
            digest = b""
        if not (scheme and digest and digest.hex() == digits):
            raise AssayError(f"not a hash code: {text!r}: expected 'scheme:hex'")
        return cls(scheme, digest)


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """A lead: a registered code at some distance from the one searched for; nearest sorts first."""

    distance: int  # bits
    key: int  # the registry's number of the model


@dataclass(frozen=True, slots=True)
class TensorSketch:
    """The code of one weight in one reading."""

    name: str  # of the weight, as the file has it
    shape: tuple[int, ...]  # of the matrix, (r, c); as stored where it was not read
    places: int = 1  # of a kernel: columns that belong to one input channel
    reading: str = ""  # the layout that it was read in
    code: bytes | None = None  # 32 bytes; None where it tells nothing
    invariant: bytes | None = None  # 32 bytes that stay when channels change places; None: has none
    left_out: str | None = None  # why there is no code
    learned: float = 0.0  # correlation of rows or columns beyond that of a random start
    sums: bytes | None = None  # 64 bytes beside a code: what tells near tensors from equal ones
    cells: bytes | None = None  # 256 bytes beside a code: what tells weak likeness from chance
    given: float = 0.1  # cosine that changing a tenth of the matrix can give it: it proves nothing
    fragments: bytes | None = None  # hashes of exact values, 8 bytes each; None: tell nothing

    @property
    def size(self) -> int:
        """Values of the weight."""
        return prod(self.shape)

    def to_json(self) -> list[Any]:
        code, invariant, sums, cells, fragments = map(
            _as_text, (self.code, self.invariant, self.sums, self.cells, self.fragments)
        )
        read = self.name, list(self.shape), self.places, self.reading
        told = code, invariant, sums, self.left_out, self.learned, cells, self.given, fragments
        return [*read, *told]

    @classmethod
    def from_json(cls, data: list[Any]) -> TensorSketch:
        """Inverse of ``to_json``; older ones end with what was learned."""
        name, shape, places, reading, *codes, left_out, learned = data[:9]
        cells, given, fragments = data[9:] or (None, 0.1, None)
        code, invariant, sums, cells, fragments = map(_as_bytes, (*codes, cells, fragments))
        kept = code, invariant, left_out, learned, sums, cells, given, fragments
        return cls(name, tuple(shape), places, reading, *kept)


def _as_text(code: bytes | None) -> str | None:
    return None if code is None else b64encode(code).decode()


def _as_bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


@dataclass(frozen=True, slots=True)
class WeightSketch:
    """The codes of a model's weights, made with one key."""

    scheme: str  # bits, key and version: whatever decides a bit
    tensors: tuple[TensorSketch, ...]  # as the file lists them; a weight may have several readings

    def to_json(self) -> Json:
        return {"scheme": self.scheme, "tensors": [tensor.to_json() for tensor in self.tensors]}

    @classmethod
    def from_json(cls, data: Json) -> WeightSketch:
        return cls(data["scheme"], tuple(TensorSketch.from_json(row) for row in data["tensors"]))
