"""Windows that slide over a map, where a framework counts them otherwise than ONNX does."""

from __future__ import annotations

from collections.abc import Sequence

from assay.graphs.operators import Shape


def behind(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    keep: bool,
) -> Shape:
    """The padding behind a map with which as many windows fit as when their count is rounded up.

    A last window that begins in that padding is counted where ``keep`` says so; ONNX drops it.
    """
    found = []
    for size, window, stride, pad in zip(sizes, kernel, strides, pads, strict=True):
        count = -(-(size + 2 * pad - window) // stride) + 1
        if not keep and (count - 1) * stride >= size + pad:
            count -= 1
        found.append(max((count - 1) * stride + window - size - pad, 0))
    return tuple(found)
