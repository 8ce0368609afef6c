"""Quantized operators of TorchScript, read as those of real numbers [torch.ao.nn.quantized].

A module packs its weight, bias and options into one value when it is loaded (``…_prepack``); a
layer takes that apart.  Scales and zero points of what a layer gives change nothing in the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.layers import convolution, linear
from assay.vocabularies.torchscript.moves import concat, same
from assay.vocabularies.torchscript.values import Object, Traced, Value

Rule = Callable[..., Value]


@dataclass(frozen=True)
class Packed:
    """What a layer reads beside its input."""

    weight: Traced
    bias: Traced | None
    stride: Value = 1
    padding: Value = 0
    dilation: Value = 1
    transposed: bool = False
    output_padding: Value = 0
    groups: int = 1


def _pack_convolution(
    g: TorchGraph,
    weight: Traced,
    bias: Traced | None,
    stride: Value,
    padding: Value,
    dilation: Value,
    groups: int,
) -> Packed:
    return Packed(weight, bias, stride, padding, dilation, groups=groups)


def _pack_transposed(
    g: TorchGraph,
    weight: Traced,
    bias: Traced | None,
    stride: Value,
    padding: Value,
    output_padding: Value,
    dilation: Value,
    groups: int,
) -> Packed:
    return Packed(weight, bias, stride, padding, dilation, True, output_padding, groups)


def _pack_linear(g: TorchGraph, weight: Traced, bias: Traced | None = None) -> Packed:
    return Packed(weight, bias)


def _unpack(g: TorchGraph, packed: Value) -> Value:
    packed = _packed(packed)
    return packed.weight, packed.bias


def _packed(value: Value) -> Packed:
    """Of an object that was stored packed: its own state says all."""
    if isinstance(value, Packed):
        return value
    if not isinstance(value, Object) or not isinstance(value.state, tuple):
        raise TypeError("nothing that is packed")
    if len(value.state) == 2:
        return Packed(*value.state)
    version, numbers, tensors = value.state
    if str(version) != "3":
        raise ValueError("packed in another way")
    space, weight, bias = numbers[0], tensors[1], tensors[2]
    at = [numbers[1 + n * space : 1 + (n + 1) * space] for n in range(4)]
    groups, flags = numbers[1 + 4 * space :][:2]
    return Packed(weight, bias, at[0], at[1], at[2], bool(flags & 1), at[3], groups)


def _convolution(g: TorchGraph, x: Traced, packed: Value, *rest: Value) -> Traced:
    p = _packed(packed)
    return convolution(
        g, x, p.weight, p.bias, p.stride, p.padding, p.dilation, p.transposed, p.output_padding,
        p.groups,
    )  # fmt: skip


def _linear(g: TorchGraph, x: Traced, packed: Value, *rest: Value) -> Traced:
    p = _packed(packed)
    return linear(g, x, p.weight, p.bias)


def _binary(op: str) -> Rule:
    return lambda g, x, y, *rest: g.add(op, [x, g.like(y, x)])


def _with_relu(rule: Rule) -> Rule:
    return lambda g, *operands: g.add("Relu", [rule(g, *operands)])


_LAYERS: dict[str, Rule] = {"linear": _linear, "add": _binary("Add"), "mul": _binary("Mul")}
QUANTIZED: dict[str, Rule] = {
    "quantize_per_tensor": same,
    "quantize_per_channel": same,
    "quantize_per_tensor_dynamic": same,
    "dequantize": same,
    "fake_quantize_per_tensor_affine": same,
    "fake_quantize_per_channel_affine": same,
    "quantized.linear_prepack": _pack_linear,
    "quantized.linear_prepack_fp16": _pack_linear,
    "quantized.linear_unpack": _unpack,
    "quantized.cat": lambda g, tensors, dim=0, *rest: concat(g, tensors, dim),
    "quantized.conv_prepack": _pack_convolution,
    "quantized.hardswish": lambda g, x, *rest: g.add("HardSwish", [x]),
    "quantized.sigmoid": lambda g, x, *rest: g.add("Sigmoid", [x]),
}
for _n in (1, 2, 3):
    _LAYERS |= {f"conv{_n}d": _convolution, f"conv_transpose{_n}d": _convolution}
    QUANTIZED[f"quantized.conv{_n}d_prepack"] = _pack_convolution
    QUANTIZED[f"quantized.conv_transpose{_n}d_prepack"] = _pack_transposed
    QUANTIZED[f"quantized.conv{_n}d_unpack"] = _unpack
for _name, _rule in _LAYERS.items():
    for _kind in ("", "_dynamic", "_dynamic_fp16"):
        QUANTIZED[f"quantized.{_name}{_kind}"] = _rule
        QUANTIZED[f"quantized.{_name}_relu{_kind}"] = _with_relu(_rule)
for _name in ("add_scalar", "mul_scalar"):
    QUANTIZED[f"quantized.{_name}"] = _LAYERS[_name.removesuffix("_scalar")]
