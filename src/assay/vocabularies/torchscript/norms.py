"""ATen's pooling and normalizations in ONNX's words [ATen].

Parameters are those of the schema; ``rest`` is what decides nothing about the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.layers import tuple_of
from assay.vocabularies.torchscript.values import Traced, Value

Rule = Callable[..., Value]


def _pooling(op: str, space: int) -> Rule:
    def pool(
        g: TorchGraph,
        x: Traced,
        kernel: Value,
        stride: Value = (),
        padding: Value = 0,
        *rest: Value,
    ) -> Traced:
        g.need(x, [None] * (space + 2))
        average = op == "AveragePool"
        usual = (False, True, None) if average else (1, False)
        more = (*rest, *usual[len(rest) :])
        attributes: dict[str, Any] = {
            "kernel_shape": tuple_of(kernel, space),
            "strides": tuple_of(stride or kernel, space),
            "pads": tuple_of(padding, space) * 2,
        }
        if average:
            ceil, counts_pads, divisor = more
            if divisor is not None:
                raise ValueError("a divisor of its own")
            attributes["count_include_pad"] = int(bool(counts_pads))
        else:
            dilation, ceil = more
            attributes["dilations"] = tuple_of(dilation, space)
        attributes["ceil_mode"] = int(bool(ceil))
        single = len(g.shape(x) or ()) == space + 1
        x = g.add("Unsqueeze", [x, np.array([0])]) if single else x
        result = g.add(op, [x], attributes)
        return g.add("Squeeze", [result, np.array([0])]) if single else result

    return pool


def _adaptive(op: str, space: int) -> Rule:
    def pool(g: TorchGraph, x: Traced, output_size: Value) -> Traced:
        g.need(x, [None] * (space + 2))
        wanted = output_size if isinstance(output_size, list | tuple) else [output_size] * space
        sizes = g.sizes(x)[-space:]
        wanted = [n if w is None else w for w, n in zip(wanted, sizes, strict=True)]
        out = tuple_of(wanted, space)
        if set(out) == {1}:
            return g.add(f"Global{op}", [x])
        if out == sizes:
            return g.add("Identity", [x])
        windows = tuple(_window(n, w) for n, w in zip(sizes, out, strict=True))
        whole = all(n % w == 0 for n, w in zip(sizes, out, strict=True))
        strides = {"strides": windows} if whole else {}
        result = g.add(op, [x], {"kernel_shape": windows, **strides})
        if g.sizes(result)[-space:] != out:
            raise ValueError("windows of several sizes")
        return result

    return pool


def _window(size: int, count: int) -> int:
    """The longest of the windows that adaptive pooling cuts an axis into."""
    return max(-(-(i + 1) * size // count) - i * size // count for i in range(min(count, 4096)))


def _with_indices(rule: Rule) -> Rule:
    def pool(g: TorchGraph, *operands: Value) -> tuple[Traced, Traced]:
        result: Traced = rule(g, *operands)
        return result, g.add("aten::indices", [result])

    return pool


def _repeated(g: TorchGraph, value: float, count: int) -> Traced:
    """One number for each channel."""
    return g.add("Expand", [np.float32(value), np.array([count])])


def _batch_norm(
    g: TorchGraph,
    x: Traced,
    weight: Traced | None,
    bias: Traced | None,
    mean: Traced | None,
    variance: Traced | None,
    training: bool,
    momentum: float,
    eps: float,
    *rest: Value,
) -> Traced:
    if mean is None:  # by the statistics of what it reads; of one example those of each instance
        return _instance_norm(g, x, weight, bias, eps=eps)
    size = g.sizes(mean)
    g.need(x, [None, size[0], None, None])
    scale = _repeated(g, 1.0, size[0]) if weight is None else weight
    shift = _repeated(g, 0.0, size[0]) if bias is None else bias
    return g.add("BatchNormalization", [x, scale, shift, mean, variance], {"epsilon": eps})


def _instance_norm(
    g: TorchGraph,
    x: Traced,
    weight: Traced | None,
    bias: Traced | None,
    mean: Traced | None = None,
    variance: Traced | None = None,
    of_input: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *rest: Value,
) -> Traced:
    if mean is not None and variance is not None and not of_input:
        return _batch_norm(g, x, weight, bias, mean, variance, False, momentum, eps)
    channels = g.sizes(x)[1] if weight is None else g.sizes(weight)[0]
    g.need(x, [None, channels, None, None])
    scale = _repeated(g, 1.0, channels) if weight is None else weight
    shift = _repeated(g, 0.0, channels) if bias is None else bias
    return g.add("InstanceNormalization", [x, scale, shift], {"epsilon": float(eps)})


def _group_norm(
    g: TorchGraph,
    x: Traced,
    groups: int,
    weight: Traced | None = None,
    bias: Traced | None = None,
    eps: float = 1e-5,
    *rest: Value,
) -> Traced:
    if weight is not None:
        g.need(x, [None, g.sizes(weight)[0], None, None])
    attributes = {"num_groups": groups, "epsilon": float(eps)}
    return g.add("GroupNormalization", [x, weight, bias], attributes)


def _layer_norm(
    g: TorchGraph,
    x: Traced,
    shape: list[int],
    weight: Traced | None = None,
    bias: Traced | None = None,
    eps: float = 1e-5,
    *rest: Value,
) -> Traced:
    g.need(x, [None, None, *tuple_of(shape, len(shape))])
    attributes = {"axis": -len(shape), "epsilon": float(eps)}
    return g.add("LayerNormalization", [x, weight, bias], attributes)


def _rms_norm(
    g: TorchGraph,
    x: Traced,
    shape: list[int],
    weight: Traced | None = None,
    eps: float | None = None,
) -> Traced:
    g.need(x, [None, None, *tuple_of(shape, len(shape))])
    epsilon = float(np.finfo(np.float32).eps if eps is None else eps)
    return g.add("RMSNormalization", [x, weight], {"axis": -len(shape), "epsilon": epsilon})


NORMS: dict[str, Rule] = {
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
}
for _n in (1, 2, 3):
    NORMS[f"max_pool{_n}d"] = _pooling("MaxPool", _n)
    NORMS[f"avg_pool{_n}d"] = _pooling("AveragePool", _n)
    NORMS[f"adaptive_avg_pool{_n}d"] = _adaptive("AveragePool", _n)
    NORMS[f"adaptive_max_pool{_n}d"] = _with_indices(_adaptive("MaxPool", _n))
    NORMS[f"max_pool{_n}d_with_indices"] = _with_indices(_pooling("MaxPool", _n))
