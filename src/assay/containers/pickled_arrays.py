"""What a pickle may construct of NumPy and joblib: descriptions of arrays, none of them made.

The numbers of an array are in its pickle, or behind its description (joblib).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from assay.containers.pickle_opcodes import Constructor, Known, Name, Pickled, Span
from assay.containers.sources import InMemory, Part, Source
from assay.containers.strided import Strided, contiguous, sizes_of, strided
from assay.errors import UnreadableModel
from assay.weights.numbers import BITS

_KINDS = {"f": "float", "i": "int", "u": "uint", "b": "bool", "c": "complex"}
_CODE = re.compile(r"([<>|=]?)([fiubcOUSVaMm?])(\d{0,9})(?:\[.*\])?")


@dataclass(slots=True)
class Dtype:
    """A NumPy type: a name of ``weights.numbers``, "object", or "" of what is no number."""

    name: str
    size: int = 0  # bytes of one element
    is_big_endian: bool = False

    @classmethod
    def of(cls, code: Any) -> Dtype:
        """The type of a code such as ``<f4``."""
        name = code.text.rpartition(".")[2] if isinstance(code, Name) else code
        if type(name) is str and BITS.get(name, 0) >= 8:
            return cls(name, BITS[name] // 8)
        match = _CODE.fullmatch(name) if type(name) is str else None
        if match is None:
            return cls("")
        order, kind, digits = match.groups()
        size = int(digits or 1)
        if kind == "O":
            return cls("object", size)
        name = "bool" if kind in "b?" else f"{_KINDS.get(kind)}{8 * size}"
        is_number = kind in "fiub?c" and name in BITS
        return cls(name if is_number else "", size * (4 if kind == "U" else 1), order == ">")

    def build(self, state: Any, stream: Pickled) -> None:
        self.is_big_endian = state[1] == ">"
        if state[5] > 0:
            self.size = state[5]


@dataclass(slots=True)
class Pending:
    """A NumPy array whose description has not been read, or that holds objects."""

    tensor: Strided | None = None
    objects: Any = None
    shape: tuple[int, ...] = (0,)

    def build(self, state: Any, stream: Pickled) -> None:
        shape, dtype, is_fortran, content = state[-4:]
        if dtype.name == "object":
            self.objects, self.shape = content, sizes_of(shape)
        elif dtype.name:
            self.tensor = array(_stored(content, dtype, shape), dtype, shape, bool(is_fortran))


@dataclass(slots=True)
class Wrapper(Pending):
    """A NumPy array whose numbers follow in the stream [joblib.numpy_pickle]."""

    def build(self, state: Any, stream: Pickled) -> None:
        about = state.named()
        dtype, shape = about["dtype"], sizes_of(about["shape"])
        if dtype.name == "object":
            inner = Pickled(stream.source, stream.known, stream.at)
            inner.opcodes, inner.kept = stream.opcodes, stream.kept
            value = inner.load()
            stream.skip(inner.at - stream.at)
            stream.opcodes, stream.kept = inner.opcodes, inner.kept
            self.objects, self.shape = [value], ()
            return
        if about.get("numpy_array_alignment_bytes") is not None:
            stream.skip(stream.take(1)[0])
        size = dtype.size * math.prod(shape)
        place = Part(stream.source, stream.skip(size), size)
        if dtype.name:
            self.tensor = array(place, dtype, shape, about["order"] == "F")


@dataclass(frozen=True, slots=True)
class _Latin:
    """Bytes that protocol 2 has written as text of as many characters."""

    text: Span
    size: int

    def read(self, start: int, length: int) -> bytes:
        content = self.text.source.read(self.text.start, self.text.length)
        try:
            numbers = content.decode("utf-8").encode("latin-1")
        except UnicodeError as error:
            raise UnreadableModel("an array's numbers are no bytes") from error
        return InMemory(numbers).read(start, length)

    numbers = read


def array(source: Source, dtype: Dtype, shape: Any, is_fortran: bool) -> Strided:
    """A NumPy array without gaps."""
    strides = contiguous(shape, is_fortran)
    return strided(source, dtype.name, shape, strides, 0, dtype.is_big_endian)


def encoded(parts: tuple[Any, ...]) -> Any:
    """Bytes that were written as text."""
    text = parts[0]
    return text.encode("latin-1") if isinstance(text, str) else text


def nothing(parts: tuple[Any, ...]) -> Any:
    """What does not matter."""
    return None


def _stored(content: Any, dtype: Dtype, shape: Any) -> Source:
    """Where a pickled array has its numbers."""
    if isinstance(content, Span) and content.encoded:
        size = math.prod(sizes_of(shape)) * dtype.size
        if size > content.length:
            raise UnreadableModel("an array ends before its numbers")
        return _Latin(content, size)
    if isinstance(content, Span):
        return Part(content.source, content.start, content.length)
    return InMemory(content.encode("latin-1") if isinstance(content, str) else content)


def _from_buffer(parts: tuple[Any, ...]) -> Pending:
    content, dtype, shape, order = parts
    pending = Pending()
    pending.build((shape, dtype, order == "F", content), Pickled(InMemory(b""), Known({})))
    return pending


CONSTRUCTORS: dict[str, Constructor] = {
    "numpy.dtype": lambda parts: Dtype.of(parts[0]),
    "joblib.numpy_pickle.NumpyArrayWrapper": lambda parts: Wrapper(),
    "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper": lambda parts: Wrapper(),
    **{
        f"numpy.{core}.{name}": make
        for core in ("core", "_core")
        for name, make in {
            "multiarray._reconstruct": lambda parts: Pending(),
            "multiarray.scalar": nothing,
            "numeric._frombuffer": _from_buffer,
        }.items()
    },
}
