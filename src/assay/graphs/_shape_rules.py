"""Output shapes by operator: the ONNX operators' own rules, for concrete inputs.

A rule gets the operator and its inputs and gives the outputs it knows; -1 is an unknown dimension,
None an unknown rank.  Operators without a rule have unknown outputs.  Those that keep their first
input's shape, and those that broadcast, are listed by name in ``_vocabulary``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.graphs import _vocabulary as vocabulary
from assay.graphs._moves import MOVES, numbers
from assay.graphs._signal_shapes import SIGNALS
from assay.graphs.operators import BOOL, FLOAT, INT64, UNKNOWN, Operator, Shape, Tensor

Inputs = Sequence[Tensor | None]
Rule = Callable[[Operator, Inputs], list[Tensor]]


def infer(node: Operator, inputs: Inputs) -> list[Tensor]:
    """What is known of the outputs from the inputs' types."""
    rule = RULES.get(node.op)
    if rule is None:
        if node.op in vocabulary.ELEMENTWISE and inputs:
            first = inputs[0] or UNKNOWN
            return [Tensor(vocabulary.OUTPUT_DTYPE.get(node.op, first.dtype), first.shape)]
        if node.op in vocabulary.BROADCAST:
            return _broadcast(node, inputs)
        return [UNKNOWN] * len(node.outputs)
    try:
        return rule(node, inputs)
    except (LookupError, ArithmeticError, ValueError, TypeError, AttributeError):
        # Missing inputs, attributes of another kind, axes out of range: not what ONNX allows.
        return [UNKNOWN] * len(node.outputs)


def first(inputs: Inputs) -> Tensor:
    """The first input.  Raises ValueError where its rank is unknown."""
    if not inputs or inputs[0] is None or inputs[0].shape is None:
        raise ValueError("unknown rank")
    return inputs[0]


def dims(inputs: Inputs, place: int) -> Shape:
    """The shape of an input.  Raises ValueError where its rank is unknown."""
    tensor = inputs[place]
    if tensor is None or tensor.shape is None:
        raise ValueError("unknown rank")
    return tensor.shape


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """NumPy's rule; where two dimensions do not fit, the result's is unknown."""
    rank = max(len(shape) for shape in shapes)
    result = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        result.append(1 if not sizes else sizes.pop() if len(sizes) == 1 else -1)
    return tuple(result)


def _broadcast(node: Operator, inputs: Inputs) -> list[Tensor]:
    known = [tensor for tensor in inputs if tensor is not None]
    values = known[1:] if node.op == "Where" else known
    dtype = values[0].dtype if values else 0
    shapes = [tensor.shape for tensor in known if tensor.shape is not None]
    shape = broadcast(shapes) if shapes and len(shapes) == len(known) else None
    return [Tensor(vocabulary.OUTPUT_DTYPE.get(node.op, dtype), shape)]


