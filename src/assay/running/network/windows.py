"""ONNX's operators with a sliding window, and those that resize images [ONNX operators].

Torch pads both sides alike; what pads differently is padded first, by an operator of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.errors import UnfitModel
from assay.graphs.operators import Operator
from assay.running.network.elementwise import Function

EXTRA = "torch"

_CONVOLVE: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED: dict[int, Callable[..., Tensor]] = {
    1: F.conv_transpose1d,
    2: F.conv_transpose2d,
    3: F.conv_transpose3d,
}
_MAXIMUM: dict[int, Callable[..., Any]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def of_space(table: dict[int, Any], node: Operator, space: int) -> Any:
    """A table's entry for so many axes of space.  Raises UnfitModel where it has none."""
    if space not in table:
        raise UnfitModel(f"{node.op} {node.outputs[0]!r} has {space} axes of space, not 1, 2 or 3")
    return table[space]


def sides(node: Operator, sizes: Sequence[int], kernel: Sequence[int]) -> list[tuple[int, int]]:
    """Padding before and after each axis of space, of an input of these sizes."""
    n = len(kernel)
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = node.ints("pads", (0,) * (2 * n))
        return list(zip(pads[:n], pads[n:], strict=True))
    if auto == "VALID":
        return [(0, 0)] * n
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    found = []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = dilation * (width - 1) + 1
        need = max((-(-size // stride) - 1) * stride + reach - size, 0)
        less = need // 2
        found.append((less, need - less) if auto == "SAME_UPPER" else (need - less, less))
    return found


def even(pads: Sequence[tuple[int, int]]) -> list[int] | None:
    """One number for each axis where both sides are padded alike, else None."""
    return [before for before, _ in pads] if all(a == b for a, b in pads) else None


def padded(x: Tensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
    """The tensor with its axes of space padded."""
    return F.pad(x, [size for pair in reversed(pads) for size in pair], value=value)


def pad_window(node: Operator, x: Tensor) -> Tensor:
    """What a convolution pads, before it."""
    kernel = node.ints("kernel_shape")
    return padded(x, sides(node, x.shape[2:], kernel))


def _convolve(node: Operator, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    n = x.ndim - 2
    function = of_space(_CONVOLVE, node, n)
    x = padded(x, sides(node, x.shape[2:], weight.shape[2:]))
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    return function(x, weight, bias, strides, 0, dilations, node.integer("group", 1))


def transposed_padding(
    node: Operator, sizes: Sequence[int], kernel: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Torch's padding and output padding of a transposed convolution.

    What is cut more at the end than at the start is a negative output padding, which torch does
    not have: the caller cuts it.
    """
    n = len(kernel)
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    extra = node.ints("output_padding", (0,) * n)
    pads = node.ints("pads", (0,) * (2 * n))
    wanted = node.ints("output_shape")
    auto = node.attributes.get("auto_pad", "NOTSET")
    starts, ends = list(pads[:n]), list(pads[n:])
    if wanted or auto in ("SAME_UPPER", "SAME_LOWER"):
        for i in range(n):
            reach = (kernel[i] - 1) * dilations[i] + 1
            full = strides[i] * (sizes[i] - 1) + extra[i] + reach
            total = full - (wanted[-n:][i] if wanted else sizes[i] * strides[i])
            less = total // 2
            upper = auto == "SAME_UPPER" if wanted else auto == "SAME_LOWER"
            starts[i], ends[i] = (less, total - less) if not upper else (total - less, less)
            if wanted and auto != "SAME_UPPER":
                starts[i], ends[i] = total - less, less
    return starts, [
        more + start - end for more, start, end in zip(extra, starts, ends, strict=True)
    ]


def _transposed(node: Operator, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    n = x.ndim - 2
    function = of_space(_TRANSPOSED, node, n)
    starts, extra = transposed_padding(node, x.shape[2:], weight.shape[2:])
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    full = function(x, weight, bias, strides, 0, 0, node.integer("group", 1), dilations)
    cut = [(-start, more - start) for start, more in zip(starts, extra, strict=True)]
    found = padded(full, cut)
    if bias is not None and any(after > 0 for _, after in cut):  # beyond the window: bias alone
        beyond = padded(torch.ones_like(full[:1, :1]), cut) == 0
        found = found + beyond * bias.reshape(-1, *[1] * n)
    return found


def _maximum(node: Operator, x: Tensor) -> Any:
    kernel = node.ints("kernel_shape")
    n = len(kernel)
    function = of_space(_MAXIMUM, node, n)
    pads = sides(node, x.shape[2:], kernel)
    same = even(pads)
    if same is None or any(2 * pad > size for pad, size in zip(same, kernel, strict=True)):
        x, same = padded(x, pads, -torch.inf), [0] * n
    with_places = len(node.outputs) > 1 and node.outputs[1] != ""
    if with_places and (
        (not any(same) and any(map(any, pads))) or node.integer("storage_order", 0)
    ):
        raise UnfitModel(f"MaxPool {node.outputs[0]!r} gives places that torch does not count")
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    ceil = bool(node.integer("ceil_mode", 0))
    found = function(x, kernel, strides, same, dilations, ceil, return_indices=with_places)
    if not with_places:
        return found
    images = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(*x.shape[:2], *[1] * n)
    return found[0], found[1] + images * prod(x.shape[2:])


def _average(node: Operator, x: Tensor) -> Tensor:
    kernel = node.ints("kernel_shape")
    n = len(kernel)
    function = of_space(_AVERAGE, node, n)
    pads = sides(node, x.shape[2:], kernel)
    strides, ceil = node.ints("strides", (1,) * n), bool(node.integer("ceil_mode", 0))
    counted = bool(node.integer("count_include_pad", 0))
    same = even(pads)
    dilated = any(step != 1 for step in node.ints("dilations", (1,) * n))
    fits = same is not None and all(2 * a <= b for a, b in zip(same, kernel, strict=True))
    if fits and not dilated:
        return function(x, kernel, strides, same, ceil, counted)
    ones = torch.ones_like(x[:1, :1])
    if dilated:
        counts = _sums(node, padded(ones, pads, float(counted)))
        return _sums(node, padded(x, pads)) / counts
    found = function(padded(x, pads), kernel, strides, 0, ceil)
    return found if counted else found / function(padded(ones, pads), kernel, strides, 0, ceil)


def _sums(node: Operator, x: Tensor) -> Tensor:
    """The sum within each window, which may be dilated: a convolution with ones."""
    kernel = node.ints("kernel_shape")
    n = len(kernel)
    if node.integer("ceil_mode", 0):
        raise UnfitModel(f"{node.op} {node.outputs[0]!r} rounds its size up: that is not known")
    strides, dilations = node.ints("strides", (1,) * n), node.ints("dilations", (1,) * n)
    single = x.flatten(0, 1).unsqueeze(1)  # (n · channels, 1, space)
    ones = x.new_ones(1, 1, *kernel)
    found = of_space(_CONVOLVE, node, n)(single, ones, None, strides, 0, dilations)
    return found.reshape(*x.shape[:2], *found.shape[2:])


def _lp(node: Operator, x: Tensor) -> Tensor:
    """The p-norm within each window."""
    p, kernel = node.integer("p", 2), node.ints("kernel_shape")
    return _sums(node, padded(x.abs() ** p, sides(node, x.shape[2:], kernel))) ** (1 / p)


def _space(x: Tensor) -> list[int]:
    return list(range(2, x.ndim))


def _local_response(node: Operator, x: Tensor) -> Tensor:
    size, alpha = node.integer("size", 1), node.real("alpha", 1e-4)
    return F.local_response_norm(x, size, alpha, node.real("beta", 0.75), node.real("bias", 1.0))


def _grid_sample(node: Operator, x: Tensor, grid: Tensor) -> Tensor:
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(
        node.attributes.get("mode", "bilinear"), node.attributes.get("mode", "bilinear")
    )
    border = node.attributes.get("padding_mode", "zeros")
    return F.grid_sample(x, grid, mode, border, bool(node.integer("align_corners", 0)))


WINDOWS: dict[str, Function] = {
    "assay::PadWindow": pad_window,
    "Conv": _convolve,
    "ConvTranspose": _transposed,
    "MaxPool": _maximum,
    "AveragePool": _average,
    "LpPool": _lp,
    "GlobalAveragePool": lambda node, x: x.mean(_space(x), keepdim=True),
    "GlobalMaxPool": lambda node, x: x.amax(_space(x), keepdim=True),
    "GlobalLpPool": lambda node, x: torch.linalg.vector_norm(
        x, node.integer("p", 2), _space(x), keepdim=True
    ),
    "LRN": _local_response,
    "GridSample": _grid_sample,
}
