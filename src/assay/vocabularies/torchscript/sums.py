"""ATen's operators that sum over axes, and attention, in ONNX's words [ATen]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assay.graphs.operators import BOOL
from assay.vocabularies.torchscript.arithmetic import cast
from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.values import Traced, Value

Rule = Callable[..., Value]


def _reduction(op: str) -> Rule:
    def reduce(
        g: TorchGraph, x: Traced, dim: Value = None, keepdim: Value = False, dtype: Value = None
    ) -> Traced:
        axes = [dim] if type(dim) is int else dim
        if not axes:  # of all elements
            return g.add(op, [x], {"keepdims": int(bool(axes == [] and keepdim))})
        return g.add(op, [x, g.integers(axes)], {"keepdims": int(bool(keepdim))})

    return reduce


def _extreme(op: str, of_two: str) -> Rule:
    """``max`` and ``min``: of two tensors, of all elements, or along an axis, and where."""

    def rule(g: TorchGraph, x: Traced, dim: Value = None, keepdim: bool = False) -> Value:
        if isinstance(dim, Traced):
            return g.add(of_two, [x, dim])
        if dim is None:
            return g.add(op, [x], {"keepdims": 0})
        keep = {"keepdims": int(bool(keepdim))}
        place = g.add(f"Arg{of_two}", [x], {"axis": int(dim), **keep})
        return g.add(op, [x, g.integers([dim])], keep), place

    return rule


def _place(op: str) -> Rule:
    def rule(g: TorchGraph, x: Traced, dim: Value = None, keepdim: bool = False) -> Traced:
        if dim is None:
            x, dim = g.add("Reshape", [x, np.array([-1])]), 0
        return g.add(op, [x], {"axis": int(dim), "keepdims": int(bool(keepdim))})

    return rule


def _variance(
    g: TorchGraph, x: Traced, dim: Value = None, unbiased: Value = True, keepdim: bool = False,
    correction: Value = 1,
) -> Traced:  # fmt: skip
    """Mean of the squared distances from the mean, times n / (n − 1) where it is unbiased."""
    axes = list(range(g.rank(x))) if not isinstance(dim, list) else dim
    mean = g.add("ReduceMean", [x, g.integers(axes)], {"keepdims": 1})
    center = g.add("Sub", [x, mean])
    squares = g.add("Mul", [center, center])
    keep = {"keepdims": int(bool(keepdim))}
    result = g.add("ReduceMean", [squares, g.integers(axes)], keep)
    if not unbiased or correction == 0:
        return result
    count = float(np.prod([float(g.sizes(x)[axis]) for axis in axes]))
    return g.add("Mul", [result, g.like(count / max(count - 1, 1.0), x)])


def _deviation(
    g: TorchGraph, x: Traced, dim: Value = None, unbiased: Value = True, keepdim: bool = False,
    correction: Value = 1,
) -> Traced:  # fmt: skip
    return g.add("Sqrt", [_variance(g, x, dim, unbiased, keepdim, correction)])


def _norm(
    g: TorchGraph, x: Traced, p: Value = 2, dim: Value = None, keepdim: bool = False, *rest: Value
) -> Traced:
    op = {1: "ReduceL1", 2: "ReduceL2"}[2 if p is None else p]
    result: Traced = _reduction(op)(g, x, dim, keepdim)
    return result


def _quantiles(g: TorchGraph, x: Traced, k: int, dim: int = -1, *rest: Value) -> Value:
    """``topk``: values and places."""
    return g.several("TopK", [x, np.array([int(k)], np.int64)], 2, {"axis": int(dim)})


def _cumulative(g: TorchGraph, x: Traced, dim: int, dtype: Value = None, *rest: Value) -> Traced:
    return g.add("CumSum", [cast(g, x, dtype), np.asarray(dim, np.int64)])


def attention(
    g: TorchGraph, query: Traced, key: Traced, value: Traced, mask: Traced | None = None,
    dropout: float = 0.0, is_causal: bool = False, scale: Value = None, *rest: Value,
) -> Traced:  # fmt: skip
    """Taken apart, as exporters write it: the graph's passes put it together."""
    rank, width = g.rank(query), g.sizes(query)[-1]
    order = (*range(rank - 2), rank - 1, rank - 2)
    scores = g.add("MatMul", [query, g.add("Transpose", [key], {"perm": order})])
    factor = 1 / np.sqrt(width) if scale is None else scale
    scores = g.add("Mul", [scores, g.like(float(factor), scores)])
    if is_causal:
        size = g.sizes(scores)[-2:]
        whole = g.add("Expand", [np.float32(-np.inf), np.array(size)])
        mask = g.add("Trilu", [whole, np.asarray(1)], {"upper": 1})
    if mask is not None:
        if g.dtype(mask) == BOOL:
            scores = g.add("Where", [mask, scores, np.float32(-np.inf)])
        else:
            scores = g.add("Add", [scores, mask])
    return g.add("MatMul", [g.add("Softmax", [scores], {"axis": -1}), value])


_SUMS = {
    "mean": "ReduceMean", "amax": "ReduceMax", "amin": "ReduceMin", "prod": "ReduceProd",
    "sum": "ReduceSum", "logsumexp": "ReduceLogSumExp",
}  # fmt: skip

SUMS: dict[str, Rule] = {
    **{name: _reduction(op) for name, op in _SUMS.items()},
    "max": _extreme("ReduceMax", "Max"),
    "min": _extreme("ReduceMin", "Min"),
    "argmax": _place("ArgMax"),
    "argmin": _place("ArgMin"),
    "var": _variance,
    "std": _deviation,
    "norm": _norm,
    "linalg_vector_norm": _norm,
    "frobenius_norm": lambda g, x, dim=None, keepdim=False: _norm(g, x, 2, dim, keepdim),
    "topk": _quantiles,
    "cumsum": _cumulative,
    "scaled_dot_product_attention": attention,
}
