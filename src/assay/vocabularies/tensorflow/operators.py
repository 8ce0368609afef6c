"""TensorFlow's graph operators in ONNX's words [TensorFlow, raw operators].

Shared by TF.js graph models, SavedModels and frozen graphs.  Here are those that compute each
element for itself, or reduce; layers and moves have files of their own.  What has no counterpart
keeps its name in the domain ``tensorflow``.
"""

from __future__ import annotations

import numpy as np

from assay.errors import UnreadableModel
from assay.graphs._values import evaluate
from assay.graphs.operators import Operator, Tensor
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.tensorflow import layers, moves
from assay.vocabularies.tensorflow.layers import NAMES
from assay.vocabularies.tensorflow.node import Node as Node
from assay.vocabularies.tensorflow.node import Rule, numbers

_MOST_COMPUTED = 64  # numbers of one tensor
_NEAR = 8  # operators back to those that an operator is read together with
_REDUCTIONS = {kind: f"Reduce{kind}" for kind in ("Mean", "Sum", "Max", "Min", "Prod")}
_TYPES = {  # TensorFlow's code of a type: ONNX's
    1: 1,  # float32
    2: 11,  # float64
    3: 6,  # int32
    4: 2,  # uint8
    5: 5,  # int16
    6: 3,  # int8
    9: 7,  # int64
    10: 9,  # bool
    14: 16,  # bfloat16
    19: 10,  # float16
}


def translate(build: GraphBuilder, node: Node) -> None:
    """The operator, added to the graph."""
    before = len(build.operators)
    _add(build, node)
    for each in build.operators[before:]:
        _compute(build, each)


def _compute(build: GraphBuilder, node: Operator) -> None:
    """The values of what is but shape arithmetic: other operators read axes and sizes from it."""
    inputs = [build.known(name) if name else None for name in node.inputs]
    values = evaluate(node, inputs, [build.known(name) for name in node.outputs]) or []
    for name, value in zip(node.outputs, values, strict=False):
        if value.size <= _MOST_COMPUTED:
            build.written[name] = Tensor(build.known(name).dtype, value.shape, value, True)


def _add(build: GraphBuilder, node: Node) -> None:
    least, rule = _RULES.get(node.op, (0, None))
    if len(node.inputs) < least:
        raise UnreadableModel(f"{node.op} has fewer than {least} inputs")
    if rule is not None:
        rule(build, node)
    elif node.op in NAMES and node.inputs:
        build.add(NAMES[node.op], node.inputs, node.outputs[0])
    elif node.op in _REDUCTIONS and node.inputs:
        _reduce(build, node)
    else:
        build.add(f"tensorflow::{node.op}"[:200], node.inputs, node.outputs)


def _reduce(build: GraphBuilder, node: Node) -> None:
    """Over space it is done channels first, where what is left has the same order either way."""
    x, keep = node.inputs[0], node.integer("keep_dims")
    op, attributes = _REDUCTIONS[node.op], {"keepdims": keep}
    rank = build.rank(x)
    axes = sorted(axis % rank for axis in numbers(build, node.inputs[-1])) if rank else []
    if x not in build.twins or axes != list(range(1, rank - 1)):
        build.add(op, node.inputs[:2], node.outputs[0], attributes)
        return
    inputs = [build.twins[x], build.constant([axis + 1 for axis in axes])]
    if keep:
        build.last(build.add(op, inputs, "", attributes), node.outputs[0])
    else:
        build.add(op, inputs, node.outputs[0], attributes)


def _softmax(build: GraphBuilder, node: Node) -> None:
    build.add(node.op, node.inputs, node.outputs[0], {"axis": -1})


def _square(build: GraphBuilder, node: Node) -> None:
    build.add("Mul", [node.inputs[0]] * 2, node.outputs[0])


def _squared_difference(build: GraphBuilder, node: Node) -> None:
    build.add("Mul", [build.add("Sub", node.inputs)] * 2, node.outputs[0])


