"""ATen's layers in ONNX's words: products, convolutions, pooling, normalizations [ATen].

A rule's parameters are those of the operator's schema, in order, with its defaults; ``rest`` is
what decides nothing about the layer.  A rule raises where an operand is not what it can follow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from assay.graphs.operators import INT64
from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.values import Traced, Value

Rule = Callable[..., Value]


def tuple_of(value: Value, count: int) -> tuple[int, ...]:
    """Numbers, one for each axis of space.  Raises TypeError where they are no known numbers."""
    numbers = tuple(value) if isinstance(value, list | tuple) else (value,)
    numbers = numbers * count if len(numbers) == 1 else numbers
    if len(numbers) != count or not all(type(number) is int for number in numbers):
        raise TypeError("no known numbers")
    return numbers


def linear(g: TorchGraph, x: Traced, weight: Traced, bias: Traced | None = None) -> Traced:
    """A product with a matrix of rows for outputs."""
    g.need(x, [None, g.sizes(weight)[1]])
    if len(g.shape(x) or ()) == 2:
        return g.add("Gemm", [x, weight, bias], {"transB": 1})
    turned = g.add("Transpose", [weight], {"perm": (1, 0)})
    product = g.add("MatMul", [x, turned])
    return product if bias is None else g.add("Add", [product, bias])


def _addmm(
    g: TorchGraph, bias: Traced, a: Traced, b: Traced, beta: Value = 1, alpha: Value = 1
) -> Traced:
    if (beta, alpha) != (1, 1):
        raise ValueError("a scaled product")
    _matmul_shapes(g, a, b)
    return g.add("Gemm", [a, b, bias])


def _matmul_shapes(g: TorchGraph, a: Traced, b: Traced) -> None:
    """The first factor has as many columns as a known second one has rows."""
    if g.known(b.name).constant and g.rank(b) == 2:
        g.need(a, [None, g.sizes(b)[0]])


def _matmul(g: TorchGraph, a: Traced, b: Traced) -> Traced:
    _matmul_shapes(g, a, b)
    return g.add("MatMul", [a, b])


def _baddbmm(
    g: TorchGraph, x: Traced, a: Traced, b: Traced, beta: Value = 1, alpha: Value = 1
) -> Traced:
    product = g.add("MatMul", [a, b])
    if alpha != 1:
        product = g.add("Mul", [product, g.like(alpha, product)])
    if beta == 0:
        return product
    if beta != 1:
        x = g.add("Mul", [x, g.like(beta, x)])
    return g.add("Add", [x, product])


def _einsum(g: TorchGraph, equation: str, tensors: list[Traced], path: Value = None) -> Traced:
    return g.add("Einsum", list(tensors), {"equation": str(equation)})


def _embedding(g: TorchGraph, weight: Traced, indices: Traced, *rest: Value) -> Traced:
    g.need(indices, [None, None], INT64)
    return g.add("Gather", [weight, indices], {"axis": 0})


def convolution(
    g: TorchGraph,
    x: Traced,
    weight: Traced,
    bias: Traced | None,
    stride: Value,
    padding: Value,
    dilation: Value,
    transposed: bool,
    output_padding: Value,
    groups: int,
    *rest: Value,
) -> Traced:
    """A convolution, or a transposed one; over a sample without a batch too."""
    kernel = g.sizes(weight)
    space = len(kernel) - 2
    channels = kernel[0] if transposed else kernel[1] * groups
    g.need(x, [None, channels, *[None] * space])
    attributes: dict[str, Any] = {
        "kernel_shape": kernel[2:],
        "strides": tuple_of(stride, space),
        "dilations": tuple_of(dilation, space),
        "group": groups,
    }
    attributes["pads"] = _pads(padding, kernel[2:], attributes["dilations"])
    single = len(g.shape(x) or ()) == space + 1  # a sample without a batch
    if single:
        x = g.add("Unsqueeze", [x, np.array([0])])
    if transposed:
        attributes["output_padding"] = tuple_of(output_padding, space)
        result = g.add("ConvTranspose", [x, weight, bias], attributes)
    else:
        result = g.add("Conv", [x, weight, bias], attributes)
    return g.add("Squeeze", [result, np.array([0])]) if single else result


def _pads(padding: Value, kernel: tuple[int, ...], dilations: tuple[int, ...]) -> tuple[int, ...]:
    if padding == "same":
        reach = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
        return (*(n // 2 for n in reach), *(n - n // 2 for n in reach))
    return tuple_of(0 if padding == "valid" else padding, len(kernel)) * 2


def _conv(
    g: TorchGraph,
    x: Traced,
    weight: Traced,
    bias: Traced | None = None,
    stride: Value = 1,
    padding: Value = 0,
    dilation: Value = 1,
    groups: int = 1,
) -> Traced:
    return convolution(g, x, weight, bias, stride, padding, dilation, False, 0, groups)


def _convolution_mode(
    g: TorchGraph, x: Traced, weight: Traced, bias: Traced | None, *options: Value
) -> Traced:
    return _conv(g, x, weight, bias, *options)


def _conv_transpose(
    g: TorchGraph,
    x: Traced,
    weight: Traced,
    bias: Traced | None = None,
    stride: Value = 1,
    padding: Value = 0,
    output_padding: Value = 0,
    groups: int = 1,
    dilation: Value = 1,
) -> Traced:
    return convolution(g, x, weight, bias, stride, padding, dilation, True, output_padding, groups)


LAYERS: dict[str, Rule] = {
    "linear": linear,
    "addmm": _addmm,
    "matmul": _matmul,
    "mm": _matmul,
    "bmm": _matmul,
    "baddbmm": _baddbmm,
    "einsum": _einsum,
    "embedding": _embedding,
    "_convolution": convolution,
    "convolution": convolution,
    "_convolution_mode": _convolution_mode,
}
for _n in (1, 2, 3):
    LAYERS[f"conv{_n}d"] = _conv
    LAYERS[f"conv_transpose{_n}d"] = _conv_transpose
