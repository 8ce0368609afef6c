"""Windows that slide over a map, where a framework counts them otherwise than ONNX does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def same(
    kernel: Sequence[int] = (), strides: Sequence[int] = (), dilations: Sequence[int] = ()
) -> dict[str, Any]:
    """SAME padding as attributes: by its name, but for a dilated kernel without strides.

    ONNX Runtime refuses the name beside dilations.
    """
    if set(dilations) <= {1} or set(strides) != {1}:
        return {"auto_pad": "SAME_UPPER"}
    reach = [by * (size - 1) for by, size in zip(dilations, kernel, strict=False)]
    return {"pads": (*(r // 2 for r in reach), *(r - r // 2 for r in reach))}
