"""What a pickle may construct: tensors of PyTorch, arrays of NumPy and joblib, plain containers.

The list of known constructors.  They describe tensors, allocate none and import nothing; whatever
is not listed stays an inert node.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from assay.containers.pickle_opcodes import Constructor, Entries, Known, Name, Node, Pickled, Span
from assay.containers.sources import InMemory, Source
from assay.containers.strided import Strided, contiguous, strided
from assay.errors import UnreadableModel
from assay.weights.numbers import BITS

_KINDS = {"f": "float", "i": "int", "u": "uint", "b": "bool", "c": "complex"}
_CODE = re.compile(r"([<>|=]?)([fiubcOUSVaMm?])(\d{0,9})(?:\[.*\])?")


@dataclass(slots=True)
class Dtype:
    """A NumPy type: a name of ``_numbers``, "object", or "" of what is no number."""

    name: str
    size: int = 0  # bytes of one element
    is_big_endian: bool = False

    @classmethod
    def of(cls, code: Any) -> Dtype:
        """The type of a code such as ``<f4``."""
        name = code.text.rpartition(".")[2] if isinstance(code, Name) else code
        if type(name) is str and name in BITS:
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
            self.objects, self.shape = content, shape
        elif dtype.name:
            self.tensor = array(_stored(content, dtype, shape), dtype, shape, bool(is_fortran))


@dataclass(slots=True)
class Wrapper(Pending):
    """A NumPy array whose numbers follow in the stream [joblib.numpy_pickle]."""

    def build(self, state: Any, stream: Pickled) -> None:
        about = state.named()
        dtype, shape = about["dtype"], about["shape"]
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
        place = _Part(stream.source, stream.skip(size), size)
        if dtype.name:
            self.tensor = array(place, dtype, shape, about["order"] == "F")


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a source."""

    source: Source
    base: int
    size: int

    def read(self, start: int, length: int) -> bytes:
        if start < 0 or length < 0 or start + length > self.size:
            raise UnreadableModel("an array ends before its numbers")
        return self.source.read(self.base + start, length)


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


def array(source: Source, dtype: Dtype, shape: Any, is_fortran: bool) -> Strided:
    """A NumPy array without gaps."""
    strides = contiguous(shape, is_fortran)
    return strided(source, dtype.name, shape, strides, 0, dtype.is_big_endian)


def part(source: Source, start: int) -> Source:
    """What of a source begins at ``start``."""
    return _Part(source, start, source.size - start)


def _stored(content: Any, dtype: Dtype, shape: Any) -> Source:
    """Where a pickled array has its numbers."""
    if isinstance(content, Span) and content.encoded:
        size = math.prod(shape) * dtype.size
        if size > content.length:
            raise UnreadableModel("an array ends before its numbers")
        return _Latin(content, size)
    if isinstance(content, Span):
        return _Part(content.source, content.start, content.length)
    return InMemory(content.encode("latin-1") if isinstance(content, str) else content)


def _encoded(parts: tuple[Any, ...]) -> Any:
    text = parts[0]
    return text.encode("latin-1") if isinstance(text, str) else text


def _from_buffer(parts: tuple[Any, ...]) -> Pending:
    content, dtype, shape, order = parts
    pending = Pending()
    pending.build((shape, dtype, order == "F", content), Pickled(InMemory(b""), _NOTHING))
    return pending


def _rebuilt(parts: tuple[Any, ...]) -> Any:
    storage, offset, shape, strides = parts[:4]
    return strided(storage, storage.dtype, shape, strides, offset, storage.is_big_endian)


def _rebuilt_typed(parts: tuple[Any, ...]) -> Any:
    storage, offset, shape, strides, _, _, dtype = parts[:7]
    name = dtype.text.rpartition(".")[2]
    return strided(storage, name, shape, strides, offset, storage.is_big_endian)


def _rebuilt_quantized(parts: tuple[Any, ...]) -> Any:
    scheme = parts[4]
    axis = scheme[3] if len(scheme) > 3 else 0
    return _rebuilt(parts).quantized(scheme[1], scheme[2], axis)


def _rebuilt_subclass(parts: tuple[Any, ...]) -> Any:
    function, _, arguments = parts[:3]
    known = CONSTRUCTORS.get(function.text)
    return Node(function.text, arguments) if known is None else known(arguments)


def _first(parts: tuple[Any, ...]) -> Any:
    return parts[0]


def _nothing(parts: tuple[Any, ...]) -> Any:
    return None


def _collection(parts: tuple[Any, ...]) -> Any:
    """A set, list or tuple of a list."""
    return parts[0] if parts else []


def _dictionary(parts: tuple[Any, ...]) -> Entries:
    """A dictionary, of pairs that old pickles list."""
    pairs = parts[0] if parts and isinstance(parts[0], list) else []
    return Entries((key, value) for key, value in pairs)


_NOTHING = Known({})
CONSTRUCTORS: dict[str, Constructor] = {
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda parts: Entries(),
    "_codecs.encode": _encoded,
    **{
        f"{module}.{name}": make
        for module in ("builtins", "__builtin__")
        for name, make in {
            "dict": _dictionary, "list": _collection, "set": _collection,
            "frozenset": _collection, "tuple": _collection, "bytearray": _encoded,
            "bytes": lambda parts: _encoded(parts) if parts else b"", "complex": _nothing,
        }.items()
    },
    "torch.Size": _first,
    "torch.device": _nothing,
    "torch._utils._rebuild_tensor": _rebuilt,
    "torch._utils._rebuild_tensor_v2": _rebuilt,
    "torch._utils._rebuild_tensor_v3": _rebuilt_typed,
    "torch._utils._rebuild_qtensor": _rebuilt_quantized,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._utils._rebuild_device_tensor_from_numpy": _first,
    "torch._tensor._rebuild_from_type_v2": _rebuilt_subclass,
    "torch.jit._pickle.restore_type_tag": _first,
    **{f"torch.jit._pickle.build_{k}list": _first for k in ("int", "double", "bool", "tensor")},
    "numpy.dtype": lambda parts: Dtype.of(parts[0]),
    "joblib.numpy_pickle.NumpyArrayWrapper": lambda parts: Wrapper(),
    "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper": lambda parts: Wrapper(),
    **{
        f"numpy.{core}.{name}": make
        for core in ("core", "_core")
        for name, make in {
            "multiarray._reconstruct": lambda parts: Pending(),
            "multiarray.scalar": _nothing,
            "numeric._frombuffer": _from_buffer,
        }.items()
    },
}  # fmt: skip