def _rsqrt(build: GraphBuilder, node: Node) -> None:
    build.add("Reciprocal", [build.add("Sqrt", node.inputs)], node.outputs[0])


def _erfc(build: GraphBuilder, node: Node) -> None:
    """1 − erf(x), and 1 + erf(x) of −x, as in GELU."""
    one, x = build.constant(np.float32(1)), node.inputs[0]
    writers = {each.outputs[0]: each for each in build.operators[-_NEAR:]}
    inputs = writers[x].inputs if x in writers and writers[x].op == "Mul" else (x,)
    negated = [name in writers and writers[name].op == "Neg" for name in inputs]
    if sum(negated) != 1:
        build.add("Sub", [one, build.add("Erf", [x])], node.outputs[0])
        return
    factors = [writers[n].inputs[0] if is_ else n for n, is_ in zip(inputs, negated, strict=True)]
    positive = build.add("Mul", factors) if len(factors) == 2 else factors[0]
    build.add("Add", [build.add("Erf", [positive]), one], node.outputs[0])


def _log1p(build: GraphBuilder, node: Node) -> None:
    one = build.constant(np.float32(1))
    build.add("Log", [build.add("Add", [node.inputs[0], one])], node.outputs[0])


def _expm1(build: GraphBuilder, node: Node) -> None:
    one = build.constant(np.float32(1))
    build.add("Sub", [build.add("Exp", node.inputs), one], node.outputs[0])


def _floor_div(build: GraphBuilder, node: Node) -> None:
    build.add("Floor", [build.add("Div", node.inputs)], node.outputs[0])


def _not_equal(build: GraphBuilder, node: Node) -> None:
    build.add("Not", [build.add("Equal", node.inputs)], node.outputs[0])


def _clip(build: GraphBuilder, node: Node) -> None:
    build.add("Clip", node.inputs, node.outputs[0])


def _relu6(build: GraphBuilder, node: Node) -> None:
    layers.clipped(build, node.inputs[0], node.outputs[0])


def _leaky(build: GraphBuilder, node: Node) -> None:
    build.add("LeakyRelu", node.inputs, node.outputs[0], {"alpha": node.real("alpha", 0.2)})


def _cast(build: GraphBuilder, node: Node) -> None:
    target = node.attributes.get("DstT")
    to = _TYPES.get(target, 1) if isinstance(target, int) else 1
    build.add("Cast", node.inputs, node.outputs[0], {"to": to})


def _arg(build: GraphBuilder, node: Node) -> None:
    attributes = {"axis": (numbers(build, node.inputs[1]) or [0])[0], "keepdims": 0}
    build.add(node.op, node.inputs[:1], node.outputs[0], attributes)


def _einsum(build: GraphBuilder, node: Node) -> None:
    build.add("Einsum", node.inputs, node.outputs[0], {"equation": node.text("equation")})


def _as_it_is(build: GraphBuilder, node: Node) -> None:
    """What is quantized only in training is read as the floats that it is."""
    build.add("Identity", node.inputs[:1], node.outputs[0])


_FAKE = ("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVarsPerChannel")
_RULES: dict[str, tuple[int, Rule]] = {  # inputs that it cannot do without, and the rule
    **layers.RULES,
    **moves.RULES,
    **dict.fromkeys(("Softmax", "LogSoftmax"), (1, _softmax)),
    "Square": (1, _square),
    "SquaredDifference": (2, _squared_difference),
    "Rsqrt": (1, _rsqrt),
    "Erfc": (1, _erfc),
    "Log1p": (1, _log1p),
    "Expm1": (1, _expm1),
    "FloorDiv": (2, _floor_div),
    "NotEqual": (2, _not_equal),
    "ClipByValue": (3, _clip),
    "Relu6": (1, _relu6),
    "LeakyRelu": (1, _leaky),
    "Cast": (1, _cast),
    **dict.fromkeys(("ArgMax", "ArgMin"), (2, _arg)),
    "Einsum": (1, _einsum),
    **dict.fromkeys(_FAKE, (1, _as_it_is)),
}
