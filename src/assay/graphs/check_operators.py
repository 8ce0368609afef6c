"""Operators are what the passes may rely on: named, ordered, and with what they need.

1. An operator that writes nothing is dropped.
2. A first output that nothing reads and the file leaves unnamed gets a name, so that every operator
   is known by its first output.
3. Operators are listed so that each comes after those it reads, bodies of control flow included.

A graph with a cycle, with a tensor that nothing writes or two operators write, or with an operator
that reads less than ONNX demands, is refused.
"""

from __future__ import annotations

from assay.errors import UnreadableModel
from assay.graphs import _vocabulary as vocabulary
from assay.graphs.operators import Operator, OperatorGraph, in_order

_MS = "com.microsoft::"
_OF_ONE = (
    vocabulary.ELEMENTWISE
    | vocabulary.BROADCAST
    | vocabulary.REDUCTIONS
    | vocabulary.NORMALIZATIONS
    | vocabulary.LAYOUT
    | {_MS + "Gelu", _MS + "FastGelu", _MS + "QuickGelu", "SimplifiedLayerNormalization"}
    | vocabulary.GLOBAL_POOLS
    | {"AveragePool", "MaxPool", "LpPool", "Slice", "Split", "SplitToSequence"}
)
_OF_TWO = {"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Equal", "PRelu", "Conv", "ConvTranspose"}
_OF_TWO |= {"Gemm", "MatMul", "Gather", "GatherND", "SequenceAt", "ConvInteger", "MatMulInteger"}
_OF_TWO |= {_MS + name for name in ("FusedConv", "FusedGemm", "FusedMatMul", "BiasGelu")}
_OF_TWO |= {_MS + name for name in ("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "MatMulNBits")}
_OF_THREE = {"LSTM", "GRU", "RNN", "Attention", "Where"}
_OF_THREE |= {_MS + "DynamicQuantizeLSTM", _MS + "SkipLayerNormalization"}
_OF_THREE |= {_MS + "SkipSimplifiedLayerNormalization"}
# A quantized operand is three inputs: the tensor, its scale, its zero point.
_QUANTIZED = {"QLinearConv", "QLinearMatMul", _MS + "QGemm", _MS + "QLinearAdd", _MS + "QLinearMul"}
_NEEDED: dict[str, tuple[int, ...]] = {  # the places of the inputs that it cannot do without
    **dict.fromkeys(_OF_ONE, (0,)),
    **dict.fromkeys(_OF_TWO, (0, 1)),
    **dict.fromkeys(_OF_THREE, (0, 1, 2)),
    **dict.fromkeys(_QUANTIZED, (0, 3)),
}


def check_operators(graph: OperatorGraph) -> OperatorGraph:
    """The graph, sound.  Raises UnreadableModel where it is not one."""
    operators = []
    for node in graph.operators:
        for place in _NEEDED.get(node.op, ()):
            if not "".join(node.inputs[place : place + 1]):
                raise UnreadableModel(f"{node.op} has no input {place + 1}, which ONNX demands")
        named = next((name for name in node.outputs if name), None)
        if named is None:
            continue
        if not node.outputs[0]:
            outputs = (named + "/first", *node.outputs[1:])
            node = Operator(node.op, node.inputs, outputs, node.attributes)
        operators.append(node)
    return in_order(graph.replaced(operators))
