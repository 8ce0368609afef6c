"""Layers that hold their weights in few bits, and compute them when they are run.

Whole numbers with scales, or shorter real numbers: torch's parametrizations.  An exported model
therefore has integers and ``DequantizeLinear``, as the files of other quantizers have.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.ao.quantization.fx._decomposed  # defines torch.ops.quantized_decomposed
from torch import Tensor, nn
from torch.nn.utils import parametrize

from assay.running.modules import TRANSPOSED

EXTRA = "torch"
_SHARES = torch.linspace(0.5, 1.0, 51)  # of the widest scale: what a search tries


def compute(layer: nn.Module, name: str, stored: Tensor, reading: nn.Module) -> None:
    """From now on the layer holds ``stored``, and its parameter ``name`` is ``reading(stored)``."""
    if not parametrize.is_parametrized(layer):
        layer.parameter_order = [*layer._parameters]
    delattr(layer, name)
    if isinstance(stored, nn.Parameter):
        layer.register_parameter(name, stored)
    else:
        layer.register_buffer(name, stored)
    parametrize.register_parametrization(layer, name, reading, unsafe=True)


def settled(module: nn.Module) -> nn.Module:
    """The module, changed: weights that were computed are parameters again, in their old order.

    Such weights can be tuned and pruned.  Inputs that are rounded still are.
    """
    for layer in [*module.modules()]:
        if not parametrize.is_parametrized(layer):
            continue
        values = {name: getattr(layer, name).detach().clone() for name in layer.parametrizations}
        # Not remove_parametrizations: it takes the property from the class, which copies share.
        layer.__class__ = parametrize.type_before_parametrizations(layer)
        del layer.parametrizations
        order = getattr(layer, "parameter_order", [*values, *layer._parameters])  # or of others
        for name in order:
            kept = layer._parameters.pop(name, None)
            layer.register_parameter(name, nn.Parameter(values[name]) if name in values else kept)
    return module


class Dequantized(nn.Module):
    """Whole numbers (…) times the scale of their output channel."""

    def __init__(self, scales: Tensor, axis: int) -> None:
        super().__init__()
        self.axis = axis  # that of the output channels
        self.register_buffer("scales", scales)  # (channels,)
        zeros = torch.zeros(len(scales), dtype=torch.int8)  # ranges are symmetric
        self.register_buffer("zeros", zeros, persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:  # (…) int8 -> (…) float32
        read = torch.ops.quantized_decomposed.dequantize_per_channel
        return read(numbers, self.scales, self.zeros, self.axis, -128, 127, torch.int8)


class Widened(nn.Module):
    """Real numbers of a shorter type as those of another."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.dtype)


class RoundedInputs(nn.Module):
    """A layer's inputs, rounded to 256 values between two bounds; gradients pass as they are."""

    def __init__(self, low: float, high: float) -> None:
        """Zero is moved into the bounds: padding must stay exact."""
        super().__init__()
        low, high = min(low, 0.0), max(high, 0.0)
        self.scale = max((high - low) / 255, torch.finfo(torch.float32).tiny)
        self.zero = round(-low / self.scale)

    def forward(self, inputs: Tensor) -> Tensor:
        if not torch.compiler.is_exporting():
            return torch.fake_quantize_per_tensor_affine(inputs, self.scale, self.zero, 0, 255)
        operators = torch.ops.quantized_decomposed  # without gradients, but every exporter has them
        how = (self.scale, self.zero, 0, 255, torch.uint8)
        return operators.dequantize_per_tensor(operators.quantize_per_tensor(inputs, *how), *how)

    def get_extra_state(self) -> Tensor:
        """Scale and zero as a part of the state: an export takes them from plain numbers only."""
        return torch.tensor([self.scale, self.zero], dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """See ``get_extra_state``."""
        self.scale, self.zero = float(state[0]), int(state[1])


def round_inputs(layer: nn.Module, low: float, high: float) -> None:
    """From now on the layer's first input is rounded before it is used."""
    if not hasattr(layer, "rounded_inputs"):
        layer.register_forward_pre_hook(_rounded)
    layer.rounded_inputs = RoundedInputs(low, high)


def unrounded(module: nn.Module) -> nn.Module:
    """The module, changed: no layer rounds its inputs any more."""
    for layer in module.modules():
        if hasattr(layer, "rounded_inputs"):
            del layer.rounded_inputs
            for key, hook in [*layer._forward_pre_hooks.items()]:
                if hook is _rounded:
                    del layer._forward_pre_hooks[key]
    return module


def _rounded(layer: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (layer.rounded_inputs(inputs[0]), *inputs[1:])


def quantize_weight(layer: nn.Module, name: str, bits: int, *, search: bool) -> float:
    """Make a parameter of a layer whole numbers of so many bits, with a scale a channel.

    Args:
        layer: Is changed.
        name: Of the parameter.
        bits: 2 to 8.
        search: Whether the scale is the one with the smallest squared error, of 51 that clip more
            or less; otherwise the largest weight of a channel decides it, and none is clipped.

    Returns:
        The largest error of a channel, relative to its weights (root mean squares).
    """
    axis = 1 if isinstance(layer, TRANSPOSED) else 0
    weight: Tensor = getattr(layer, name).detach().float().transpose(0, axis)
    rows = weight.flatten(1)  # (channels, k)
    scales = _scales(rows, bits, search)
    numbers = _numbers(rows, scales, bits)
    wrong = (numbers * scales[:, None] - rows).norm(dim=1)
    stored = numbers.view(weight.shape).transpose(0, axis).contiguous().to(torch.int8)
    compute(layer, name, stored, Dequantized(scales, axis))
    return float((wrong / rows.norm(dim=1).clamp_min(torch.finfo(rows.dtype).tiny)).max())


def _scales(rows: Tensor, bits: int, search: bool) -> Tensor:
    """(channels, k) -> (channels,)."""
    widest = rows.abs().amax(1) / (2 ** (bits - 1) - 1)
    widest = torch.where(widest > 0, widest, torch.ones_like(widest))  # a channel of zeros
    if not search:
        return widest
    errors = torch.stack(
        [
            (_numbers(rows, share * widest, bits) * (share * widest)[:, None] - rows).norm(dim=1)
            for share in _SHARES
        ]
    )  # (shares, channels)
    return _SHARES[errors.argmin(0)] * widest


def _numbers(rows: Tensor, scales: Tensor, bits: int) -> Tensor:
    return (rows / scales[:, None]).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
