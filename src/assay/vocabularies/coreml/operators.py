"""Core ML's operations in ONNX's words [coremltools, MIL operations, iOS 15 to 18].

Those that compute element by element, reduce, choose or branch; others are told in modules of
their own.  What has no counterpart keeps its name in the domain ``coreml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from assay.errors import UnreadableModel
from assay.vocabularies.coreml import moves, recurrent, windows
from assay.vocabularies.coreml.arguments import Op
from assay.vocabularies.coreml.program import Operation, Program

_CAPITALIZED = (
    "relu sigmoid tanh softsign exp sqrt erf abs ceil floor round sign sin cos tan asin acos atan"
    " sinh cosh asinh acosh atanh log identity shape"
)
_SAME = "add sub mul pow mod equal less greater"
_UNARY = {
    **{name: name.capitalize() for name in _CAPITALIZED.split()},
    "logical_not": "Not",
    "inverse": "Reciprocal",
    "softplus": "Softplus",
}
_BINARY = {
    **{name: name.capitalize() for name in _SAME.split()},
    "real_div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "greater_equal": "GreaterOrEqual",
    "less_equal": "LessOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
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
    "reduce_argmax": "ArgMax",
    "reduce_argmin": "ArgMin",
}
_LARGEST = 3e38
_TYPES = {"fp16": 10, "fp32": 1, "int32": 7, "int16": 7, "int8": 7, "uint8": 7, "bool": 9}


def translate(program: Program, operation: Operation) -> None:
    """The operation, added to the program's graph."""
    op = Op(program, operation)
    if op.kind in _RULES:
        _RULES[op.kind](op)
    elif op.kind in _UNARY:
        op.emit(_UNARY[op.kind], [op.one("x")])
    elif op.kind in _BINARY:
        op.emit(_BINARY[op.kind], [op.one("x"), op.one("y")])
    elif op.kind in _REDUCTIONS:
        _reduce(op)
    else:
        _opaque(op)


def _opaque(op: Op) -> None:
    """An operation by its own name; what it writes has the shape that the file says."""
    every = [name for names in op.operation.arguments.values() for name in names]
    inputs = [name for name in every if not op.program.is_option(name)]
    known = [shape is not None for shape in op.operation.shapes]
    outputs = op.operation.outputs
    inner = [op.build.fresh(name) if k else name for name, k in zip(outputs, known, strict=True)]
    op.build.add(f"coreml::{op.kind}"[:200], inputs, inner)
    for name, own, shape in zip(outputs, inner, op.operation.shapes, strict=True):
        if shape is not None:
            op.build.add("Reshape", [own, op.constant(list(shape))], name)


def _reduce(op: Op) -> None:
    name = _REDUCTIONS[op.kind]
    attributes = {"keepdims": op.integer("keep_dims", 0)}
    if name.startswith("Arg"):
        op.emit(name, [op.one("x")], attributes | {"axis": op.integer("axis", -1)})
    else:
        axes = op.numbers("axes")
        op.emit(name, [op.one("x"), *([op.constant(axes)] if axes else [])], attributes)


def _with_options(name: str, *options: tuple[str, float]) -> Callable[[Op], None]:
    """One input; options of the same name in both, and what they usually are."""

    def rule(op: Op) -> None:
        op.emit(name, [op.one("x")], {key: op.real(key, usual) for key, usual in options})

    return rule


def _threshold(op: Op) -> None:
    op.emit("Max", [op.one("x"), op.number(op.real("alpha", 0.0))])


def _exp2(op: Op) -> None:
    op.emit("Pow", [op.number(2.0), op.one("x")])


def _gelu(op: Op) -> None:
    mode = op.text("mode", "EXACT")
    if mode == "SIGMOID_APPROXIMATION":
        op.emit("com.microsoft::QuickGelu", [op.one("x")])
    else:
        tanh = mode == "TANH_APPROXIMATION"
        op.emit("Gelu", [op.one("x")], {"approximate": "tanh" if tanh else "none"})


def _silu(op: Op) -> None:
    op.emit("Mul", [op.one("x"), op.build.add("Sigmoid", [op.one("x")])])


def _prelu(op: Op) -> None:
    """The slopes are of the second axis."""
    slope, space = op.one("alpha"), op.rank(op.one("x")) - 2
    if space > 0:
        slope = op.build.add("Unsqueeze", [slope, op.constant(list(range(1, space + 1)))])
    op.emit("PRelu", [op.one("x"), slope])


def _clip(op: Op) -> None:
    bounds = (0.0, 6.0)
    if op.kind == "clip":
        bounds = op.real("alpha", -_LARGEST), op.real("beta", _LARGEST)
    op.emit("Clip", [op.one("x"), *(op.number(bound) for bound in bounds)])


def _clamped_relu(op: Op) -> None:
    leaky = op.build.add("LeakyRelu", [op.one("x")], "", {"alpha": op.real("alpha", 0.0)})
    op.emit("Min", [leaky, op.number(op.real("beta", _LARGEST))])


