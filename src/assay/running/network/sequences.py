"""ONNX's operators on sequences of tensors, which are lists while a network runs."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.graphs.operators import Operator
from assay.running.network.elementwise import Function, Numbers
from assay.running.network.sizes import whole

EXTRA = "torch"

Sequence = tuple[list[Tensor]]  # an operator gives a tuple: its one output is the list


def _split(node: Operator, x: Tensor, sizes: Numbers = None) -> Sequence:
    axis, keep = node.integer("axis", 0), bool(node.integer("keepdims", 1))
    if sizes is None:
        parts = x.split(1, axis)
        return ([part if keep else part.squeeze(axis) for part in parts],)
    found = whole(sizes)
    return (list(x.split(found if sizes.ndim else found[0], axis)),)


def _concat(node: Operator, parts: list[Tensor]) -> Tensor:
    axis = node.integer("axis", 0)
    return torch.stack(parts, axis) if node.integer("new_axis", 0) else torch.cat(parts, axis)


SEQUENCES: dict[str, Function] = {
    "SequenceConstruct": lambda node, *parts: (list(parts),),
    "SplitToSequence": _split,
    "SequenceAt": lambda node, parts, place: parts[int(place.item())],
    "ConcatFromSequence": _concat,
}
