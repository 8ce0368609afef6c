"""ONNX's operators that look along axes: sums, extremes, softmax, norms [ONNX operators]."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.graphs.operators import Operator
from assay.running.network import PER_AXIS
from assay.running.network.elementwise import DTYPES, Function, Numbers
from assay.running.network.sizes import listed, whole

EXTRA = "torch"

Along = Callable[[Tensor, list[int], bool], Tensor]


def _reduce(function: Along) -> Function:
    """A function of a tensor, axes, and whether these stay with size 1."""

    def run(node: Operator, x: Tensor, axes: Numbers = None) -> Tensor:
        along = listed(node, "axes", axes) or []
        if not along and node.integer("noop_with_empty_axes", 0):
            return x
        return function(x, along or list(range(x.ndim)), bool(node.integer("keepdims", 1)))

    return run


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keepdim=keep, dtype=x.dtype)


def _arg(function: Callable[..., Tensor]) -> Function:
    def run(node: Operator, x: Tensor) -> Tensor:
        axis, keep = node.integer("axis", 0), bool(node.integer("keepdims", 1))
        if not node.integer("select_last_index", 0):
            return function(x, axis, keepdim=keep)
        return x.shape[axis] - 1 - function(x.flip(axis), axis, keepdim=keep)

    return run


def _top(node: Operator, x: Tensor, k: Numbers = None) -> tuple[Tensor, Tensor]:
    count = node.integer("k", 1) if k is None else whole(k)[0]
    axis, largest = node.integer("axis", -1), bool(node.integer("largest", 1))
    values, places = torch.sort(x, dim=axis, descending=largest, stable=True)  # of equals the first
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


def _cumulate(function: Callable[[Tensor, int], Tensor], start: float) -> Function:
    def run(node: Operator, x: Tensor, axis: Numbers) -> Tensor:
        along, back = whole(axis)[0], bool(node.integer("reverse", 0))
        x = x.flip(along) if back else x
        if node.integer("exclusive", 0):
            first = torch.full_like(x.narrow(along, 0, 1), start)
            x = torch.cat([first, x.narrow(along, 0, x.shape[along] - 1)], along)
        found = function(x, along).to(x.dtype)
        return found.flip(along) if back else found

    return run


def _softmax(function: Callable[[Tensor, int], Tensor]) -> Function:
    """Along an axis; before opset 13 along it and all that follow, taken as one."""

    def run(node: Operator, x: Tensor) -> Tensor:
        if node.integer("opset", PER_AXIS) >= PER_AXIS:
            return function(x, node.integer("axis", -1))
        axis = node.integer("axis", 1) % x.ndim
        if prod(x.shape[axis + 1 :]) == 1:
            return function(x, axis)
        return function(x.flatten(axis), axis).reshape(x.shape)

    return run


def _hardmax(x: Tensor, axis: int) -> Tensor:
    places = x.argmax(axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, places, 1.0)


def _lp_normalization(node: Operator, x: Tensor) -> Tensor:
    axis, p = node.integer("axis", -1), node.integer("p", 2)
    return F.normalize(x, p, axis)


def _mean_variance(node: Operator, x: Tensor) -> Tensor:
    axes = node.ints("axes", (0, 2, 3))
    centered = x - x.mean(axes, keepdim=True)
    return centered / (centered.square().mean(axes, keepdim=True).sqrt() + 1e-9)


def _one_hot(node: Operator, indices: Tensor, depth: Numbers, values: Numbers) -> Tensor:
    size = whole(depth)[0]
    off, on = values.reshape(-1).tolist()
    places = torch.where(indices < 0, indices + size, indices).long().unsqueeze(-1)
    dtype = torch.float32 if values.dtype.kind == "f" else torch.int64
    hot = (places == torch.arange(size, device=indices.device)).to(dtype) * (on - off) + off
    return hot.movedim(-1, node.integer("axis", -1))


def _matmul(node: Operator, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


def _fused_matmul(node: Operator, a: Tensor, b: Tensor) -> Tensor:
    a = a.transpose(-1, -2) if node.integer("transA", 0) else a
    b = b.transpose(-1, -2) if node.integer("transB", 0) else b
    return torch.matmul(a, b) * node.real("alpha", 1.0)


def _gemm(node: Operator, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    found = _fused_matmul(node, a, b)
    return found if c is None else found + node.real("beta", 1.0) * c


def _einsum(node: Operator, *inputs: Tensor) -> Tensor:
    return torch.einsum(node.attributes["equation"], *inputs)


def _random(function: Callable[..., Tensor]) -> Function:
    return lambda node, x: function(x, dtype=DTYPES[node.integer("dtype", 1)])


REDUCTIONS: dict[str, Function] = {
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keepdim=keep)),
    "ReduceSum": _reduce(_sum),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "ReduceMin": _reduce(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "ReduceProd": _reduce(_product),
    "ReduceL1": _reduce(lambda x, axes, keep: _sum(x.abs(), axes, keep)),
    "ReduceL2": _reduce(lambda x, axes, keep: _sum(x * x, axes, keep).sqrt()),
    "ReduceSumSquare": _reduce(lambda x, axes, keep: _sum(x * x, axes, keep)),
    "ReduceLogSum": _reduce(lambda x, axes, keep: _sum(x, axes, keep).log()),
    "ReduceLogSumExp": _reduce(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep)),
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "TopK": _top,
    "CumSum": _cumulate(torch.cumsum, 0.0),
    "CumProd": _cumulate(torch.cumprod, 1.0),
    "Softmax": _softmax(torch.softmax),
    "LogSoftmax": _softmax(torch.log_softmax),
    "Hardmax": _softmax(_hardmax),
    "LpNormalization": _lp_normalization,
    "MeanVarianceNormalization": _mean_variance,
    "OneHot": _one_hot,
    "MatMul": _matmul,
    "com.microsoft::FusedMatMul": _fused_matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
}
