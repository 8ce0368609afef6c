"""What an operator costs: multiply-accumulates and parameters, for one input.

Convolutions and products count exactly (adding a bias is no product, so it counts nothing); normalizations, softmax and pooling count the operations
for each element; what only moves elements costs nothing.  Parameters are the elements of constant
float operands; the running mean and variance of a batch norm are statistics, not parameters.
"""

from __future__ import annotations

from math import prod

from assay.graphs import _vocabulary as vocabulary
from assay.graphs.operators import Operator, OperatorGraph, Shape, Tensor

_PER_ELEMENT = {
    "BatchNormalization": 2,
    "InstanceNormalization": 5,
    "LayerNormalization": 5,
    "GroupNormalization": 5,
    "RMSNormalization": 4,
    "LpNormalization": 3,
    "Softmax": 5,
    "LogSoftmax": 5,
    "LRN": 5,
}
_FLOATS = frozenset({0, 1, 10, 11, 16, *range(17, 28)})  # float types, and the small quantized ones
_QUANTIZED = frozenset({2, 3})  # weights of quantized layers
_STATISTICS = {"BatchNormalization": 2}  # operands at the end that are not parameters
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def parameters(node: Operator, graph: OperatorGraph, counted: set[str]) -> int:
    """Elements of its constant operands; each stored tensor counts once, where it comes first."""
    names = node.inputs
    if node.op == "BatchNormalization" and len(names) == 5:
        names = names[: -_STATISTICS[node.op]]
    weighted = {"Conv", "ConvTranspose", "Gemm", "LSTM", "GRU", "RNN", "Gather"}
    total = 0
    for name in names:
        tensor = graph.tensor(name)
        real = tensor.dtype in _FLOATS or (tensor.dtype in _QUANTIZED and node.op in weighted)
        if tensor.constant and real and tensor.size > 1 and name not in counted:
            counted.add(name)
            total += tensor.size
    return total


def macs(node: Operator, graph: OperatorGraph) -> int:
    """Multiply-accumulates; 0 where shapes are unknown."""
    inputs = [graph.tensor(name) for name in node.inputs]
    output = graph.tensor(node.outputs[0])
    if node.op in ("Conv", "ConvTranspose"):
        return _convolution(node, inputs, output)
    if node.op == "Gemm":
        return _gemm(inputs, output)
    if node.op == "MatMul":
        return output.size * _last(inputs[0])
    if node.op == "Attention":
        return _attention(node, inputs, output)
    if node.op in _GATES:
        return _recurrent(node, inputs)
    if node.op in ("AveragePool", "MaxPool", "LpPool"):
        return output.size * prod(node.ints("kernel_shape"))
    if node.op.startswith(("Reduce", "Global")):
        return inputs[0].size
    if node.op in _PER_ELEMENT:
        return _PER_ELEMENT[node.op] * output.size
    if node.op in vocabulary.ACTIVATIONS or node.op in vocabulary.BROADCAST:
        return output.size
    return 0


def _last(tensor: Tensor) -> int:
    return max(tensor.shape[-1], 0) if tensor.shape else 0


def _convolution(node: Operator, inputs: list[Tensor], output: Tensor) -> int:
    if len(inputs) < 2 or inputs[1].shape is None or len(inputs[1].shape) < 3:
        return 0
    # A kernel is (out, in/group, *space), and (in, out/group, *space) where transposed.
    places = output.size if node.op == "Conv" else inputs[0].size
    return places * prod(inputs[1].shape[1:])


def _gemm(inputs: list[Tensor], output: Tensor) -> int:
    if output.shape is None or not output.shape or output.shape[-1] <= 0:
        return 0
    return output.size * (inputs[1].size // output.shape[-1])


def _attention(node: Operator, inputs: list[Tensor], output: Tensor) -> int:
    query: Shape = node.attributes.get("query_shape", ())
    scores: Shape = node.attributes.get("score_shape", ())
    if not query or not scores:  # written as one operator: (b, h, n, d) or (b, n, h·d)
        key_length = inputs[1].shape[-2] if inputs[1].shape and len(inputs[1].shape) > 1 else 0
        return max(key_length, 0) * (inputs[0].size + output.size)
    return Tensor(shape=scores).size * max(query[-1], 0) + max(scores[-1], 0) * output.size


def _recurrent(node: Operator, inputs: list[Tensor]) -> int:
    x = inputs[0].shape
    if len(inputs) < 3 or x is None or len(x) != 3:
        return 0
    steps = max(x[0] * x[1], 0)
    return steps * (inputs[1].size + inputs[2].size)
