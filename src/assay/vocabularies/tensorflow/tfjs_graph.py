"""A TF.js graph model as the TensorFlow graph that it is [TensorFlow.js; graph.proto].

Its JSON spells a graph's message, by the rules of protobuf.  It is written as that message and read
as SavedModels and frozen graphs are, functions, branches and loops too.  Constants lie in shards.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from assay.containers.messages import Message
from assay.containers.protobuf import BYTES, FIXED32, VARINT, write_varint
from assay.containers.tfjs_shards import Constant
from assay.errors import UnreadableModel
from assay.graphs.operators import OperatorGraph
from assay.vocabularies.inputs import InputShapes
from assay.vocabularies.tensorflow.bodies import Library
from assay.vocabularies.tensorflow.graph import Expansion
from assay.vocabularies.tensorflow.signatures import graph as between
from assay.vocabularies.tensorflow.signatures import whole
from assay.weights.layout import Stored

Json = Any
Schema = Mapping[str, tuple[int, Any]]  # a message: field's name → its number, and what it holds

MOST_NODES = 100_000  # of the graph and all functions: as JSON they cost more than as a message
_UNSIGNED = 2**64
_DIGITS = 19  # of a whole number
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")  # as texts, for want of another way
_TYPES = (
    "FLOAT DOUBLE INT32 UINT8 INT16 INT8 STRING COMPLEX64 INT64 BOOL QINT8 QUINT8 QINT32 BFLOAT16"
    " QINT16 QUINT16 UINT16 COMPLEX128 HALF RESOURCE VARIANT UINT32 UINT64"
)
_CODES = {f"DT_{name}": code for code, name in enumerate(_TYPES.split(), 1)}


def graph(
    topology: Mapping[str, Json],
    signature: Json,
    constants: Mapping[str, Constant],
    stored: Mapping[str, Stored],
    given: InputShapes,
) -> OperatorGraph:
    """The operators, with constants by their names in the file; ``stored`` are the same, real."""
    _check(topology)
    library = Library(Message.of(_message(topology, _GRAPH)))
    expansion = Expansion(library, stored, {}, constants)
    ends = [library.main.tensor(name) for name in _outputs(signature)]
    if not ends:
        return whole(expansion, given)
    frame = expansion.start(given)
    return between(expansion, ends, frame)


def _check(topology: Mapping[str, Json]) -> None:
    """Raises UnreadableModel where the graph and its functions have too many nodes."""
    library = topology.get("library")
    functions = library.get("function") if isinstance(library, Mapping) else None
    listed = functions if isinstance(functions, list) else []
    bodies = [each.get("nodeDef") for each in listed if isinstance(each, Mapping)]
    bodies.append(topology.get("node"))
    if sum(len(body) for body in bodies if isinstance(body, list)) > MOST_NODES:
        raise UnreadableModel(f"more than {MOST_NODES:,} operators")


def _outputs(signature: Json) -> list[str]:
    outputs = signature.get("outputs") if isinstance(signature, Mapping) else None
    listed = outputs.values() if isinstance(outputs, Mapping) else ()
    names = [tensor.get("name") for tensor in listed if isinstance(tensor, Mapping)]
    return [name for name in names if isinstance(name, str)]


def _message(value: Json, schema: Schema) -> bytes:
    """The message that an object spells; what is none of its fields is passed over."""
    if not isinstance(value, Mapping):
        raise UnreadableModel(f"a part of the graph is no object: {str(value)[:80]!r}")
    parts = []
    for name, (number, kind) in schema.items():
        for item in _items(value.get(name), kind):
            wire, payload = _SCALARS[kind](item) if isinstance(kind, str) else _inner(item, kind)
            length = write_varint(len(payload)) if wire == BYTES else b""
            parts += [bytes([number << 3 | wire]), length, payload]
    return b"".join(parts)


def _items(value: Json, kind: Schema | str) -> list[Json]:
    """What a field holds: one value or several; those of a map are entries of key and value."""
    if "key" in kind:
        entries = value.items() if isinstance(value, Mapping) else ()
        return [{"key": key, "value": item} for key, item in entries]
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _inner(value: Json, schema: Schema) -> tuple[int, bytes]:
    return BYTES, _message(value, schema)


def _text(value: Json) -> tuple[int, bytes]:
    if not isinstance(value, str):
        raise UnreadableModel(f"{str(value)[:80]!r} is no name in a graph")
    return BYTES, value.encode("utf-8", "replace")


def _bytes(value: Json) -> tuple[int, bytes]:
    try:
        return BYTES, base64.b64decode(str(value), validate=True)
    except ValueError as error:
        raise UnreadableModel(f"the attribute {str(value)[:80]!r} is not base64") from error


def _whole(value: Json) -> tuple[int, bytes]:
    """A number that the file writes as one or as text, as JSON has no whole numbers."""
    text = str(value)
    if not text.removeprefix("-").isdecimal() or len(text) > _DIGITS:
        raise UnreadableModel(f"{text[:80]!r} is no whole number")
    return VARINT, write_varint(int(text) % _UNSIGNED)


def _real(value: Json) -> tuple[int, bytes]:
    if value not in _NO_NUMBERS and not isinstance(value, int | float):
        raise UnreadableModel(f"{str(value)[:80]!r} is no number")
    with np.errstate(over="ignore"):
        return FIXED32, np.array(float(value)).astype("<f4").tobytes()


def _flag(value: Json) -> tuple[int, bytes]:
    return VARINT, bytes([bool(value)])


def _type(value: Json) -> tuple[int, bytes]:
    return _whole(_CODES.get(str(value), value))


_SCALARS: Mapping[str, Callable[[Json], tuple[int, bytes]]] = {
    "text": _text,
    "bytes": _bytes,
    "whole": _whole,
    "real": _real,
    "flag": _flag,
    "type": _type,
}
_SHAPE: Schema = {"dim": (2, {"size": (1, "whole")}), "unknownRank": (3, "flag")}
_FUNCTION_NAME: Schema = {"name": (1, "text")}
_LIST: Schema = {
    **{"s": (2, "bytes"), "i": (3, "whole"), "f": (4, "real"), "b": (5, "flag")},
    **{"type": (6, "type"), "func": (9, _FUNCTION_NAME)},
}
_VALUE: Schema = {
    **{"list": (1, _LIST), "s": (2, "bytes"), "i": (3, "whole"), "f": (4, "real")},
    **{"b": (5, "flag"), "type": (6, "type"), "shape": (7, _SHAPE), "func": (10, _FUNCTION_NAME)},
}
_NODE: Schema = {
    **{"name": (1, "text"), "op": (2, "text"), "input": (3, "text")},
    "attr": (5, {"key": (1, "text"), "value": (2, _VALUE)}),
}
_SIGNATURE: Schema = {
    **{"name": (1, "text"), "inputArg": (2, {"name": (1, "text")})},
    "outputArg": (3, {"name": (1, "text")}),
}
_FUNCTION: Schema = {
    **{"signature": (1, _SIGNATURE), "nodeDef": (3, _NODE)},
    "ret": (4, {"key": (1, "text"), "value": (2, "text")}),
}
_GRAPH: Schema = {"node": (1, _NODE), "library": (2, {"function": (1, _FUNCTION)})}
