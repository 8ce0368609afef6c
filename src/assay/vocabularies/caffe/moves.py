"""Caffe's layers that join, cut or move blobs, in ONNX's words [Caffe layer catalogue]."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod

import numpy as np

from assay.vocabularies.caffe.graph import Step
from assay.vocabularies.caffe.weighted import opaque


def _concat(step: Step) -> None:
    o = step.layer.settings.section("concat_param")
    axis = o.integer("axis", o.integer("concat_dim", 1))
    if step.inputs:
        step.end("Concat", step.inputs, {"axis": axis})
    else:
        opaque(step)


def _slice(step: Step) -> None:
    o = step.layer.settings.section("slice_param")
    axis, points = o.integer("axis", o.integer("slice_dim", 1)), o.integers("slice_point")
    shape = step.shape()
    if not points or not -len(shape) <= axis < len(shape):
        step.end("Split", [step.x], {"axis": axis})
        return
    edges = [0, *points, shape[axis]]
    sizes = [after - before for before, after in pairwise(edges)]
    if min(sizes) < 0 or len(sizes) != len(step.layer.tops):
        opaque(step)
        return
    step.end("Split", [step.x, step.build.constant(sizes)], {"axis": axis})


def _flatten(step: Step) -> None:
    o = step.layer.settings.section("flatten_param")
    axis, end = o.integer("axis", 1), o.integer("end_axis", -1)
    shape = step.shape()
    rank = len(shape)
    if axis == 1 and end in (-1, rank - 1):
        step.end("Flatten", [step.x], {"axis": 1})
    elif not -rank <= axis < rank or not axis % rank <= end % rank:
        opaque(step)
    else:
        first, last = axis % rank, end % rank
        target = [0] * first + [-1] + list(shape[last + 1 :])
        step.end("Reshape", [step.x, step.build.constant(target)])


def _reshape(step: Step) -> None:
    o = step.layer.settings.section("reshape_param")
    dims, axis, count = (
        o.section("shape").integers("dim"),
        o.integer("axis"),
        o.integer("num_axes", -1),
    )
    shape = step.shape()
    rank = len(shape)
    if axis < 0:
        axis += rank + 1
    if (axis or count >= 0) and not (rank and 0 <= axis <= rank and axis + max(count, 0) <= rank):
        opaque(step)
        return
    behind = list(shape[axis + count :]) if count >= 0 else []
    if count >= 0 and 0 in dims[count:]:
        opaque(step)
        return
    target = [0] * axis + dims + behind
    step.end("Reshape", [step.x, step.build.constant(np.array(target, np.int64))])


def _permute(step: Step) -> None:
    order = step.layer.settings.section("permute_param").integers("order")
    rank = max(len(step.shape()), len(order))
    perm = (*order, *(axis for axis in range(min(rank, 64)) if axis not in order))
    step.end("Transpose", [step.x], {"perm": perm})


def _crop(step: Step) -> None:
    o = step.layer.settings.section("crop_param")
    shape, wanted, axis = step.shape(0), step.shape(1), o.integer("axis", 2)
    rank, offsets = len(shape), o.integers("offset") or [0]
    if len(wanted) != rank or not -rank <= axis < rank:
        opaque(step)
        return
    axes = list(range(axis % rank, rank))
    starts = offsets * len(axes) if len(offsets) == 1 else offsets
    if len(starts) != len(axes) or max(starts) > 2**31:
        opaque(step)
        return
    ends = [start + wanted[axis] for start, axis in zip(starts, axes, strict=True)]
    step.end("Slice", [step.x, *(step.build.constant(v) for v in (starts, ends, axes))])


def _tile(step: Step) -> None:
    o = step.layer.settings.section("tile_param")
    rank, axis, times = len(step.shape()), o.integer("axis", 1), o.integer("tiles", 1)
    if not -rank <= axis < rank or not 0 < times < 2**31:
        opaque(step)
        return
    repeats = [times if i == axis % rank else 1 for i in range(rank)]
    step.end("Tile", [step.x, step.build.constant(repeats)])


def _upsample(step: Step) -> None:
    scale = step.layer.settings.section("upsample_param").integer("scale")
    if len(step.shape()) != 4 or len(step.inputs) != 1 or not 0 < scale < 2**16:
        opaque(step)
        return
    scales = step.build.constant(np.array([1, 1, scale, scale], np.float32))
    step.end("Resize", [step.x, "", scales], {"mode": "nearest"})


def _shuffle(step: Step) -> None:
    """Channels of several groups are interleaved."""
    groups = step.layer.settings.section("shuffle_channel_param").integer("group")
    shape = step.shape()
    if len(shape) != 4 or groups < 1 or shape[1] % groups or prod(shape) < 1:
        opaque(step)
        return
    batch, channels, *space = shape
    apart = step.build.constant([batch, groups, channels // groups, *space])
    turned = step.add(
        "Transpose", [step.add("Reshape", [step.x, apart])], {"perm": (0, 2, 1, 3, 4)}
    )
    step.end("Reshape", [turned, step.build.constant(list(shape))])


def _pixel_shuffle(step: Step) -> None:
    factor = step.layer.settings.section("pixelshuffle_param").integer("upscale_factor")
    if not 0 < factor < 2**16:
        opaque(step)
        return
    step.end("DepthToSpace", [step.x], {"blocksize": factor, "mode": "CRD"})


MOVES: dict[str, Callable[[Step], None]] = {
    "Concat": _concat,
    "Slice": _slice,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Crop": _crop,
    "Tile": _tile,
    "Upsample": _upsample,
    "ShuffleChannel": _shuffle,
    "PixelShuffle": _pixel_shuffle,
}
