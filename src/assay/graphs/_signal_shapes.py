"""Output shapes of transforms and of windows that are laid out or put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.graphs._moves import numbers
from assay.graphs.operators import Operator, Tensor

Inputs = Sequence[Tensor | None]


def _dft(node: Operator, inputs: Inputs) -> list[Tensor]:
    """The last axis is the number's two parts; half of the spectrum where that says all."""
    signal = inputs[0]
    if signal is None or signal.shape is None:
        raise ValueError("unknown rank")
    axis = numbers(inputs, 2) or (node.integer("axis", -2),)  # before opset 20: 1, mostly the same
    shape = [*signal.shape[:-1], 2]
    length = numbers(inputs, 1)
    if length is not None:
        shape[axis[0]] = length[0]
    size = shape[axis[0]]
    if node.integer("onesided", 0) and node.integer("inverse", 0):  # real numbers of half of it
        shape[axis[0]] = size if length is not None or size < 0 else 2 * (size - 1)
        shape[-1] = 1
    elif node.integer("onesided", 0):
        shape[axis[0]] = size // 2 + 1 if size >= 0 else -1
    return [Tensor(signal.dtype, tuple(shape))]


def _col2im(node: Operator, inputs: Inputs) -> list[Tensor]:
    windows, image, block = inputs[0], numbers(inputs, 1), numbers(inputs, 2)
    if windows is None or windows.shape is None or image is None or block is None:
        raise ValueError("unknown sizes")
    channels = windows.shape[1]
    for size in block:
        channels = channels // size if channels >= 0 else -1
    return [Tensor(windows.dtype, (windows.shape[0], channels, *image))]


SIGNALS: dict[str, Callable[[Operator, Inputs], list[Tensor]]] = {"DFT": _dft, "Col2Im": _col2im}
