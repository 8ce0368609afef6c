"""Core ML's operations in ONNX's words [coremltools, MIL operations, iOS 15 to 18].

Both keep channels first, so most operations differ in names and in where options stand.  What has
no counterpart keeps its name in the domain ``coreml``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from assay.errors import UnreadableModel
from assay.vocabularies.coreml_program import Operation, Program

_NAMES = {
    **{name: name.capitalize() for name in ("relu", "sigmoid", "tanh", "elu", "softplus")},
    **{name: name.capitalize() for name in ("exp", "sqrt", "erf", "abs", "ceil", "floor", "round")},
    **{name: name.capitalize() for name in ("sign", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: name.capitalize() for name in ("sinh", "cosh", "asinh", "acosh", "atanh", "log")},
    **{name: name.capitalize() for name in ("add", "sub", "mul", "pow", "mod", "equal", "less")},
    **{name: name.capitalize() for name in ("greater", "identity", "softsign", "gelu")},
    "real_div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "greater_equal": "GreaterOrEqual",
    "less_equal": "LessOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
    "logical_not": "Not",
    "inverse": "Reciprocal",
    "prelu": "PRelu",
    "shape": "Shape",
    "tile": "Tile",
}
_REDUCTIONS = {
    "reduce_mean": "ReduceMean",
    "reduce_sum": "ReduceSum",
    "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin",
    "reduce_prod": "ReduceProd",
    "reduce_l1_norm": "ReduceL1",
    "reduce_l2_norm": "ReduceL2",
    "reduce_log_sum": "ReduceLogSum",
    "reduce_log_sum_exp": "ReduceLogSumExp",
    "reduce_sum_square": "ReduceSumSquare",
}
_CODES = {"fp16": 1, "fp32": 1, "int32": 7, "int16": 7, "int8": 7, "uint8": 7, "bool": 9}


def translate(program: Program, operation: Operation) -> None:
    """The operation, added to the program's graph."""
    op = _Op(program, operation)
    rule = _RULES.get(operation.kind)
    if rule is not None:
        rule(op)
    elif operation.kind in _NAMES:
        order = ("x", "y") if "y" in operation.arguments else ("x",)
        names = [name for key in (*order, "alpha", "reps") for name in op.names(key)]
        if operation.kind in ("elu", "softplus"):
            op.emit(_NAMES[operation.kind], [op.one("x")], {"alpha": op.real("alpha", 1.0)})
        else:
            op.emit(_NAMES[operation.kind], names)
    elif operation.kind in _REDUCTIONS:
        inputs = [op.one("x")]
        if op.numbers("axes"):
            inputs.append(op.constant(op.numbers("axes")))
        op.emit(_REDUCTIONS[operation.kind], inputs, {"keepdims": op.integer("keep_dims", 0)})
    else:
        every = [n for names in operation.arguments.values() for n in names]
        computed = [n for n in every if not program.is_weight(n) or n in program.weights]
        op.emit(f"coreml::{operation.kind}"[:200], computed)


class _Op:
    """One operation, its arguments at hand."""

    def __init__(self, program: Program, operation: Operation) -> None:
        self.program = program
        self.operation = operation
        self.build = program.build

    def names(self, key: str) -> list[str]:
        return list(self.operation.arguments.get(key, ()))

    def one(self, key: str) -> str:
        names = self.names(key)
        if len(names) != 1:
            raise UnreadableModel(f"{self.operation.kind} has no argument {key!r}")
        return names[0]

    def numbers(self, key: str) -> list[int]:
        names = self.names(key)
        array = self.program.array(names[0]) if names else None
        return [] if array is None else [int(v) for v in np.asarray(array).reshape(-1)]

    def integer(self, key: str, default: int) -> int:
        return (self.numbers(key) or [default])[0]

    def real(self, key: str, default: float) -> float:
        names = self.names(key)
        array = self.program.array(names[0]) if names else None
        return default if array is None or not array.size else float(array.reshape(-1)[0])

    def text(self, key: str, default: str) -> str:
        names = self.names(key)
        value = self.program.values.get(names[0]) if names else None
        return default if value is None or value.text is None else value.text

    def constant(self, values: Any) -> str:
        array = np.asarray(values)
        return self.build.constant(array.astype(np.int64) if array.dtype.kind == "i" else array)

    def emit(self, op: str, inputs: list[str], attributes: dict[str, Any] | None = None) -> None:
        self.build.add(op, inputs, self.operation.outputs, attributes)

    def window(self, rank: int) -> dict[str, Any]:
        """Strides, dilations and pads of a sliding window."""
        found: dict[str, Any] = {"strides": tuple(self.numbers("strides") or [1] * rank)}
        if self.numbers("dilations"):
            found["dilations"] = tuple(self.numbers("dilations"))
        kind, pads = self.text("pad_type", "valid"), self.numbers("pad")
        if kind in ("same", "same_lower"):
            found["auto_pad"] = "SAME_LOWER" if kind == "same_lower" else "SAME_UPPER"
        elif kind == "custom" and len(pads) == 2 * rank:
            found["pads"] = (*pads[::2], *pads[1::2])
        return found


