"""NumPy files ``.npy`` and ``.npz``, and pickles of arrays [numpy.lib.format; joblib].

Arrays stay where they lie.  Arrays of objects, and pickles as joblib and scikit-learn's users write
them, are read by the reader of pickles that runs none; compressed ones are unpacked within bounds.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from assay.containers.archives import ZIP, member, members
from assay.containers.compressed import LZ4, MOST_TIMES, SLACK, is_compressed, unpacked
from assay.containers.pickle_opcodes import Entries, Known, Pickled
from assay.containers.pickled_arrays import Dtype, Pending, array
from assay.containers.pickled_tensors import CONSTRUCTORS
from assay.containers.pickled_weights import inert, weights
from assay.containers.sources import Part, Source, source_of
from assay.containers.torch_files import MAGIC_BYTES
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.weights.indices import without_indices
from assay.weights.shapes import is_shape

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000  # as NumPy allows
_LAYERS = 2  # of compression


class NumpyArchive(Format):
    """The arrays of a file that NumPy or joblib has written.  It has no graph."""

    suffixes = (".npy", ".npz", ".joblib", ".lz4", ".pkl", ".pickle")
    beside = False
    guesses = True

    def sniff(self, head: bytes) -> bool:
        if head.startswith(ZIP):
            return b".npy" in head and b"/data.pkl" not in head
        is_pickle = head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")
        return head.startswith((_MAGIC, LZ4)) or (is_pickle and MAGIC_BYTES not in head[:32])

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        source: Source = source_of(path)
        known = Known(CONSTRUCTORS)
        notes: dict[str, Any] = {}
        head = source.read(0, min(32, source.size))
        if head.startswith(ZIP):
            notes["container"] = "npz"
            value = _of_archive(path, known)
        else:
            for _ in range(_LAYERS):
                if not head.startswith(_MAGIC) and is_compressed(head):
                    notes["container"] = "compressed"
                    source = unpacked(source, MOST_TIMES * path.stat().st_size + SLACK)
                    head = source.read(0, min(32, source.size))
            value = _value(source, known)
        found, more = weights(value, source.size, "array")
        notes |= more | inert(known.unknown)
        return Model("numpy-archive", None, (path,), notes, without_indices(found))


def _of_archive(path: Path, known: Known) -> Entries:
    listed = {name: info for name, info in members(path).items() if name.endswith(".npy")}
    if not listed:
        raise UnreadableModel("not a NumPy archive: it has no .npy members")
    twice = next((name for name in members(path) if f"{name}.npy" in listed), None)
    if twice is not None:  # which NumPy takes first
        raise UnreadableModel(f"two arrays are called {twice!r:.200}")
    return Entries(
        (name.removesuffix(".npy"), _value(member(path, info), known))
        for name, info in listed.items()
    )


def _value(source: Source, known: Known) -> Any:
    """An array, or what a pickle gives."""
    head = source.read(0, min(12, source.size))
    if not head.startswith(_MAGIC):
        if MAGIC_BYTES in source.read(0, min(32, source.size)):
            raise UnreadableModel("a file of PyTorch, not of NumPy")
        stream = Pickled(source, known)
        value = stream.load()
        if stream.at != source.size:
            raise UnreadableModel("it goes on behind its pickle")
        return value
    wide = head[6:7] not in (b"\1", b"\0")
    start = 12 if wide else 10
    length = int.from_bytes(head[8:start], "little")
    if length > _LONGEST_HEADER:
        raise UnreadableModel(f"an array's header is longer than {_LONGEST_HEADER:,} bytes")
    shape, dtype, is_fortran = _header(source.read(start, length))
    start += length
    if dtype.name == "object":
        return Pickled(source, known, start).load()
    if not dtype.name:
        return None  # text, times, records: no numbers of a network
    return Pending(array(Part(source, start, source.size - start), dtype, shape, is_fortran))


def _header(content: bytes) -> tuple[tuple[int, ...], Dtype, bool]:
    try:
        about = ast.literal_eval(content.decode("latin-1").strip())
        code, shape, is_fortran = about["descr"], about["shape"], about["fortran_order"]
    except (SyntaxError, ValueError, TypeError, LookupError, MemoryError, RecursionError) as error:
        raise UnreadableModel("an array's header is damaged") from error
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise UnreadableModel("an array's header has no shape")
    if not is_shape([*shape]):
        raise UnreadableModel("an array has an absurd shape")
    return shape, Dtype.of(code), bool(is_fortran)
