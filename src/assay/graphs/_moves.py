"""Output shapes of the operators that move, cut, join and repeat elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, prod

from assay.graphs.operators import (
    FLOAT,
    INT64,
    MOST_AXES,
    MOST_VALUES,
    UNKNOWN,
    Operator,
    Shape,
    Tensor,
)

Inputs = Sequence[Tensor | None]


def _first(inputs: Inputs) -> tuple[Tensor, Shape]:
    tensor = inputs[0]
    if tensor is None or tensor.shape is None:
        raise ValueError("unknown rank")
    return tensor, tensor.shape


def numbers(inputs: Inputs, place: int) -> Shape | None:
    """The values of an integer operand, None where it is absent, unknown, long or not integer."""
    tensor = inputs[place] if len(inputs) > place else None
    if tensor is None or tensor.value is None or tensor.size > MOST_VALUES:
        return None
    values = tensor.value.reshape(-1)
    return tuple(int(v) for v in values) if values.dtype.kind in "iub" else None


def _listed(node: Operator, inputs: Inputs, name: str, place: int) -> Shape | None:
    """Axes and the like: an attribute in old opsets, an operand in new ones."""
    return node.ints(name) if name in node.attributes else numbers(inputs, place)


def _given(inputs: Inputs, place: int) -> bool:
    return len(inputs) > place and inputs[place] is not None


def _reshape(node: Operator, inputs: Inputs) -> list[Tensor]:
    source = inputs[0] or UNKNOWN
    target = _listed(node, inputs, "shape", 1)
    if target is None:
        shape_of = inputs[1] if len(inputs) > 1 else None
        rank = shape_of.shape[0] if shape_of is not None and shape_of.shape else -1
        return [Tensor(source.dtype, (-1,) * rank if 0 <= rank <= MOST_AXES else None)]
    old = source.shape
    sizes = list(target)
    if not node.attributes.get("allowzero", 0):
        sizes = [(-1 if old is None else old[i]) if d == 0 else d for i, d in enumerate(sizes)]
    if sizes.count(-1) == 1 and -1 in target and old is not None and -1 not in old:
        known = 1
        for d in sizes:
            known *= 1 if d == -1 else d
        sizes[sizes.index(-1)] = source.size // known if known else 0
    return [Tensor(source.dtype, tuple(sizes))]


def _flatten(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    axis = node.attributes.get("axis", 1)
    axis += len(shape) if axis < 0 else 0
    sizes = (-1 if -1 in part else prod(part) for part in (shape[:axis], shape[axis:]))
    return [Tensor(x.dtype, tuple(sizes))]


def _squeeze(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    axes = _listed(node, inputs, "axes", 1)
    if axes is None and (_given(inputs, 1) or -1 in shape):
        return [Tensor(x.dtype)]
    gone = {i for i, d in enumerate(shape) if d == 1}
    if axes is not None:
        gone = {axis % len(shape) for axis in axes}
    return [Tensor(x.dtype, tuple(d for i, d in enumerate(shape) if i not in gone))]


def _unsqueeze(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    axes = _listed(node, inputs, "axes", 1)
    if axes is None:
        return [Tensor(x.dtype)]
    rank, result = len(shape) + len(axes), list(shape)
    new = sorted({axis % rank for axis in axes})
    if len(new) < len(axes):
        raise ValueError("an axis that is given twice")
    for axis in new:
        result.insert(axis, 1)
    return [Tensor(x.dtype, tuple(result))]


def _transpose(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    order = node.ints("perm", tuple(reversed(range(len(shape)))))
    return [Tensor(x.dtype, tuple(shape[axis] for axis in order))]


def _concat(node: Operator, inputs: Inputs) -> list[Tensor]:
    shapes = [t.shape for t in inputs if t is not None and t.shape is not None]
    x, shape = _first(inputs)
    if len(shapes) < len(inputs):
        return [Tensor(x.dtype)]
    axis = node.attributes["axis"] % len(shape)
    sizes = [s[axis] for s in shapes]
    joined = -1 if -1 in sizes else sum(sizes)
    return [Tensor(x.dtype, (*shape[:axis], joined, *shape[axis + 1 :]))]


def _split(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    axis = node.attributes.get("axis", 0) % len(shape)
    sizes, parts = _listed(node, inputs, "split", 1), len(node.outputs)
    if not sizes:
        step = -1 if shape[axis] < 0 or _given(inputs, 1) else -(-shape[axis] // parts)
        sizes = (step,) * parts
        if step > 0:
            sizes = (*sizes[:-1], max(shape[axis] - step * (parts - 1), 0))
    return [Tensor(x.dtype, (*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]


def _split_to_sequence(node: Operator, inputs: Inputs) -> list[Tensor]:
    """The type of a sequence is that of its elements, where they are all alike."""
    x, shape = _first(inputs)
    axis = node.attributes.get("axis", 0) % len(shape)
    sizes = numbers(inputs, 1)
    if sizes is None and not _given(inputs, 1):
        keep = (1,) if node.attributes.get("keepdims", 1) else ()
        return [Tensor(x.dtype, (*shape[:axis], *keep, *shape[axis + 1 :]))]
    alike = sizes is not None and len(set(sizes)) == 1 and shape[axis] % sizes[0] == 0
    size = sizes[0] if sizes and alike else -1
    return [Tensor(x.dtype, (*shape[:axis], size, *shape[axis + 1 :]))]


def _slice(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    starts, ends = _listed(node, inputs, "starts", 1), _listed(node, inputs, "ends", 2)
    axes = _listed(node, inputs, "axes", 3)
    steps = numbers(inputs, 4)
    hidden = (axes is None and _given(inputs, 3)) or (steps is None and _given(inputs, 4))
    if starts is None or ends is None or hidden:
        cut = {a % len(shape) for a in axes} if axes else set(range(len(shape)))
        return [Tensor(x.dtype, tuple(-1 if i in cut else d for i, d in enumerate(shape)))]
    result = list(shape)
    axes = axes or tuple(range(len(starts)))
    for axis, start, end, step in zip(axes, starts, ends, steps or (1,) * len(axes), strict=True):
        size = shape[axis]
        if size >= 0:
            last = None if step < 0 and end < -size else end
            result[axis] = len(range(*slice(start, last, step).indices(size)))
    return [Tensor(x.dtype, tuple(result))]


def _gather(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    indices = inputs[1]
    if indices is None or indices.shape is None:
        return [Tensor(x.dtype)]
    axis = node.attributes.get("axis", 0) % len(shape)
    return [Tensor(x.dtype, (*shape[:axis], *indices.shape, *shape[axis + 1 :]))]


def _like_second(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, _ = _first(inputs)
    return [Tensor(x.dtype, None if inputs[1] is None else inputs[1].shape)]


def _gather_nd(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    indices = inputs[1]
    if indices is None or not indices.shape or indices.shape[-1] < 0:
        return [Tensor(x.dtype)]
    batch = node.attributes.get("batch_dims", 0)
    return [Tensor(x.dtype, (*indices.shape[:-1], *shape[batch + indices.shape[-1] :]))]


def _pad(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    pads = _listed(node, inputs, "pads", 1)
    axes = numbers(inputs, 3)
    if pads is None or (_given(inputs, 3) and axes is None):
        return [Tensor(x.dtype, (-1,) * len(shape))]
    result, axes = list(shape), axes or tuple(range(len(shape)))
    for place, axis in enumerate(axes):
        if result[axis] >= 0:
            result[axis] += pads[place] + pads[place + len(axes)]
    return [Tensor(x.dtype, tuple(max(d, -1) for d in result))]


def _expand(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    target = _listed(node, inputs, "shape", 1)
    if target is None:
        return [Tensor(x.dtype)]
    rank = max(len(shape), len(target))
    pairs = zip(
        (1,) * (rank - len(shape)) + shape, (1,) * (rank - len(target)) + target, strict=True
    )
    return [Tensor(x.dtype, tuple(b if a == 1 else a for a, b in pairs))]


def _tile(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    repeats = numbers(inputs, 1)
    if repeats is None:
        return [Tensor(x.dtype, (-1,) * len(shape))]
    pairs = zip(shape, repeats, strict=True)
    return [Tensor(x.dtype, tuple(-1 if d < 0 else d * r for d, r in pairs))]


def _resize(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, shape = _first(inputs)
    place = 1 if node.op == "Upsample" or len(inputs) == 2 else 2  # of the scales
    scales, sizes = node.attributes.get("scales"), numbers(inputs, 3)
    tensor = inputs[place] if len(inputs) > place else None
    axes = node.ints("axes") if "axes" in node.attributes else tuple(range(len(shape)))
    result = list(shape)
    if sizes is not None:
        for axis, size in zip(axes, sizes, strict=True):
            result[axis] = size
        return [Tensor(x.dtype, tuple(result))]
    if scales is None and tensor is not None and tensor.value is not None and tensor.value.size:
        scales = tuple(float(v) for v in tensor.value.reshape(-1))
    if scales is None:
        return [Tensor(x.dtype, (*shape[:2], *(-1 for _ in shape[2:])))]
    for axis, scale in zip(axes, scales, strict=True):
        result[axis] = -1 if shape[axis] < 0 else floor(shape[axis] * scale)
    return [Tensor(x.dtype, tuple(result))]


def _constant_of_shape(node: Operator, inputs: Inputs) -> list[Tensor]:
    value = node.attributes.get("value")
    return [Tensor(value.dtype if isinstance(value, Tensor) else FLOAT, numbers(inputs, 0))]


def _constant(node: Operator, inputs: Inputs) -> list[Tensor]:
    for name in ("value", "sparse_value"):
        value = node.attributes.get(name)
        if isinstance(value, Tensor):
            return [value]
    whole = "value_int" in node.attributes or "value_ints" in node.attributes
    listed = node.attributes.get("value_ints", node.attributes.get("value_floats"))
    return [Tensor(INT64 if whole else FLOAT, () if listed is None else (len(listed),))]


def _shape(node: Operator, inputs: Inputs) -> list[Tensor]:
    if inputs[0] is None or inputs[0].shape is None:
        return [Tensor(INT64, (-1,))]
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return [Tensor(INT64, (len(inputs[0].shape[start:end]),))]


def _range(node: Operator, inputs: Inputs) -> list[Tensor]:
    bounds = [t.value for t in inputs if t is not None and t.value is not None]
    dtype = inputs[0].dtype if inputs[0] is not None else INT64
    if len(bounds) < 3:
        return [Tensor(dtype, (-1,))]
    start, limit, step = (float(v.reshape(-1)[0]) for v in bounds)
    return [Tensor(dtype, (max(0, -int((start - limit) // step)) if step else -1,))]


def _depth_to_space(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, (n, c, h, w) = _first(inputs)
    b = node.attributes["blocksize"]
    if node.op == "DepthToSpace":
        return [Tensor(x.dtype, (n, c // (b * b), h * b, w * b))]
    return [Tensor(x.dtype, (n, c * b * b, h // b, w // b))]


MOVES: dict[str, Callable[[Operator, Inputs], list[Tensor]]] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "SplitToSequence": _split_to_sequence,
    "SequenceAt": lambda node, inputs: [inputs[0] or UNKNOWN],
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _like_second,
    "GatherND": _gather_nd,
    "Pad": _pad,
    "Expand": _expand,
    "Tile": _tile,
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "ConstantOfShape": _constant_of_shape,
    "Constant": _constant,
    "Shape": _shape,
    "Size": lambda node, inputs: [Tensor(INT64, ())],
    "Range": _range,
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _depth_to_space),
}
