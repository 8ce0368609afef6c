"""ONNX's normalizations whose scale or shift is computed, as torch functions [ONNX operators].

Where scale and shift are constants, they become layers: see ``_layers``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.graphs.operators import Operator
from assay.running.network.elementwise import Function

EXTRA = "torch"


def channels(values: Tensor, x: Tensor) -> Tensor:
    """One number for each channel, ready to be broadcast over (n, channels, ...)."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def _batch(
    node: Operator, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor
) -> Tensor | tuple[Tensor, ...]:
    """By the moments that are given, or, in training mode, by the batch's, which it gives too."""
    if not node.integer("training_mode", 0):
        return F.batch_norm(x, mean, variance, scale, shift, eps=node.real("epsilon", 1e-5))
    axes = [axis for axis in range(x.ndim) if axis != 1]
    share = node.real("momentum", 0.9)
    own = x.mean(axes), x.var(axes, correction=0)
    found = F.batch_norm(x, *own, scale, shift, eps=node.real("epsilon", 1e-5))
    return found, *(a * share + b * (1 - share) for a, b in zip((mean, variance), own, strict=True))


def _layer(
    node: Operator, x: Tensor, scale: Tensor, shift: Tensor | None = None
) -> tuple[Tensor, ...]:
    axis, epsilon = node.integer("axis", -1) % x.ndim, node.real("epsilon", 1e-5)
    axes = list(range(axis, x.ndim))
    mean = x.mean(axes, keepdim=True)
    inverse = ((x - mean).square().mean(axes, keepdim=True) + epsilon).rsqrt()
    found = (x - mean) * inverse * scale
    return (found if shift is None else found + shift), mean, inverse


def _root_mean_square(node: Operator, x: Tensor, scale: Tensor) -> Tensor:
    axis, epsilon = node.integer("axis", -1) % x.ndim, node.real("epsilon", 1e-5)
    squares = x.square().mean(list(range(axis, x.ndim)), keepdim=True)
    return x * torch.rsqrt(squares + epsilon) * scale


def _instance(node: Operator, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=shift, eps=node.real("epsilon", 1e-5))


def _group(node: Operator, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Scale and shift are of each channel, or of each group before opset 21."""
    groups = node.integer("num_groups", 1)
    found = F.group_norm(x, groups, eps=node.real("epsilon", 1e-5))
    each = x.shape[1] // scale.numel()
    scale, shift = scale.repeat_interleave(each), shift.repeat_interleave(each)
    return found * channels(scale, x) + channels(shift, x)


def _skip_layer(
    node: Operator,
    x: Tensor,
    skip: Tensor,
    scale: Tensor,
    shift: Tensor | None = None,
    bias: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    total = x + skip if bias is None else x + skip + bias
    found = F.layer_norm(total, total.shape[-1:], scale, shift, node.real("epsilon", 1e-12))
    return found, None, None, total


NORMS: dict[str, Function] = {
    "BatchNormalization": _batch,
    "LayerNormalization": _layer,
    "RMSNormalization": _root_mean_square,
    "SimplifiedLayerNormalization": _root_mean_square,
    "InstanceNormalization": _instance,
    "GroupNormalization": _group,
    "com.microsoft::SkipLayerNormalization": _skip_layer,
}