def _scaled_tanh(op: Op) -> None:
    scaled = op.build.add("Mul", [op.one("x"), op.number(op.real("beta", 1.0))])
    op.emit("Mul", [op.build.add("Tanh", [scaled]), op.number(op.real("alpha", 1.0))])


def _linear_activation(op: Op) -> None:
    scaled = op.build.add("Mul", [op.one("x"), op.number(op.real("alpha", 1.0))])
    op.emit("Add", [scaled, op.number(op.real("beta", 0.0))])


def _rsqrt(op: Op) -> None:
    op.emit("Reciprocal", [op.build.add("Sqrt", [op.one("x")])])


def _not_equal(op: Op) -> None:
    op.emit("Not", [op.build.add("Equal", [op.one("x"), op.one("y")])])


def _floor_div(op: Op) -> None:
    op.emit("Floor", [op.build.add("Div", [op.one("x"), op.one("y")])])


def _square(op: Op) -> None:
    op.emit("Mul", [op.one("x")] * 2)


def _cast(op: Op) -> None:
    op.emit("Cast", [op.one("x")], {"to": _TYPES.get(op.text("dtype", "fp32"), 1)})


def _softmax(op: Op) -> None:
    op.emit("Softmax", [op.one("x")], {"axis": op.integer("axis", -1)})


def _select(op: Op) -> None:
    op.emit("Where", [op.one("cond"), op.one("a"), op.one("b")])


def _tile(op: Op) -> None:
    op.emit("Tile", [op.one("x"), op.one("reps")])


def _quantize(op: Op) -> None:
    """Of activations; weights are compressed by constants' own operations."""
    name = "QuantizeLinear" if op.kind == "quantize" else "DequantizeLinear"
    inputs = [op.one("input"), op.one("scale"), *op.names("zero_point")]
    op.emit(name, inputs, {"axis": op.integer("axis", 0)})


def _state(op: Op) -> None:
    """A state is read as what was last written to it; writing has no result."""
    states = op.program.states
    if op.kind == "write_state":
        states[op.one("input")] = op.one("data", "value")
    else:
        op.emit("Identity", [states.get(op.one("input"), op.one("input"))])


def _update_state(op: Op) -> None:
    op.program.states[op.one("state")] = op.one("value")
    op.emit("Identity", [op.one("value")])


def _classify(op: Op) -> None:
    """Names for the probabilities, which stay what they are."""
    for output in op.operation.outputs:
        op.build.add("Identity", [op.one("probabilities")], output)


def _cond(op: Op) -> None:
    if len(op.operation.blocks) != 2:
        raise UnreadableModel(f"a condition has {len(op.operation.blocks)} branches")
    chosen, other = (op.program.body(block) for block in op.operation.blocks)
    op.emit("If", [op.one("pred")], {"then_branch": chosen, "else_branch": other})


def _while(op: Op) -> None:
    """Core ML asks before each turn, ONNX after it; the two first inputs of the body are ONNX's."""
    if len(op.operation.blocks) != 2:
        raise UnreadableModel(f"a loop has {len(op.operation.blocks)} blocks")
    condition, block = op.operation.blocks
    body = op.program.body(block, condition)
    entered = (op.build.fresh("turn"), op.build.fresh("goes_on"), *body.inputs)
    op.emit("Loop", ["", "", *op.names("loop_vars")], {"body": replace(body, inputs=entered)})


_RULES: Mapping[str, Callable[[Op], None]] = {
    **windows.RULES,
    **moves.RULES,
    **dict.fromkeys(("lstm", "gru", "rnn"), recurrent.translate),
    **dict.fromkeys(("clip", "relu6"), _clip),
    **dict.fromkeys(("quantize", "dequantize"), _quantize),
    **dict.fromkeys(("read_state", "write_state"), _state),
    "coreml_update_state": _update_state,
    "classify": _classify,
    "cond": _cond,
    "while_loop": _while,
    "elu": _with_options("Elu", ("alpha", 1.0)),
    "leaky_relu": _with_options("LeakyRelu", ("alpha", 0.01)),
    "thresholded_relu": _with_options("ThresholdedRelu", ("alpha", 1.0)),
    "sigmoid_hard": _with_options("HardSigmoid", ("alpha", 0.2), ("beta", 0.5)),
    "threshold": _threshold,
    "clamped_relu": _clamped_relu,
    "scaled_tanh": _scaled_tanh,
    "linear_activation": _linear_activation,
    "gelu": _gelu,
    "silu": _silu,
    "prelu": _prelu,
    "rsqrt": _rsqrt,
    "square": _square,
    "exp2": _exp2,
    "floor_div": _floor_div,
    "not_equal": _not_equal,
    "cast": _cast,
    "softmax": _softmax,
    "select": _select,
    "tile": _tile,
}
