"""What an operator costs: multiply-accumulates and parameters, for one input.

Convolutions and products count exactly (adding a bias is no product, so it counts nothing);
normalizations, softmax and pooling count the operations for each element; what only moves elements
costs nothing.  Parameters are the elements of constant operands; single numbers are parameters of
weighted layers only, and the running mean and variance of a batch norm are statistics.
"""

from __future__ import annotations

from math import isqrt, prod

from assay.graphs import _vocabulary as vocabulary
from assay.graphs.operators import Operator, OperatorGraph, Tensor

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
_QUANTIZED = frozenset({2, 3, 4, 5, 6})  # weights of quantized layers; their biases have 32 bits
# In these a constant operand is a weight, even a single number; integers are quantized weights.
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "LSTM", "GRU", "RNN", "PRelu"}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def parameters(node: Operator, graph: OperatorGraph, counted: set[str]) -> int:
    """Elements of its constant operands; each stored tensor counts once, where it comes first."""
    total = 0
    for place, name in enumerate(node.inputs):
        tensor = graph.tensor(name)
        if not tensor.constant or name in counted or not _is_weight(node, place, tensor):
            continue
        counted.add(name)
        total += tensor.size
    return total


def _is_weight(node: Operator, place: int, tensor: Tensor) -> bool:
    if node.op == "BatchNormalization":
        return place < 3  # then come the running mean and variance
    if node.op in _WEIGHTED:
        return place < 4 and tensor.dtype in _FLOATS | _QUANTIZED
    return tensor.size > 1 and (
        tensor.dtype in _FLOATS or (node.op == "Gather" and place == 0 and tensor.dtype in (2, 3))
    )


def macs(node: Operator, graph: OperatorGraph) -> int:
    """Multiply-accumulates; 0 where shapes are unknown."""
    inputs = [graph.tensor(name) for name in node.inputs]
    output = graph.tensor(node.outputs[0])
    if node.op in ("Conv", "ConvTranspose"):
        return _convolution(node, inputs, output)
    if node.op == "Gemm":
        return _gemm(inputs, output)
    if node.op == "MatMul":
        return _product(inputs, output)
    if node.op == "Attention":
        return _attention(node, inputs, output)
    if node.op in _GATES:
        return _recurrent(node, inputs)
    if node.op in ("AveragePool", "MaxPool", "LpPool"):
        return output.size * prod(max(k, 0) for k in node.ints("kernel_shape"))
    if node.op in vocabulary.REDUCTIONS | vocabulary.GLOBAL_POOLS:
        return inputs[0].size
    if node.op in _PER_ELEMENT:
        return _PER_ELEMENT[node.op] * output.size
    if node.op in vocabulary.ACTIVATIONS or node.op in vocabulary.BROADCAST:
        return output.size
    return 0


def _convolution(node: Operator, inputs: list[Tensor], output: Tensor) -> int:
    kernel = inputs[1].shape
    if kernel is None or len(kernel) < 3 or -1 in kernel:
        return 0
    # A kernel is (out, in/group, *space), and (in, out/group, *space) where transposed.
    places = output.size if node.op == "Conv" else inputs[0].size
    return places * prod(kernel[1:])


def _product(inputs: list[Tensor], output: Tensor) -> int:
    a, b, c = (tensor.shape for tensor in (*inputs[:2], output))
    if a is None or b is None or c is None or -1 in (*a, *b, *c):
        return 0
    if len(a) < 2 or len(b) < 2:
        return output.size * max(a[-1:], default=0)
    # (r·k)·(k·c) over (r·c) is the square of k, whichever operands are turned.
    return output.size * isqrt(prod(a[-2:]) * prod(b[-2:]) // max(prod(c[-2:]), 1))


def _gemm(inputs: list[Tensor], output: Tensor) -> int:
    """(r·k)·(k·c)·(r·c) is the square of r·k·c, whichever operand the weight is."""
    return isqrt(inputs[0].size * inputs[1].size * output.size)


def _attention(node: Operator, inputs: list[Tensor], output: Tensor) -> int:
    query, scores = node.ints("query_shape"), node.ints("score_shape")
    if not query or not scores:  # written as one operator: (b, h, n, d) or (b, n, h·d)
        key_length = inputs[1].shape[-2] if inputs[1].shape and len(inputs[1].shape) > 1 else 0
        return max(key_length, 0) * (inputs[0].size + output.size)
    return Tensor(shape=scores).size * max(query[-1], 0) + max(scores[-1], 0) * output.size


def _recurrent(node: Operator, inputs: list[Tensor]) -> int:
    x = inputs[0].shape
    if len(inputs) < 3 or x is None or len(x) != 3:
        return 0
    steps = max(x[0], 0) * max(x[1], 0)
    return steps * (inputs[1].size + inputs[2].size)
