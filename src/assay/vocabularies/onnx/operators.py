"""What ONNX says of each operator: how many inputs and outputs, which attributes of what type.

Nodes are held to it when they are read, so that the passes can rely on it.  Operators that ONNX
does not know stay opaque.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from onnx import defs

from assay.errors import UnreadableModel
from assay.graphs.operators import Operator, OperatorGraph, Tensor

Kind = type | tuple[type, type | None]

OLDEST, NEWEST = 7, defs.onnx_opset_version()
OWN = ("", "ai.onnx")  # names of ONNX's own domain
LONGEST_NAME = 200
_UNREGISTERED = frozenset({"SimplifiedLayerNormalization"})  # ONNX Runtime's, in ONNX's own domain
LONGEST_TEXT = 1000  # bytes of an attribute; what is longer is no option but data
_Type = defs.OpSchema.AttrType
_KINDS: dict[_Type, Kind] = {  # ONNX's type of an attribute → what the reader makes of it
    _Type.INT: int,
    _Type.FLOAT: float,
    _Type.STRING: str,
    _Type.INTS: (tuple, int),
    _Type.FLOATS: (tuple, float),
    _Type.STRINGS: (tuple, str),
    _Type.TENSOR: Tensor,
    _Type.SPARSE_TENSOR: Tensor,
    _Type.GRAPH: OperatorGraph,
}
_EMPTY: Kind = (tuple, None)
_PLAIN = frozenset({int, float, str, (tuple, int), (tuple, float), (tuple, str)})


@dataclass(frozen=True, slots=True)
class Signature:
    """What the opset that the model declares, or the newest one, allows."""

    inputs: tuple[int, int]  # fewest, most
    needed: tuple[int, ...]  # places of inputs that may not be left out
    outputs: int  # most
    attributes: Mapping[str, frozenset[Kind]]  # name → its types
    required: frozenset[str]


def name_of(domain: str, op_type: str) -> str:
    """The operator's name in the graph.  Raises UnreadableModel where it is absurd."""
    if len(domain) + len(op_type) > LONGEST_NAME:
        raise UnreadableModel(f"an operator's name has {len(domain) + len(op_type):,} characters")
    if domain in OWN and (op_type in _UNREGISTERED or signature(op_type, NEWEST) is not None):
        return op_type
    return f"{domain or 'ai.onnx'}::{op_type}"


@lru_cache(1024)
def signature(op: str, opset: int) -> Signature | None:
    """None where ONNX has no such operator."""
    try:
        newest = defs.get_schema(op, NEWEST, "")
        declared = defs.get_schema(op, max(OLDEST, min(opset, NEWEST)), "")
    except defs.SchemaError:
        if opset == NEWEST:
            return None
        return signature(op, NEWEST)  # newer than the opset that the model declares
    schemas = (newest, declared)
    names = {name for schema in schemas for name in schema.attributes}
    types = {
        name: frozenset(
            kind
            for schema in schemas
            if name in schema.attributes
            for kind in _kinds(schema.attributes[name].type)
        )
        for name in names
    }
    fewest = min(s.min_input for s in schemas)
    required = {
        name
        for name in names
        if all(name in s.attributes and s.attributes[name].required for s in schemas)
    }
    return Signature(
        (fewest, max(s.max_input for s in schemas)),
        tuple(i for i in range(fewest) if all(_is_needed(s, i) for s in schemas)),
        max(s.max_output for s in schemas),
        types,
        frozenset(required),
    )


def _is_needed(schema: defs.OpSchema, place: int) -> bool:
    inputs = schema.inputs  # the last one may stand for many
    option = inputs[min(place, len(inputs) - 1)].option
    return bool(option != defs.OpSchema.FormalParameterOption.Optional)


def checked(node: Operator, opset: int) -> Operator:
    """The operator with the attributes that count.

    Raises UnreadableModel where it is not what ONNX allows.
    """
    rules = None if "::" in node.op else signature(node.op, opset)
    if rules is None:
        return _opaque(node)
    fewest, most = rules.inputs
    if not fewest <= len(node.inputs) <= most or not all(node.inputs[i] for i in rules.needed):
        raise UnreadableModel(
            f"{node.op} {node.outputs[0]!r} has {sum(map(bool, node.inputs))} inputs,"
            f" not {fewest if len(node.inputs) <= most else most}"
        )
    if len(node.outputs) > rules.outputs:
        raise UnreadableModel(f"{node.op} {node.outputs[0]!r} has {len(node.outputs)} outputs")
    attributes = {}
    for name, value in node.attributes.items():
        kinds = rules.attributes.get(name)
        if kinds is None:
            continue  # exporters leave notes of their own
        if _kind(value) not in kinds:
            what = f"{node.op} {node.outputs[0]!r}: its attribute {name!r}"
            raise UnreadableModel(f"{what} is of another type than ONNX's")
        attributes[name] = value
    if not rules.required <= attributes.keys():
        missing = min(rules.required - attributes.keys())
        raise UnreadableModel(f"{node.op} {node.outputs[0]!r} has no attribute {missing!r}")
    return Operator(node.op, node.inputs, node.outputs, attributes)


def _opaque(node: Operator) -> Operator:
    """With the attributes that are plain: nothing is known of such an operator's bodies."""
    attributes = {name: value for name, value in node.attributes.items() if _kind(value) in _PLAIN}
    return Operator(node.op, node.inputs, node.outputs, attributes)


def _kinds(attribute_type: _Type) -> frozenset[Kind]:
    """What values of one of ONNX's types are; a list may be empty."""
    kind = _KINDS.get(attribute_type, type(None))  # types and lists of graphs are not read
    return frozenset({kind, _EMPTY} if isinstance(kind, tuple) else {kind})


def _kind(value: Any) -> Kind:
    kind = type(value)
    if kind is not tuple:
        return kind
    return (tuple, type(value[0])) if value else _EMPTY
