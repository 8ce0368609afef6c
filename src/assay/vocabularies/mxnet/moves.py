"""MXNet's operators that join, cut or move, in ONNX's words [MXNet 1.9, operator reference]."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs.operators import Shape
from assay.vocabularies.mxnet.graph import Step
from assay.vocabularies.mxnet.weighted import opaque

_MOST_PARTS = 1000  # that one operator cuts a tensor into
_END = 2**31 - 1


def _concat(step: Step) -> list[str]:
    key = "axis" if step.op == "stack" else "dim"
    axis, inputs = step.node.integer(key, 0 if step.op == "stack" else 1), step.tensors()
    if not inputs:
        return opaque(step)
    if step.op == "stack":
        axes = step.build.constant([axis])
        inputs = [step.add("Unsqueeze", [name, axes]) for name in inputs]
    return [step.add("Concat", inputs, {"axis": axis})]


def _flatten(step: Step) -> list[str]:
    return [step.add("Flatten", [step.x], {"axis": 1})]


def _reshape(step: Step) -> list[str]:
    wanted, shape = step.node.integers("shape"), step.shape()
    if not wanted or step.node.flag("reverse"):
        return opaque(step)
    if min(wanted) >= -1:
        return [step.add("Reshape", [step.x, step.build.constant(list(wanted))])]
    target = _target(wanted, shape) if shape else None
    if target is None:
        return opaque(step)
    return [step.add("Reshape", [step.x, step.build.constant(target)])]


def _target(wanted: Shape, shape: Shape) -> list[int] | None:
    """Sizes for MXNet's codes: -2 the rest, -3 two axes in one, -4 one axis in two."""
    left, sizes, codes = list(shape), list[int](), list(wanted)
    while codes:
        code = codes.pop(0)
        if code == -2:
            sizes += left
            left = []
        elif code == -3 and len(left) > 1:
            sizes.append(left[0] * left[1])
            left = left[2:]
        elif code == -4 and left and len(codes) > 1:
            first, second = codes.pop(0), codes.pop(0)
            if max(first, second) < 1:
                return None
            first = left[0] // second if first < 1 else first
            sizes += [first, left[0] // max(first, 1) if second < 1 else second]
            left = left[1:]
        elif code >= -1:
            sizes.append(left[0] if code == 0 and left else code)
            left = left[1:]
        else:
            return None
    return sizes


def _transpose(step: Step) -> list[str]:
    axes, rank = step.node.integers("axes"), len(step.shape())
    if not axes and not rank:
        return opaque(step)
    return [step.build.transpose(step.x, axes or tuple(reversed(range(rank))))]


def _swap(step: Step) -> list[str]:
    rank = len(step.shape())
    first, second = step.node.integer("dim1"), step.node.integer("dim2")
    if not -rank <= min(first, second) <= max(first, second) < rank:
        return opaque(step)
    axes = list(range(rank))
    axes[first], axes[second] = axes[second], axes[first]
    return [step.build.transpose(step.x, axes)]


def _expand_dims(step: Step) -> list[str]:
    axes = step.build.constant([step.node.integer("axis")])
    return [step.add("Unsqueeze", [step.x, axes])]


def _squeeze(step: Step) -> list[str]:
    axes = step.node.integers("axis")
    named = [step.build.constant(list(axes))] if axes else []
    return [step.add("Squeeze", [step.x, *named])]


def _cut(step: Step, starts: list[int], ends: list[int], axes: list[int], by: list[int]) -> str:
    return step.add("Slice", [step.x, *(step.build.constant(v) for v in (starts, ends, axes, by))])


def _slice(step: Step) -> list[str]:
    begin, end = step.node.numbers("begin") or (), step.node.numbers("end") or ()
    strides = step.node.numbers("step") or (None,) * len(begin)
    if not begin or not len(begin) == len(end) == len(strides):
        return opaque(step)
    by = [1 if stride is None else int(stride) for stride in strides]
    if 0 in by:
        return opaque(step)
    starts = [
        (_END if s < 0 else 0) if b is None else int(b) for b, s in zip(begin, by, strict=True)
    ]
    ends = [
        (-_END if s < 0 else _END) if e is None else int(e) for e, s in zip(end, by, strict=True)
    ]
    return [_cut(step, starts, ends, list(range(len(begin))), by)]


def _slice_axis(step: Step) -> list[str]:
    end = step.node.numbers("end")
    last = int(end[0]) if end and end[0] is not None else _END
    axis = [step.node.integer("axis")]
    return [_cut(step, [step.node.integer("begin")], [last], axis, [1])]


def _slice_like(step: Step) -> list[str]:
    """Cut to the sizes of another tensor: ``Crop`` of images, ``slice_like`` of given axes."""
    shape = step.shape()
    wanted = step.shape(1) if len(step.inputs) > 1 else ()
    axes = [axis % max(len(shape), 1) for axis in step.node.integers("axes")]
    starts = step.node.integers("offset") or (0, 0)
    if step.op == "Crop":
        axes, sizes = [2, 3], step.node.integers("h_w")
        wanted = (0, 0, *sizes) if len(sizes) == 2 and not wanted else wanted
        if len(shape) == 4 and step.node.flag("center_crop") and len(wanted) == 4:
            starts = tuple((shape[axis] - wanted[axis]) // 2 for axis in axes)
    axes = axes or list(range(len(wanted)))
    if not shape or not wanted or max(axes) >= min(len(shape), len(wanted)):
        return opaque(step)
    begin = list(starts) if step.op == "Crop" and len(starts) == 2 else [0] * len(axes)
    ends = [start + wanted[axis] for start, axis in zip(begin, axes, strict=True)]
    return [_cut(step, begin, ends, axes, [1] * len(axes))]


def _split(step: Step) -> list[str]:
    count, axis = step.node.integer("num_outputs", 1), step.node.integer("axis", 1)
    if not 0 < count <= _MOST_PARTS:
        raise UnreadableModel(f"{step.name[:80]!r} cuts a tensor into {count:,} parts")
    names = [step.build.fresh(step.name or "split") for _ in range(count)]
    step.build.add("Split", [step.x], names, {"axis": axis, "num_outputs": count})
    if not step.node.flag("squeeze_axis"):
        return names
    axes = step.build.constant([axis])
    return [step.add("Squeeze", [name, axes]) for name in names]


def _pad(step: Step) -> list[str]:
    widths = step.node.integers("pad_width")
    pads = [*widths[::2], *widths[1::2]]
    value = step.build.constant(np.float32(min(step.node.real("constant_value"), 1e30)))
    mode = step.node.text("mode", "constant")
    if not pads or len(widths) % 2 or mode not in ("constant", "edge", "reflect"):
        return opaque(step)
    return [step.add("Pad", [step.x, step.build.constant(pads), value], {"mode": mode})]


def _tile(step: Step) -> list[str]:
    times, rank = step.node.integers("reps"), len(step.shape())
    if not rank or len(times) > rank or min(times, default=0) < 1:
        return opaque(step)
    repeats = [1] * (rank - len(times)) + list(times)
    return [step.add("Tile", [step.x, step.build.constant(repeats)])]


def _resize(step: Step) -> list[str]:
    """Bilinear, to a size or by a factor."""
    node, shape = step.node, step.shape()
    if len(shape) != 4 or len(step.inputs) != 1 or prod(shape) < 1:
        return opaque(step)
    sizes = [node.integer("height", 1), node.integer("width", 1)]
    factors = [node.real("scale_height"), node.real("scale_width")]
    if node.numbers("scale_height") and min(factors) > 0:
        sizes = [
            int(size * min(factor, 1e6)) for size, factor in zip(shape[2:], factors, strict=True)
        ]
    target = step.build.constant([*shape[:2], *sizes])
    way = "align_corners" if node.flag("align_corners", True) else "half_pixel"
    attributes = {"mode": "linear", "coordinate_transformation_mode": way}
    return [step.add("Resize", [step.x, "", "", target], attributes)]


def _product(step: Step) -> list[str]:
    """``dot`` of two matrices, or of matrices in batches."""
    names, keys = [step.tensor(0), step.tensor(1)], ("transpose_a", "transpose_b")
    for place, key in enumerate(keys):
        rank = len(step.shape(place))
        if step.node.flag(key):
            if rank < 2:
                return opaque(step)
            axes = (*range(rank - 2), rank - 1, rank - 2)
            names[place] = step.build.transpose(names[place], axes)
    if step.op == "dot" and max(len(step.shape(0)), len(step.shape(1))) > 2:
        return opaque(step)
    return [step.add("MatMul", names)]


def _take(step: Step) -> list[str]:
    return [step.add("Gather", [step.x, step.tensor(1)], {"axis": step.node.integer("axis")})]


def _where(step: Step) -> list[str]:
    return [step.add("Where", [step.tensor(place) for place in range(3)])]


def _filled(step: Step) -> list[str]:
    """``zeros`` and ``ones`` of a given shape."""
    shape = step.node.integers("shape")
    if not shape or min(shape) < 1 or prod(shape) > 2**20:
        return opaque(step)
    value = 1 if "ones" in step.op else 0
    return [step.build.constant(np.full(shape, value, np.float32))]


def _depth(step: Step) -> list[str]:
    op = "DepthToSpace" if step.op == "depth_to_space" else "SpaceToDepth"
    return [step.add(op, [step.x], {"blocksize": step.node.integer("block_size", 1)})]


MOVES: dict[str, Callable[[Step], list[str]]] = {
    **dict.fromkeys(("Concat", "concat", "stack"), _concat),
    **dict.fromkeys(("Flatten", "flatten"), _flatten),
    **dict.fromkeys(("Reshape", "reshape"), _reshape),
    "transpose": _transpose,
    **dict.fromkeys(("SwapAxis", "swapaxes"), _swap),
    "expand_dims": _expand_dims,
    "squeeze": _squeeze,
    **dict.fromkeys(("slice", "crop"), _slice),
    "slice_axis": _slice_axis,
    **dict.fromkeys(("slice_like", "Crop"), _slice_like),
    **dict.fromkeys(("SliceChannel", "split"), _split),
    **dict.fromkeys(("Pad", "pad"), _pad),
    "tile": _tile,
    "_contrib_BilinearResize2D": _resize,
    **dict.fromkeys(("dot", "batch_dot"), _product),
    "take": _take,
    "where": _where,
    **dict.fromkeys(("_zeros", "_ones"), _filled),
    **dict.fromkeys(("depth_to_space", "space_to_depth"), _depth),
}