def _conv(op: _Op) -> None:
    weight = op.one("weight")
    transposed = op.operation.kind == "conv_transpose"
    groups = op.integer("groups", 1)
    tensor = op.build.tensors.get(weight)
    shape = tensor.shape if tensor is not None and tensor.shape else ()
    attributes = op.window(max(len(shape) - 2, 0)) | {"group": groups}
    op.program.layout(weight, "transposed" if transposed else "known", groups)
    inputs = [op.one("x"), weight, *op.names("bias")]
    op.emit("ConvTranspose" if transposed else "Conv", inputs, attributes)


def _linear(op: _Op) -> None:
    op.program.layout(op.one("weight"), "known")
    turned = op.build.transpose(op.one("weight"), (1, 0))
    if not op.names("bias"):
        op.emit("MatMul", [op.one("x"), turned])
        return
    product = op.build.add("MatMul", [op.one("x"), turned])
    op.emit("Add", [product, op.one("bias")])


def _matmul(op: _Op) -> None:
    names = []
    for key in ("x", "y"):
        name, turn = op.one(key), op.integer(f"transpose_{key}", 0)
        tensor = op.build.tensors.get(name)
        if key == "y":
            op.program.layout(name, "known" if turn else "matrix")
        if turn and tensor is not None and tensor.shape and len(tensor.shape) > 1:
            rank = len(tensor.shape)
            name = op.build.transpose(name, (*range(rank - 2), rank - 1, rank - 2))
            turn = 0
        names.append((name, turn))
    turned = {f"trans{'AB'[i]}": 1 for i, (_, turn) in enumerate(names) if turn}
    op.emit("com.microsoft::FusedMatMul" if turned else "MatMul", [n for n, _ in names], turned)


def _norm(op: _Op) -> None:
    kind = op.operation.kind
    epsilon = {"epsilon": op.real("epsilon", 1e-5)}
    scales = [*op.names("gamma"), *op.names("beta")]
    if kind == "batch_norm":
        mean, variance = op.one("mean"), op.one("variance")
        shape = op.build.tensors[mean].shape if mean in op.build.tensors else None
        gamma = op.names("gamma") or [op.constant(np.ones(shape or (), np.float32))]
        beta = op.names("beta") or [op.constant(np.zeros(shape or (), np.float32))]
        op.emit("BatchNormalization", [op.one("x"), *gamma, *beta, mean, variance], epsilon)
    elif kind == "instance_norm":
        op.emit("InstanceNormalization", [op.one("x"), *scales], epsilon)
    else:
        axes = op.numbers("axes")
        op.emit(
            "LayerNormalization", [op.one("x"), *scales], epsilon | {"axis": min(axes, default=-1)}
        )


def _pool(op: _Op) -> None:
    kernel = tuple(op.numbers("kernel_sizes"))
    attributes = op.window(len(kernel)) | {"kernel_shape": kernel}
    attributes["ceil_mode"] = op.integer("ceil_mode", 0)
    kind = {"max_pool": "MaxPool", "avg_pool": "AveragePool", "l2_pool": "LpPool"}
    op.emit(kind[op.operation.kind], [op.one("x")], attributes)


def _pad(op: _Op) -> None:
    pads = op.numbers("pad")
    starts, ends = pads[::2], pads[1::2]
    mode = {"reflect": "reflect", "replicate": "edge"}.get(op.text("mode", "constant"), "constant")
    value = op.constant(np.float32(op.real("constant_val", 0.0)))
    # Core ML pads the last axes, ONNX all of them, or those that are named.
    axes = op.constant(list(range(-len(starts), 0)))
    op.emit("Pad", [op.one("x"), op.constant(starts + ends), value, axes], {"mode": mode})


def _axes_of(name: str) -> Callable[[_Op], None]:
    def rule(op: _Op) -> None:
        axes = op.numbers("axes")
        op.emit(name, [op.one("x"), *([op.constant(axes)] if axes else [])])

    return rule


def _reshape(op: _Op) -> None:
    shape = op.numbers("shape")
    op.emit("Reshape", [op.one("x"), op.constant(shape) if shape else op.one("shape")])


def _concat(op: _Op) -> None:
    names, axis = op.names("values"), op.integer("axis", 0)
    if op.operation.kind == "stack":
        at = op.constant([axis])
        names = [op.build.add("Unsqueeze", [name, at]) for name in names]
    op.emit("Concat", names, {"axis": axis})


