"""Values of small tensors through the operators that shape arithmetic uses, in NumPy.

Only results of at most MOST_VALUES elements are computed, and their size is known before anything
is allocated.  What an operator does with odd operands is left open: the value is then unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from assay.graphs.operators import MOST_AXES, MOST_VALUES, Operator, Tensor, Values

_DTYPES: dict[int, Any] = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64,
}  # fmt: skip

LARGEST = 2**20  # elements of one number repeated
Inputs = Sequence[Values | None]


def evaluate(
    node: Operator, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]
) -> list[Values] | None:
    """The values of all outputs, or None where one is unknown or too large."""
    if node.op in ("Shape", "Size"):
        return _measured(node, inputs)
    rule = _RULES.get(node.op)
    if rule is None or any(t is not None and t.value is None for t in inputs):
        return None
    if any(t is not None and t.size > MOST_VALUES for t in inputs):
        return None
    if node.op == "Expand" and inputs[0] is not None and inputs[0].size == 1:
        return _filled(inputs[0], outputs[0])
    for tensor in outputs[: len(node.outputs)]:
        if tensor.shape is not None and tensor.size > MOST_VALUES:
            return None
        if tensor.shape is None and node.op in _GROWING:
            return None
    with np.errstate(all="ignore"):
        try:
            result = rule(node, [None if t is None else t.value for t in inputs])
        except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError, OverflowError):
            return None  # operands that ONNX does not allow: the value stays unknown
    values = result if isinstance(result, list) else [result]
    return values if all(v.size <= MOST_VALUES for v in values) else None


def _filled(one: Tensor, output: Tensor) -> list[Values] | None:
    """One number repeated: a view, whatever its size."""
    if one.value is None or output.shape is None or output.size > LARGEST:
        return None
    if min(output.shape, default=0) < 0 or len(output.shape) > MOST_AXES:
        return None
    return [np.broadcast_to(one.value.reshape(()), output.shape)]


def of_each(function: Callable[[Values], Values], value: Values) -> Values:
    """The function of each element; a view again where the value is one number repeated."""
    if value.size == 0 or any(value.strides):
        return function(value)
    return np.broadcast_to(function(value.reshape(-1)[:1]).reshape(()), value.shape)


_ENDS = ("min", "max")  # of Clip, as attributes of old
_GROWING = {"Expand", "Tile", "ConstantOfShape", "Concat"}


def _measured(node: Operator, inputs: Sequence[Tensor | None]) -> list[Values] | None:
    """Shape and Size, of a tensor whose values need not be known."""
    tensor = inputs[0] if inputs else None
    if tensor is None or tensor.shape is None:
        return None
    start, end = node.integer("start", 0), node.integer("end", len(tensor.shape))
    shape = tensor.shape[start:end] if node.op == "Shape" else tensor.shape
    if -1 in shape or max((*shape, tensor.size)) >= 2**63:
        return None
    return [np.asarray(shape if node.op == "Shape" else tensor.size, np.int64)]


def _axes(node: Operator, inputs: Inputs, place: int = 1) -> tuple[int, ...] | None:
    if "axes" in node.attributes:
        return node.ints("axes")
    given = inputs[place] if len(inputs) > place else None
    return None if given is None else tuple(int(a) for a in given.reshape(-1))


def _constant(node: Operator, inputs: Inputs) -> Values:
    for name, value in node.attributes.items():
        if name == "value":
            if isinstance(value, Tensor) and value.value is not None:
                return value.value
        elif name in ("value_int", "value_ints"):
            return np.asarray(value, np.int64)
        elif name in ("value_float", "value_floats"):
            return np.asarray(value, np.float32)
    raise ValueError("a constant whose value was not kept")


def _constant_of_shape(node: Operator, inputs: Inputs) -> Values:
    value = node.attributes.get("value")
    fill = value.value if isinstance(value, Tensor) else None
    if fill is None or fill.dtype.kind == "f":
        raise ValueError("stands for weights that were taken out of the file")
    return np.full(tuple(int(d) for d in _need(inputs[0])), fill.reshape(-1)[0])


def _need(value: Values | None) -> Values:
    if value is None:
        raise ValueError("an operand is missing")
    return value


def _reshape(node: Operator, inputs: Inputs) -> Values:
    source = _need(inputs[0])
    shape = node.ints("shape") if "shape" in node.attributes else _need(inputs[1]).tolist()
    if not node.attributes.get("allowzero", 0):
        shape = [source.shape[i] if d == 0 else d for i, d in enumerate(shape)]
    return source.reshape(tuple(shape))


def _squeeze(node: Operator, inputs: Inputs) -> Values:
    return np.squeeze(_need(inputs[0]), _axes(node, inputs))


def _unsqueeze(node: Operator, inputs: Inputs) -> Values:
    return np.expand_dims(_need(inputs[0]), _axes(node, inputs) or ())


def _slice(node: Operator, inputs: Inputs) -> Values:
    source = _need(inputs[0])
    if "starts" in node.attributes:
        starts, ends = node.ints("starts"), node.ints("ends")
        axes, steps = node.ints("axes", tuple(range(len(starts)))), (1,) * len(starts)
    else:
        starts, ends = (tuple(map(int, _need(v))) for v in inputs[1:3])
        axes = _axes(node, inputs, 3) or tuple(range(len(starts)))
        given = inputs[4] if len(inputs) > 4 else None
        steps = (1,) * len(starts) if given is None else tuple(map(int, given))
    cut = [slice(None)] * source.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A negative step reads down to and with the first element where ``end`` is far below.
        last = None if step < 0 and end < -source.shape[axis] else end
        cut[axis] = slice(start, last, step)
    return source[tuple(cut)]


def _gather(node: Operator, inputs: Inputs) -> Values:
    indices = _need(inputs[1]).astype(np.int64)
    return np.take(_need(inputs[0]), indices, axis=node.attributes.get("axis", 0))


def _cast(node: Operator, inputs: Inputs) -> Values:
    return _need(inputs[0]).astype(_DTYPES[node.attributes["to"]])


def _split(node: Operator, inputs: Inputs) -> list[Values]:
    source, axis = _need(inputs[0]), node.attributes.get("axis", 0)
    sizes = node.ints("split") or (tuple(map(int, _need(inputs[1]))) if len(inputs) > 1 else ())
    if not sizes:  # equal parts, the last one smaller
        sizes = (-(-source.shape[axis] // len(node.outputs)),) * len(node.outputs)
    return list(np.split(source, np.cumsum(sizes)[:-1], axis))


def _clip(node: Operator, inputs: Inputs) -> Values:
    value = _need(inputs[0])
    given = [inputs[place] if len(inputs) > place else None for place in (1, 2)]
    least, most = (
        node.attributes.get(k) if v is None else v for k, v in zip(_ENDS, given, strict=True)
    )
    if least is not None:
        value = np.maximum(value, np.asarray(least, value.dtype))
    return value if most is None else np.minimum(value, np.asarray(most, value.dtype))


def _divide(node: Operator, inputs: Inputs) -> Values:
    a, b = _need(inputs[0]), _need(inputs[1])
    return a / b if a.dtype.kind == "f" else np.trunc(a / b).astype(a.dtype)  # rounds to zero


def _reduce(function: Callable[..., Any]) -> Callable[[Operator, Inputs], Values]:
    def run(node: Operator, inputs: Inputs) -> Values:
        keep = bool(node.attributes.get("keepdims", 1))
        return np.asarray(function(_need(inputs[0]), axis=_axes(node, inputs), keepdims=keep))

    return run


def _range(node: Operator, inputs: Inputs) -> Values:
    start, limit, step = (_need(v).reshape(-1)[0] for v in inputs)
    count = (float(limit) - float(start)) / float(step)  # machine integers would wrap round
    if not count <= MOST_VALUES:
        raise ValueError("a long range, or no number")
    return np.arange(start, limit, step)


def _plain(function: Callable[..., Any]) -> Callable[[Operator, Inputs], Values]:
    def run(node: Operator, inputs: Inputs) -> Values:
        return np.asarray(function(*(_need(value) for value in inputs)))

    return run


def _fold(function: Callable[..., Any]) -> Callable[[Operator, Inputs], Values]:
    def run(node: Operator, inputs: Inputs) -> Values:
        result = _need(inputs[0])
        for value in inputs[1:]:
            result = function(result, _need(value))
        return result

    return run


_RULES: dict[str, Callable[[Operator, Inputs], Any]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Identity": _plain(lambda x: x),
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Slice": _slice,
    "Gather": _gather,
    "Cast": _cast,
    "Split": _split,
    "Concat": lambda n, v: np.concatenate([_need(x) for x in v], n.attributes["axis"]),
    "Transpose": lambda n, v: np.transpose(_need(v[0]), n.attributes.get("perm")),
    "Expand": lambda n, v: np.broadcast_to(
        _need(v[0]), np.broadcast_shapes(_need(v[0]).shape, tuple(_need(v[1]).tolist()))
    ),
    "Tile": _plain(lambda x, repeats: np.tile(x, tuple(repeats.tolist()))),
    "Range": _range,
    "Where": _plain(np.where),
    "Add": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "Div": _divide,
    "Mod": lambda n, v: (np.fmod if n.attributes.get("fmod") else np.mod)(_need(v[0]), _need(v[1])),
    "Pow": _plain(np.power),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Sign": _plain(np.sign),
    "Clip": _clip,
    "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil),
    "Round": _plain(np.round),
    "Sqrt": _plain(np.sqrt),
    "Exp": _plain(np.exp),
    "Log": _plain(np.log),
    "Reciprocal": _plain(np.reciprocal),
    "Not": _plain(np.logical_not),
    "And": _plain(np.logical_and),
    "Or": _plain(np.logical_or),
    "Equal": _plain(np.equal),
    "Less": _plain(np.less),
    "LessOrEqual": _plain(np.less_equal),
    "Greater": _plain(np.greater),
    "GreaterOrEqual": _plain(np.greater_equal),
    "Min": _fold(np.minimum),
    "Max": _fold(np.maximum),
    "Sum": _fold(np.add),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
}
