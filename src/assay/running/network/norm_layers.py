"""Normalizations whose scale and shift are constants, as torch's layers [ONNX operators]."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from assay.graphs.operators import Operator
from assay.running.network.layers import Facts, Layer, Rule, fill, is_given

EXTRA = "torch"

_BATCH_NORMS = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE_NORMS = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


def _epsilon(node: Operator) -> float:
    """As it was before it was stored in four bytes."""
    return float(str(np.float32(node.real("epsilon", 1e-5))))


def _batch_norm(node: Operator, facts: Facts) -> Layer | None:
    names = [facts.constant(node, place) for place in range(1, 5)]
    rank = facts.rank(node.inputs[0])
    if not all(names) or rank - 2 not in _BATCH_NORMS or node.integer("training_mode", 0):
        return None
    scale, shift, mean, variance = (facts.constants[name] for name in names)
    module = nn.utils.skip_init(
        _BATCH_NORMS[rank - 2],
        len(scale),
        _epsilon(node),
        round(1 - node.real("momentum", 0.9), 6),
    )
    fill(module.weight, scale)
    fill(module.bias, shift)
    fill(module.running_mean, mean)
    fill(module.running_var, variance)
    with torch.no_grad():
        module.num_batches_tracked.zero_()
    weights = dict(zip(("weight", "bias", "running_mean", "running_var"), names, strict=True))
    return Layer(module, weights, node.inputs[:1])


def _instance_norm(node: Operator, facts: Facts) -> Layer | None:
    scale, shift = facts.constant(node, 1), facts.constant(node, 2)
    space = facts.rank(node.inputs[0]) - 2
    if not scale or not shift or space not in _INSTANCE_NORMS:
        return None
    values = facts.constants[scale]
    module = _INSTANCE_NORMS[space](len(values), _epsilon(node), affine=True)
    fill(module.weight, values)
    fill(module.bias, facts.constants[shift])
    return Layer(module, {"weight": scale, "bias": shift}, node.inputs[:1])


def _layer_norm(node: Operator, facts: Facts) -> Layer | None:
    scale, shift = facts.constant(node, 1), facts.constant(node, 2)
    if not scale or (is_given(node, 2) and not shift) or any(node.outputs[1:]):
        return None
    values, rank = facts.constants[scale], facts.rank(node.inputs[0])
    axis = node.integer("axis", -1)
    if values.ndim != (-axis if axis < 0 else rank - axis):
        return None
    module = nn.LayerNorm(values.shape, _epsilon(node), bias=bool(shift))
    fill(module.weight, values)
    if shift:
        fill(module.bias, facts.constants[shift])
    return Layer(module, {"weight": scale, "bias": shift}, node.inputs[:1])


def _group_norm(node: Operator, facts: Facts) -> Layer | None:
    scale, shift = facts.constant(node, 1), facts.constant(node, 2)
    groups = node.integer("num_groups", 1)
    shape = facts.shapes.get(node.inputs[0], ())
    if not scale or not shift or len(shape) < 2 or len(facts.constants[scale]) != shape[1]:
        return None  # one number for each group, or nothing known
    module = nn.GroupNorm(groups, shape[1], _epsilon(node))
    fill(module.weight, facts.constants[scale])
    fill(module.bias, facts.constants[shift])
    return Layer(module, {"weight": scale, "bias": shift}, node.inputs[:1])


def _root_mean_square(node: Operator, facts: Facts) -> Layer | None:
    scale = facts.constant(node, 1)
    if not scale or node.integer("axis", -1) != -1 or facts.constants[scale].ndim != 1:
        return None
    values = facts.constants[scale]
    module = nn.RMSNorm(len(values), _epsilon(node))
    fill(module.weight, values)
    return Layer(module, {"weight": scale}, node.inputs[:1])


NORM_LAYERS: dict[str, Rule] = {
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "RMSNormalization": _root_mean_square,
    "SimplifiedLayerNormalization": _root_mean_square,
}