def _slice(op: _Op) -> None:
    begin, end = op.numbers("begin"), op.numbers("end")
    if op.operation.kind == "slice_by_size":
        size = op.numbers("size")
        end = [2**31 - 1 if s < 0 else b + s for b, s in zip(begin, size, strict=False)]
    if not begin or len(begin) != len(end):
        op.emit("Slice", [op.one("x")])
        return
    steps = op.numbers("stride") or [1] * len(begin)
    first, last = op.numbers("begin_mask"), op.numbers("end_mask")
    squeezed = op.numbers("squeeze_mask")
    for i, step in enumerate(steps):
        if i < len(first) and first[i]:
            begin[i] = 0 if step > 0 else 2**31 - 1
        if i < len(squeezed) and squeezed[i]:
            end[i] = begin[i] + 1 if begin[i] != -1 else 2**31 - 1
        elif i < len(last) and last[i]:
            end[i] = 2**31 - 1 if step > 0 else -(2**31)
    lists = [op.constant(v) for v in (begin, end, list(range(len(begin))), steps)]
    gone = [i for i, flag in enumerate(squeezed) if flag]
    if not gone:
        op.emit("Slice", [op.one("x"), *lists])
        return
    part = op.build.add("Slice", [op.one("x"), *lists])
    op.emit("Squeeze", [part, op.constant(gone)])


def _split(op: _Op) -> None:
    sizes = op.numbers("split_sizes")
    inputs = [op.one("x"), *([op.constant(sizes)] if sizes else [])]
    op.emit("Split", inputs, {"axis": op.integer("axis", 0)})


def _clip(op: _Op) -> None:
    low, high = (0.0, 6.0) if op.operation.kind == "relu6" else (None, None)
    bounds = [op.real("alpha", -3e38), op.real("beta", 3e38)] if low is None else [low, high]
    op.emit("Clip", [op.one("x"), *(op.constant(np.float32(b)) for b in bounds)])


def _product_with(name: str) -> Callable[[_Op], None]:
    def rule(op: _Op) -> None:
        gate = op.build.add(name, [op.one("x")])
        op.emit("Mul", [op.one("x"), gate])

    return rule


def _alone(name: str, *options: tuple[str, str, float]) -> Callable[[_Op], None]:
    """One input; options are (Core ML's name, ONNX's, default)."""

    def rule(op: _Op) -> None:
        op.emit(name, [op.one("x")], {onnx: op.real(own, usual) for own, onnx, usual in options})

    return rule


def _resize(op: _Op) -> None:
    factors = [op.real(f"scale_factor_{side}", 1.0) for side in ("height", "width")]
    sizes = [op.integer(f"target_size_{side}", 0) for side in ("height", "width")]
    if all(sizes):
        inputs = [op.one("x"), "", "", op.constant(sizes)]
    else:
        inputs = [op.one("x"), "", op.constant(np.array(factors, np.float32))]
    mode = "nearest" if "nearest" in op.operation.kind else "linear"
    op.emit("Resize", inputs, {"mode": mode, "axes": (2, 3)})


def _gather(op: _Op) -> None:
    op.program.layout(op.one("x"), "known")
    op.emit("Gather", [op.one("x"), op.one("indices")], {"axis": op.integer("axis", 0)})


def _transpose(op: _Op) -> None:
    op.emit("Transpose", [op.one("x")], {"perm": tuple(op.numbers("perm"))})


def _rsqrt(op: _Op) -> None:
    op.emit("Reciprocal", [op.build.add("Sqrt", [op.one("x")])])


def _cast(op: _Op) -> None:
    op.emit("Cast", [op.one("x")], {"to": _CODES.get(op.text("dtype", "fp32"), 1)})


def _softmax(op: _Op) -> None:
    op.emit("Softmax", [op.one("x")], {"axis": op.integer("axis", -1)})


def _where(op: _Op) -> None:
    op.emit("Where", [op.one("cond"), op.one("a"), op.one("b")])


def _square(op: _Op) -> None:
    op.emit("Mul", [op.one("x")] * 2)


_RULES: dict[str, Callable[[_Op], None]] = {
    **dict.fromkeys(("conv", "conv_transpose"), _conv),
    **dict.fromkeys(("batch_norm", "instance_norm", "layer_norm"), _norm),
    **dict.fromkeys(("max_pool", "avg_pool", "l2_pool"), _pool),
    **dict.fromkeys(("concat", "stack"), _concat),
    **dict.fromkeys(("slice_by_index", "slice_by_size"), _slice),
    **dict.fromkeys(("clip", "relu6"), _clip),
    **dict.fromkeys(
        (
            "resize_nearest_neighbor",
            "resize_bilinear",
            "upsample_nearest_neighbor",
            "upsample_bilinear",
        ),
        _resize,
    ),
    "linear": _linear,
    "matmul": _matmul,
    "pad": _pad,
    "reshape": _reshape,
    "expand_dims": _axes_of("Unsqueeze"),
    "squeeze": _axes_of("Squeeze"),
    "transpose": _transpose,
    "split": _split,
    "silu": _product_with("Sigmoid"),
    "leaky_relu": _alone("LeakyRelu", ("alpha", "alpha", 0.01)),
    "sigmoid_hard": _alone("HardSigmoid", ("alpha", "alpha", 0.2), ("beta", "beta", 0.5)),
    "gather": _gather,
    "rsqrt": _rsqrt,
    "cast": _cast,
    "softmax": _softmax,
    "select": _where,
    "square": _square,
}