def _window(node: Operator, size: Shape, kernel: Shape, ceil: bool = False) -> Shape:
    """Spatial sizes after a sliding window."""
    n = len(kernel)
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    pads = node.ints("pads", (0,) * (2 * n))
    auto = node.attributes.get("auto_pad", "NOTSET")
    result = []
    for axis in range(n):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        stride = max(strides[axis], 1)
        if size[axis] < 0 or kernel[axis] < 0:
            result.append(-1)
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            result.append(-(-size[axis] // stride))
        else:
            padded = size[axis] + (0 if auto == "VALID" else pads[axis] + pads[axis + n])
            steps = -(-(padded - reach) // stride) if ceil else (padded - reach) // stride
            if ceil and steps * stride >= size[axis] + pads[axis]:
                steps -= 1  # a window must not begin in the padding behind
            result.append(max(steps + 1, 0))
    return tuple(result)


def _conv(node: Operator, inputs: Inputs) -> list[Tensor]:
    x = first(inputs)
    weight = dims(inputs, 1)
    assert x.shape is not None
    if not 3 <= len(weight) == len(x.shape):
        raise ValueError("a kernel of another rank")
    shape = (x.shape[0], weight[0], *_window(node, x.shape[2:], weight[2:]))
    return [Tensor(x.dtype, shape)]


def _conv_transpose(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, weight = first(inputs), dims(inputs, 1)
    assert x.shape is not None
    n = len(weight) - 2
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    pads, extra = node.ints("pads", (0,) * (2 * n)), node.ints("output_padding", (0,) * n)
    given = node.ints("output_shape")
    same = str(node.attributes.get("auto_pad", "")).startswith("SAME")
    sizes = []
    for i in range(n):
        size, reach = x.shape[2 + i], dilations[i] * (weight[2 + i] - 1) + 1
        full = strides[i] * (size - 1) + extra[i] + reach - pads[i] - pads[i + n]
        sizes.append(-1 if size < 0 else size * strides[i] if same else full)
    channels = weight[1] * node.attributes.get("group", 1)
    return [Tensor(x.dtype, (x.shape[0], channels, *(given[-n:] if given else sizes)))]


def _pool(node: Operator, inputs: Inputs) -> list[Tensor]:
    x = first(inputs)
    assert x.shape is not None
    ceil = bool(node.attributes.get("ceil_mode", 0))
    shape = (*x.shape[:2], *_window(node, x.shape[2:], node.ints("kernel_shape"), ceil))
    return [Tensor(x.dtype, shape), Tensor(INT64, shape)]


def _global_pool(node: Operator, inputs: Inputs) -> list[Tensor]:
    x = first(inputs)
    assert x.shape is not None
    return [Tensor(x.dtype, (*x.shape[:2], *(1 for _ in x.shape[2:])))]


def _gemm(node: Operator, inputs: Inputs) -> list[Tensor]:
    a, b = dims(inputs, 0), dims(inputs, 1)
    rows = a[1] if node.attributes.get("transA", 0) else a[0]
    columns = b[0] if node.attributes.get("transB", 0) else b[1]
    return [Tensor(first(inputs).dtype, (rows, columns))]


def _matmul(node: Operator, inputs: Inputs) -> list[Tensor]:
    a, b = dims(inputs, 0), dims(inputs, 1)
    if not a or not b:
        raise ValueError("a scalar operand")
    a, b = (  # ONNX Runtime's fused products turn the last two axes
        (*d[:-2], d[-1], d[-2]) if node.attributes.get(name) and len(d) > 1 else d
        for d, name in ((a, "transA"), (b, "transB"))
    )
    batch = broadcast([a[:-2], b[:-2]]) if len(a) > 2 or len(b) > 2 else ()
    rows = a[-2:-1] if len(a) > 1 else ()
    columns = b[-1:] if len(b) > 1 else ()
    return [Tensor(first(inputs).dtype, (*batch, *rows, *columns))]


def _reduce(node: Operator, inputs: Inputs) -> list[Tensor]:
    x = first(inputs)
    assert x.shape is not None
    rank = len(x.shape)
    axes: Shape | None = node.ints("axes") if "axes" in node.attributes else None
    given = inputs[1] if len(inputs) > 1 else None
    if given is not None:
        axes = numbers(inputs, 1)
        if axes is None:
            return [Tensor(x.dtype)]
    if not axes:
        axes = () if node.attributes.get("noop_with_empty_axes", 0) else tuple(range(rank))
    gone = {axis % rank for axis in axes} if rank else set()
    keep = node.attributes.get("keepdims", 1)
    shape = tuple(1 if i in gone else d for i, d in enumerate(x.shape) if keep or i not in gone)
    return [Tensor(x.dtype, shape)]


def _arg_reduce(node: Operator, inputs: Inputs) -> list[Tensor]:
    axis = node.attributes.get("axis", 0)
    reduced = Operator(
        node.op, node.inputs, node.outputs, {**node.attributes, "axes": (int(axis),)}
    )
    return [Tensor(INT64, _reduce(reduced, inputs[:1])[0].shape)]


def _recurrent(node: Operator, inputs: Inputs) -> list[Tensor]:
    x, recurrence = first(inputs), dims(inputs, 2)
    assert x.shape is not None
    directions, hidden = recurrence[0], recurrence[2]
    if node.attributes.get("layout", 0):
        batch, length = x.shape[:2]
        state = Tensor(x.dtype, (batch, directions, hidden))
        return [Tensor(x.dtype, (batch, length, directions, hidden)), state, state]
    length, batch = x.shape[:2]
    state = Tensor(x.dtype, (directions, batch, hidden))
    return [Tensor(x.dtype, (length, directions, batch, hidden)), state, state]


def _normalization(node: Operator, inputs: Inputs) -> list[Tensor]:
    x = first(inputs)
    return [Tensor(x.dtype, x.shape)] + [UNKNOWN] * (len(node.outputs) - 1)


def _one_hot(node: Operator, inputs: Inputs) -> list[Tensor]:
    indices, depth = list(dims(inputs, 0)), inputs[1]
    axis = node.attributes.get("axis", -1)
    size = -1 if depth is None or depth.value is None else int(depth.value.reshape(-1)[0])
    indices.insert(axis if axis >= 0 else len(indices) + 1 + axis, size)
    values = inputs[2]
    return [Tensor(values.dtype if values else FLOAT, tuple(indices))]


def _top_k(node: Operator, inputs: Inputs) -> list[Tensor]:
    x = first(inputs)
    assert x.shape is not None
    given = inputs[1] if len(inputs) > 1 else None
    k = node.attributes.get("k", -1)
    if given is not None and given.value is not None:
        k = int(given.value.reshape(-1)[0])
    shape = list(x.shape)
    shape[node.attributes.get("axis", -1)] = k
    return [Tensor(x.dtype, tuple(shape)), Tensor(INT64, tuple(shape))]


def _attention(node: Operator, inputs: Inputs) -> list[Tensor]:
    q, v = dims(inputs, 0), dims(inputs, 2)
    width = v[-1]
    if len(q) == 3 and width >= 0:  # heads side by side; several of the queries' share one value
        heads = node.integer("q_num_heads", 1)
        width = width // node.integer("kv_num_heads", heads) * heads
    return [Tensor(first(inputs).dtype, (*q[:-1], width))] + [UNKNOWN] * (len(node.outputs) - 1)


def _einsum(node: Operator, inputs: Inputs) -> list[Tensor]:
    left, arrow, right = str(node.attributes.get("equation", "")).replace(" ", "").partition("->")
    if not arrow or "." in left:
        raise ValueError("an implicit equation")
    sizes: dict[str, int] = {}
    for letters, place in zip(left.split(","), range(len(inputs)), strict=True):
        sizes |= dict(zip(letters, dims(inputs, place), strict=True))
    return [Tensor(first(inputs).dtype, tuple(sizes[letter] for letter in right))]


def _joined(node: Operator, inputs: Inputs) -> list[Tensor]:
    """If, and Loop or Scan where values enter, leave or are stacked."""
    values = [t for t in (inputs[1:] if node.op == "If" else inputs) if t is not None]
    shapes = [t.shape for t in values if t.shape is not None]
    dtype = values[0].dtype if values else 0
    if not shapes or len(shapes) < len(values):
        return [Tensor(dtype, shapes[0] if shapes and node.op == "Loop" else None)]
    if "scanned" in node.attributes:
        return [Tensor(dtype, shapes[0][1:])]
    if "stacked" in node.attributes:
        return [Tensor(dtype, (-1, *shapes[0]))]
    if len({len(shape) for shape in shapes}) > 1:
        return [Tensor(dtype)]
    sizes = zip(*shapes, strict=True)
    return [Tensor(dtype, tuple(d[0] if len(set(d)) == 1 else -1 for d in sizes))]


def _cast(node: Operator, inputs: Inputs) -> list[Tensor]:
    return [Tensor(node.attributes["to"], (inputs[0] or UNKNOWN).shape)]


def _dropout(node: Operator, inputs: Inputs) -> list[Tensor]:
    x = first(inputs)
    return [Tensor(x.dtype, x.shape), Tensor(BOOL, x.shape)]


RULES: dict[str, Rule] = {
    **MOVES,
    **SIGNALS,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "GlobalLpPool": _global_pool,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "ArgMax": _arg_reduce,
    "ArgMin": _arg_reduce,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "OneHot": _one_hot,
    "TopK": _top_k,
    "Attention": _attention,
    "Einsum": _einsum,
    "If": _joined,
    "Loop": _joined,
    "Scan": _joined,
    "Cast": _cast,
    "Dropout": _dropout,
    **dict.fromkeys(vocabulary.REDUCTIONS, _reduce),
    **dict.fromkeys(vocabulary.NORMALIZATIONS, _normalization),
}
