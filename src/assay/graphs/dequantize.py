"""Quantized operators are read as the float operators that they stand for.

1. QuantizeLinear and DequantizeLinear hand their input on (on constants too: the shape stays).
2. DynamicQuantizeLinear hands its input on; its scale and zero point count as constants.
3. QLinearConv, ConvInteger, QLinearMatMul, MatMulInteger and ONNX Runtime's QLinear… operators
   become Conv, MatMul, Add …, without scales and zero points.
4. MatMulNBits becomes MatMul with a constant of the shape that its attributes tell.
"""

from __future__ import annotations

from assay.graphs.operators import FLOAT, Operator, OperatorGraph, Tensor, bypass

_MS = "com.microsoft::"
_THROUGH = {
    "QuantizeLinear", "DequantizeLinear", _MS + "QuantizeLinear", _MS + "DequantizeLinear",
    "DynamicQuantizeLinear",
}  # fmt: skip
# Quantized operator → the float one, and which of its inputs that takes.
_FLOAT = {
    "QLinearConv": ("Conv", (0, 3, 8)),
    "ConvInteger": ("Conv", (0, 1)),
    "QLinearMatMul": ("MatMul", (0, 3)),
    "MatMulInteger": ("MatMul", (0, 1)),
    _MS + "QGemm": ("Gemm", (0, 3, 6)),
    _MS + "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    _MS + "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    _MS + "DynamicQuantizeLSTM": ("LSTM", (0, 1, 2, 3, 4, 5, 6, 7)),
    _MS + "QLinearAdd": ("Add", (0, 3)),
    _MS + "QLinearMul": ("Mul", (0, 3)),
    _MS + "QLinearSigmoid": ("Sigmoid", (0,)),
    _MS + "QLinearLeakyRelu": ("LeakyRelu", (0,)),
    _MS + "QLinearSoftmax": ("Softmax", (0,)),
    _MS + "QLinearAveragePool": ("AveragePool", (0,)),
    _MS + "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
}


def dequantize(graph: OperatorGraph) -> OperatorGraph:
    """The graph in float operators; runs before types are known."""
    tensors = dict(graph.tensors)
    operators = []
    for node in graph.operators:
        op, places = _FLOAT.get(node.op, (node.op, None))
        if op == "LSTM" and places is not None:
            node = _lstm(node, tensors)
        elif node.op == _MS + "MatMulNBits":
            node = _n_bits(node, tensors)
        elif node.op == _MS + "QLinearConcat":
            node = Operator("Concat", node.inputs[2::3], node.outputs, node.attributes)
        elif places is not None:
            inputs = tuple(node.inputs[p] for p in places if p < len(node.inputs))
            node = Operator(op, inputs, node.outputs, node.attributes)
        elif node.op == "DynamicQuantizeLinear":
            tensors |= {name: Tensor(FLOAT, (), None, True) for name in node.outputs[1:] if name}
            node = Operator(node.op, node.inputs, node.outputs[:1])
        operators.append(node)
    return bypass(
        graph.replaced(operators, tensors),
        lambda node: node.inputs[0] if node.op in _THROUGH and node.inputs else None,
    )


def _n_bits(node: Operator, tensors: dict[str, Tensor]) -> Operator:
    name = node.inputs[1] + "/float"
    shape = (node.integer("K", -1), node.integer("N", -1))
    tensors[name] = Tensor(FLOAT, shape, None, True)
    return Operator("MatMul", (node.inputs[0], name), node.outputs)


def _lstm(node: Operator, tensors: dict[str, Tensor]) -> Operator:
    """ONNX Runtime stores the quantized matrices transposed: directions, inputs, 4·hidden."""
    inputs = list(node.inputs[:8])
    for place in (1, 2):
        shape = tensors.get(inputs[place], Tensor()).shape
        if shape is not None and len(shape) == 3:
            name = inputs[place] + "/float"
            tensors[name] = Tensor(FLOAT, (shape[0], shape[2], shape[1]), None, True)
            inputs[place] = name
    return Operator("LSTM", tuple(inputs), node.outputs, node.attributes)
