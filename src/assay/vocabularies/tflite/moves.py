"""TensorFlow Lite's operators that move, cut, join, sum and repeat elements, in ONNX's.

Where the result has channels first, axes that are given as numbers change their places too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, Shape, Tensor
from assay.vocabularies.tflite.layout import REDUCTIONS, channels_first
from assay.vocabularies.tflite.schema import StoredOperator
from assay.vocabularies.tflite.tensors import OTHER_TYPES, TYPES

if TYPE_CHECKING:
    from assay.vocabularies.tflite.graph import Writer

Rule = Callable[["Writer", StoredOperator], None]

_END = 2**31 - 1  # of a slice that goes on to the end
_MIRROR = ("reflect", "symmetric")


def integer(node: StoredOperator, field: int, default: int = 0, kind: str = "i32") -> int:
    """A whole number of its options."""
    return default if node.options is None else node.options.integer(field, kind, default)


def _first(writer: Writer, node: StoredOperator) -> bool:
    return node.outputs[0] in writer.maps


def _take(writer: Writer, place: int, first: bool) -> str:
    return writer.read_map(place) if first else writer.read(place)


def axis_of(axis: int, rank: int, first: bool) -> int:
    """Where an axis of the file is.  Raises UnreadableModel where there is no such axis."""
    if not -rank <= axis < rank:
        raise UnreadableModel(f"an operator works along axis {axis} of {rank}")
    axis %= rank
    return channels_first(rank).index(axis) if first else axis


def single(writer: Writer, place: int, what: str) -> int:
    """The only number of a constant."""
    numbers = writer.numbers(place)
    if numbers is None or len(numbers) != 1:
        raise UnreadableModel(f"{what} has no constant axis")
    return numbers[0]


def _reshape(writer: Writer, node: StoredOperator) -> None:
    place = node.outputs[0]
    given = () if node.options is None else node.options.integers(0)
    if len(node.inputs) > 1 and node.inputs[1] >= 0:
        target = writer.read(node.inputs[1])
    else:
        target = writer.vector(given or writer.shape(place))
    writer.emit("Reshape", (writer.read(node.inputs[0]), target), place)


def _squeeze(writer: Writer, node: StoredOperator) -> None:
    axes = () if node.options is None else node.options.integers(0)
    x = writer.read(node.inputs[0])
    inputs = (x, writer.vector(axes)) if axes else (x,)
    writer.emit("Squeeze", inputs, node.outputs[0])


def _expand_dims(writer: Writer, node: StoredOperator) -> None:
    axis = single(writer, node.inputs[1], node.op)
    writer.emit("Unsqueeze", (writer.read(node.inputs[0]), writer.vector((axis,))), node.outputs[0])


def _transpose(writer: Writer, node: StoredOperator) -> None:
    order = writer.numbers(node.inputs[1])
    if order is None or sorted(order) != list(range(len(writer.shape(node.inputs[0])))):
        writer.opaque(node)
        return
    writer.emit("Transpose", (writer.read(node.inputs[0]),), node.outputs[0], {"perm": order})


def _concat(writer: Writer, node: StoredOperator) -> None:
    first, rank = _first(writer, node), len(writer.shape(node.outputs[0]))
    axis = axis_of(integer(node, 0), rank, first)
    names = [_take(writer, place, first) for place in node.inputs if place >= 0]
    fused = integer(node, 1, kind="i8")
    writer.emit("Concat", names, node.outputs[0], {"axis": axis}, first, fused)


def _pad(writer: Writer, node: StoredOperator) -> None:
    x, rank = node.inputs[0], len(writer.shape(node.inputs[0]))
    first, pads = _first(writer, node), writer.numbers(node.inputs[1])
    if pads is None or len(pads) != 2 * rank:
        writer.opaque(node)
        return
    order = channels_first(rank) if first else tuple(range(rank))
    both = [pads[2 * axis + end] for end in (0, 1) for axis in order]
    fill = (writer.read(node.inputs[2]),) if node.op == "PADV2" else ()
    mode = "constant"
    if node.op == "MIRROR_PAD":
        mode = _MIRROR[integer(node, 0, kind="i8") == 1]
    inputs = (_take(writer, x, first), writer.vector(both), *fill)
    writer.emit("Pad", inputs, node.outputs[0], {"mode": mode}, first)


def _reduce(writer: Writer, node: StoredOperator) -> None:
    x, rank = node.inputs[0], len(writer.shape(node.inputs[0]))
    axes = writer.numbers(node.inputs[1])
    if axes is None:
        writer.opaque(node)
        return
    keep = node.options is not None and node.options.flag(0)
    gone = {axis_of(axis, rank, first=False) for axis in axes}
    left = [axis for axis in channels_first(rank) if axis not in gone] if rank > 2 else []
    # The axes that are left are in the file's order either way.
    first = x in writer.maps and (keep or left == sorted(left))
    moved = tuple(sorted(axis_of(axis, rank, first) for axis in gone))
    inputs = (_take(writer, x, first), writer.vector(moved))
    result = first and keep
    writer.emit(REDUCTIONS[node.op], inputs, node.outputs[0], {"keepdims": int(keep)}, result)


def _slice(writer: Writer, node: StoredOperator) -> None:
    starts, sizes = (writer.numbers(place) for place in node.inputs[1:3])
    x, rank, first = node.inputs[0], len(writer.shape(node.inputs[0])), _first(writer, node)
    if starts is None or sizes is None or not len(starts) == len(sizes) == rank:
        writer.opaque(node)
        return
    ends = [_END if size < 0 else at + size for at, size in zip(starts, sizes, strict=True)]
    axes = [axis_of(axis, rank, first) for axis in range(rank)]
    vectors = [writer.vector(numbers) for numbers in (starts, ends, axes)]
    writer.emit("Slice", (_take(writer, x, first), *vectors), node.outputs[0], first=first)


def _strided_slice(writer: Writer, node: StoredOperator) -> None:
    begin, end, step = (writer.numbers(place) for place in node.inputs[1:4])
    masks = [integer(node, field) for field in range(5)]
    x, rank, first = node.inputs[0], len(writer.shape(node.inputs[0])), _first(writer, node)
    known = begin is not None and end is not None and step is not None
    if not known or begin is None or end is None or step is None or masks[2] or masks[3]:
        writer.opaque(node)  # computed bounds, an ellipsis, or new axes
        return
    if not len(begin) == len(end) == len(step) <= rank or 0 in step:
        raise UnreadableModel(f"{node.op} has bounds that do not fit its operand")
    dropped = [axis for axis in range(len(begin)) if masks[4] >> axis & 1]
    first = first and not dropped
    starts, ends = list(begin), list(end)
    for axis, stride in enumerate(step):
        if masks[0] >> axis & 1:
            starts[axis] = 0 if stride > 0 else _END
        if masks[1] >> axis & 1:
            ends[axis] = _END if stride > 0 else -_END
        if axis in dropped:
            ends[axis] = starts[axis] + 1 if starts[axis] != -1 else _END
    axes = [axis_of(axis, rank, first) for axis in range(len(begin))]
    vectors = [writer.vector(numbers) for numbers in (starts, ends, axes, step)]
    inputs = (_take(writer, x, first), *vectors)
    if dropped:
        inputs = (writer.step("Slice", inputs), writer.vector(dropped))
    writer.emit("Squeeze" if dropped else "Slice", inputs, node.outputs[0], first=first)


def _split(writer: Writer, node: StoredOperator) -> None:
    """SPLIT reads the axis, then the tensor; SPLIT_V the tensor, the sizes, the axis."""
    along, x = node.inputs[:2] if node.op == "SPLIT" else (node.inputs[2], node.inputs[0])
    rank = len(writer.shape(x))
    first = all(place in writer.maps for place in node.outputs)
    axis = axis_of(single(writer, along, node.op), rank, first)
    sizes = (writer.read(node.inputs[1]),) if node.op == "SPLIT_V" else ()
    parts_of(writer, node, ("Split", (_take(writer, x, first), *sizes), {"axis": axis}), first)


def parts_of(
    writer: Writer,
    node: StoredOperator,
    made: tuple[str, tuple[str, ...], dict[str, int]],
    first: bool = False,
) -> None:
    """An operator with several outputs, each handed on in its own order of axes."""
    op, inputs, attributes = made
    names = [writer.fresh(writer.names[place]) for place in node.outputs]
    writer.append(op, inputs, names, attributes)
    for name, place in zip(names, node.outputs, strict=True):
        writer.emit("Identity", (name,), place, first=first)


def _pack(writer: Writer, node: StoredOperator) -> None:
    rank = len(writer.shape(node.outputs[0]))
    axis = axis_of(integer(node, 1), rank, first=False)
    place = writer.vector((axis,))
    names = [writer.step("Unsqueeze", (writer.read(i), place)) for i in node.inputs if i >= 0]
    writer.emit("Concat", names, node.outputs[0], {"axis": axis})


def _unpack(writer: Writer, node: StoredOperator) -> None:
    rank = len(writer.shape(node.inputs[0]))
    axis = axis_of(integer(node, 1), rank, first=False)
    names = [writer.fresh(writer.names[place]) for place in node.outputs]
    writer.append("Split", (writer.read(node.inputs[0]),), names, {"axis": axis})
    gone = writer.vector((axis,))
    for name, place in zip(names, node.outputs, strict=True):
        writer.emit("Squeeze", (name, gone), place)


def _cast(writer: Writer, node: StoredOperator) -> None:
    kind = writer.graph.tensors[node.outputs[0]].type
    to = TYPES[kind][3] if kind in TYPES else OTHER_TYPES.get(kind, 0)
    first = _first(writer, node)
    writer.emit("Cast", (_take(writer, node.inputs[0], first),), node.outputs[0], {"to": to}, first)


def _resize(writer: Writer, node: StoredOperator) -> None:
    """Where in the input each place of the output lies, and which of its neighbors it takes."""
    linear = node.op == "RESIZE_BILINEAR"
    corners, centers = (2, 3) if linear else (0, 1)  # fields
    x, size = writer.read_map(node.inputs[0]), writer.read(node.inputs[1])
    attributes: dict[str, object] = {"mode": "linear" if linear else "nearest", "axes": (2, 3)}
    is_centered = node.options is not None and node.options.flag(centers)
    if node.options is not None and node.options.flag(corners):
        attributes["coordinate_transformation_mode"] = "align_corners"
    elif not is_centered:
        attributes["coordinate_transformation_mode"] = "asymmetric"
    if not linear:
        floors = attributes.get("coordinate_transformation_mode") == "asymmetric"
        attributes["nearest_mode"] = "floor" if floors else "round_prefer_ceil"
    inputs: tuple[str, ...] = (x, "", "", size)
    factors = _factors(writer, node)
    if factors:  # as other exporters write it
        attributes.pop("axes")
        inputs = (x, "", writer.own(Tensor(FLOAT, (4,), np.array((1, 1, *factors), "f4"), True)))
    writer.emit("Resize", inputs, node.outputs[0], attributes, first=True)


def _factors(writer: Writer, node: StoredOperator) -> Shape:
    """By which whole numbers a feature map of known size grows; nothing of others."""
    before = writer.graph.tensors[node.inputs[0]].signature
    after = writer.numbers(node.inputs[1])
    if after is None or len(before) != 4 or len(after) != 2 or min(*before, *after) < 1:
        return ()
    whole = not any(a % b for a, b in zip(after, before[1:3], strict=True))
    return (after[0] // before[1], after[1] // before[2]) if whole else ()


def _blocks(writer: Writer, node: StoredOperator) -> None:
    op = {"DEPTH_TO_SPACE": "DepthToSpace"}.get(node.op, "SpaceToDepth")
    x = writer.read_map(node.inputs[0])
    size = max(integer(node, 0), 1)
    writer.emit(op, (x,), node.outputs[0], {"blocksize": size}, first=True)


def plain(op: str, order: Shape) -> Rule:
    """An operator that ONNX has too, with these of its inputs."""

    def rule(writer: Writer, node: StoredOperator) -> None:
        writer.emit(op, [writer.read(node.inputs[i]) for i in order], node.outputs[0])

    return rule


MOVES: dict[str, Rule] = {
    **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _pad),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _resize),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), _blocks),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), _split),
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concat,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "PACK": _pack,
    "UNPACK": _unpack,
    "CAST": _cast,
    "TILE": plain("Tile", (0, 1)),
    "BROADCAST_TO": plain("Expand", (0, 1)),
    "FILL": plain("Expand", (1, 0)),
    "RANGE": plain("Range", (0, 1, 2)),
    "SHAPE": plain("Shape", (0,)),
}
