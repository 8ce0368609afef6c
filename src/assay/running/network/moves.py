"""ONNX's operators that move elements and change none, as torch functions [ONNX operators].

Shapes, axes, indices that say where elements go come as numbers (NumPy), so that a shape that
depends on the batch stays a shape and does not become a tensor.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from assay.graphs.operators import Operator
from assay.running.network.elementwise import Function, Numbers
from assay.running.network.reshape import reshape
from assay.running.network.sizes import listed, whole

EXTRA = "torch"


def _flatten(node: Operator, x: Tensor) -> Tensor:
    axis = node.integer("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    if axis == 1:
        return torch.flatten(x, 1) if x.ndim > 1 else x.reshape(-1, 1)
    return x.reshape(prod(x.shape[:axis]), -1)


def _transpose(node: Operator, x: Tensor) -> Tensor:
    return x.permute(node.ints("perm", tuple(reversed(range(x.ndim)))))


def _squeeze(node: Operator, x: Tensor, axes: Numbers = None) -> Tensor:
    found = listed(node, "axes", axes)
    if found is None:
        found = [axis for axis, size in enumerate(x.shape) if size == 1]
    return x.squeeze(found)


def _unsqueeze(node: Operator, x: Tensor, axes: Numbers = None) -> Tensor:
    found = listed(node, "axes", axes) or []
    rank = x.ndim + len(found)
    for axis in sorted(axis % rank for axis in found):
        x = x.unsqueeze(axis)
    return x


def _concat(node: Operator, *parts: Tensor) -> Tensor:
    """What has one place along another axis, such as a class token, is repeated for the batch."""
    axis = node.integer("axis", 0) % parts[0].ndim
    for other in range(parts[0].ndim):
        sizes = [part.shape[other] for part in parts]
        if other != axis and any(size != sizes[0] for size in sizes):
            size = next(size for size in sizes if size != 1)
            parts = tuple(_repeated(part, other, size) for part in parts)
    return torch.cat(parts, axis)


def _repeated(x: Tensor, axis: int, size: int) -> Tensor:
    return x.expand([size if i == axis else -1 for i in range(x.ndim)])


def _split(node: Operator, x: Tensor, sizes: Numbers = None) -> tuple[Tensor, ...]:
    axis, count = node.integer("axis", 0), len(node.outputs)
    found = listed(node, "split", sizes)
    return tuple(torch.split(x, -(-x.shape[axis] // count) if found is None else found, axis))


def _slice(
    node: Operator,
    x: Tensor,
    starts: Numbers = None,
    ends: Numbers = None,
    axes: Numbers = None,
    steps: Numbers = None,
) -> Tensor:
    first, last = listed(node, "starts", starts) or [], listed(node, "ends", ends) or []
    along = listed(node, "axes", axes) or list(range(len(first)))
    strides = [1] * len(first) if steps is None else whole(steps)
    for axis, start, end, step in zip(along, first, last, strides, strict=True):
        axis %= x.ndim
        if step > 0:
            x = x[(slice(None),) * axis + (slice(start, end, step),)]
        else:
            stop = None if end < -x.shape[axis] else end
            kept = list(range(x.shape[axis]))[start:stop:step]
            x = x.index_select(axis, torch.tensor(kept, device=x.device))
    return x


def _gather(node: Operator, x: Tensor, indices: Tensor | Numbers) -> Tensor:
    axis = node.integer("axis", 0) % x.ndim
    if isinstance(indices, np.ndarray):
        if indices.ndim == 0:
            return x.select(axis, int(indices))
        indices = torch.as_tensor(indices, device=x.device)
    return x[(slice(None),) * axis + (indices.long(),)]


def _positive(indices: Tensor, size: int) -> Tensor:
    indices = indices.long()
    return torch.where(indices < 0, indices + size, indices)


def _gather_elements(node: Operator, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.integer("axis", 0)
    return torch.gather(x, axis, _positive(indices, x.shape[axis]))


def _gather_nd(node: Operator, x: Tensor, indices: Tensor) -> Tensor:
    batch = node.integer("batch_dims", 0)
    if not batch:
        return x[tuple(indices.long().unbind(-1))]
    rows = x.reshape(-1, *x.shape[batch:]), indices.reshape(-1, *indices.shape[batch:])
    found = [a[tuple(b.long().unbind(-1))] for a, b in zip(*rows, strict=True)]
    return torch.stack(found).reshape(*x.shape[:batch], *found[0].shape)


_REDUCED = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _scatter_elements(node: Operator, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis = node.integer("axis", 0)
    places = _positive(indices, x.shape[axis])
    reduction = node.attributes.get("reduction", "none")
    if reduction == "none":
        return torch.scatter(x, axis, places, updates)
    return torch.scatter_reduce(x, axis, places, updates, _REDUCED[reduction])


def _scatter_nd(node: Operator, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    reduction, depth = node.attributes.get("reduction", "none"), indices.shape[-1]
    if reduction == "none":
        return x.index_put(tuple(indices.long().unbind(-1)), updates)
    rows = torch.zeros_like(indices[..., 0], dtype=torch.int64)
    for axis in range(depth):
        rows = rows * x.shape[axis] + _positive(indices[..., axis], x.shape[axis])
    flat = x.reshape(prod(x.shape[:depth]), -1)
    values = updates.reshape(rows.numel(), -1)
    places = rows.reshape(-1, 1).expand_as(values)
    return torch.scatter_reduce(flat, 0, places, values, _REDUCED[reduction]).reshape(x.shape)


def _pad(
    node: Operator, x: Tensor, pads: Numbers = None, value: Numbers = None, axes: Numbers = None
) -> Tensor:
    mode = node.attributes.get("mode", "constant")
    sizes = listed(node, "pads", pads) or []
    fill = node.real("value", 0.0) if value is None else np.reshape(value, -1)[0].item()
    along = list(range(x.ndim)) if axes is None else [axis % x.ndim for axis in whole(axes)]
    before, after = [0] * x.ndim, [0] * x.ndim
    for place, axis in enumerate(along):
        before[axis], after[axis] = sizes[place], sizes[place + len(along)]
    if mode == "constant":
        pairs = [n for axis in reversed(range(x.ndim)) for n in (before[axis], after[axis])]
        return F.pad(x, pairs, value=fill)
    for axis in along:
        if before[axis] or after[axis]:
            places = np.arange(x.shape[axis])
            start, stop = max(-before[axis], 0), len(places) - max(-after[axis], 0)
            places = np.pad(
                places[start:stop], (max(before[axis], 0), max(after[axis], 0)), mode=mode
            )
            x = x.index_select(axis, torch.as_tensor(places, device=x.device))
    return x


def _expand(node: Operator, x: Tensor, shape: Numbers) -> Tensor:
    sizes = whole(shape)
    rank = max(len(sizes), x.ndim)
    sizes = [1] * (rank - len(sizes)) + sizes
    own = [1] * (rank - x.ndim) + list(x.shape)
    return x.expand([have if want == 1 else want for have, want in zip(own, sizes, strict=True)])


def _depth_to_space(node: Operator, x: Tensor) -> Tensor:
    size = node.integer("blocksize", 1)
    if node.attributes.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, size)
    n, c, h, w = x.shape
    blocks = x.reshape(n, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // size**2, h * size, w * size)


def _space_to_depth(node: Operator, x: Tensor) -> Tensor:
    size = node.integer("blocksize", 1)
    if node.attributes.get("mode", "DCR") == "CRD":
        return F.pixel_unshuffle(x, size)
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // size, size, w // size, size).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, c * size**2, h // size, w // size)


def _trilu(node: Operator, x: Tensor, k: Numbers = None) -> Tensor:
    diagonal = 0 if k is None else int(k.item())
    return torch.triu(x, diagonal) if node.integer("upper", 1) else torch.tril(x, diagonal)


def _reverse_sequence(node: Operator, x: Tensor, lengths: Tensor) -> Tensor:
    along, batch = node.integer("time_axis", 0), node.integer("batch_axis", 1)
    swapped = x.transpose(0, along) if batch != 0 else x.transpose(0, 1)  # (time, batch, ...)
    steps = torch.arange(swapped.shape[0], device=x.device)[:, None]
    places = torch.where(steps < lengths[None], lengths[None] - 1 - steps, steps)  # (time, batch)
    columns = torch.arange(swapped.shape[1], device=x.device)[None]
    turned = swapped[places.long(), columns]
    return turned.transpose(0, along) if batch != 0 else turned.transpose(0, 1)


MOVES: dict[str, Function] = {
    "Reshape": reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterElements": _scatter_elements,
    "Scatter": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Pad": _pad,
    "Expand": _expand,
    "Tile": lambda node, x, repeats: x.repeat(whole(repeats)),
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Trilu": _trilu,
    "ReverseSequence": _reverse_sequence,
}
