"""ONNX's Resize and Upsample [ONNX operators]: torch's interpolation where it does the same.

Otherwise each axis is a product with a matrix whose rows say of which places, and with which
weights, a new place is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from assay.errors import UnfitModel
from assay.graphs.operators import Operator
from assay.running.network.elementwise import Function, Numbers
from assay.running.network.sizes import whole

EXTRA = "torch"

Reals = NDArray[np.float64]

_NEAREST: dict[str, Callable[[Reals], Reals]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@dataclass(frozen=True)
class _Way:
    """How places are found and weighted."""

    mode: str  # nearest, linear, cubic
    coordinates: str
    nearest: str
    cubic: float
    exclude: bool
    antialias: bool
    outside: float


@dataclass(frozen=True)
class _Axis:
    """One axis: its sizes, the new one's scale, and the part of it that is resized."""

    size: int
    new: int
    scale: float
    start: float = 0.0
    end: float = 1.0


def _resize(
    node: Operator,
    x: Tensor,
    roi: Numbers = None,
    scales: Numbers = None,
    sizes: Numbers = None,
) -> Tensor:
    if len(node.inputs) == 2 and node.op == "Resize":  # before opset 11: scales alone
        roi, scales = None, roi
    along = [axis % x.ndim for axis in node.ints("axes", tuple(range(x.ndim)))]
    way = _way(node, len(node.inputs) == 2 or node.op == "Upsample")
    axes = _axes(node, x, along, scales, sizes)
    if roi is not None and roi.size == 2 * len(along) and way.coordinates == "tf_crop_and_resize":
        ends = np.reshape(roi, (2, -1)).astype(float)
        for place, axis in enumerate(along):
            one = axes[axis]
            axes[axis] = _Axis(one.size, one.new, one.scale, ends[0, place], ends[1, place])
    changed = {
        axis: one
        for axis, one in axes.items()
        if one.new != one.size or one.scale != 1 or (one.start, one.end) != (0.0, 1.0)
    }
    mode = _like_torch(way, changed, x.ndim)
    if mode:
        space = [axes[axis] for axis in range(2, x.ndim)]
        aligned = True if way.coordinates == "align_corners" else None
        aligned = aligned if mode != "nearest" else None
        return F.interpolate(x, [one.new for one in space], mode=mode, align_corners=aligned)
    for axis, one in changed.items():
        x = _along(x, axis, one, way)
    return x


def _way(node: Operator, old: bool) -> _Way:
    options = node.attributes
    mode = options.get("mode", "nearest")
    return _Way(
        {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode),
        options.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel"),
        options.get("nearest_mode", "floor" if old else "round_prefer_floor"),
        node.real("cubic_coeff_a", -0.75),
        bool(node.integer("exclude_outside", 0)),
        bool(node.integer("antialias", 0)),
        node.real("extrapolation_value", 0.0),
    )


def _axes(
    node: Operator, x: Tensor, along: list[int], scales: Numbers, sizes: Numbers
) -> dict[int, _Axis]:
    found = {axis: _Axis(size, size, 1.0) for axis, size in enumerate(x.shape)}
    if sizes is None or sizes.size == 0:
        given = node.attributes.get("scales", ()) if scales is None else scales
        factors = [float(scale) for scale in np.reshape(given, -1)]
        for axis, factor in zip(along, factors, strict=True):
            if factor != 1:
                size = x.shape[axis]
                found[axis] = _Axis(size, int(np.floor(np.float32(size * factor))), factor)
        return found
    wanted = whole(sizes)
    policy = node.attributes.get("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        ratios = [new / x.shape[axis] for axis, new in zip(along, wanted, strict=True)]
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        for axis in along:
            size = x.shape[axis]
            found[axis] = _Axis(size, int(np.floor(ratio * size + 0.5)), ratio)
        return found
    for axis, new in zip(along, wanted, strict=True):
        size = x.shape[axis]
        if axis == 0 and len(along) == x.ndim:
            new = size  # a literal batch
        found[axis] = _Axis(size, new, new / size if new != size else 1.0)
    return found


def _like_torch(way: _Way, changed: dict[int, _Axis], rank: int) -> str:
    """The mode of torch's interpolation that does the same; "" where none does."""
    if not changed or min(changed) < 2 or way.antialias or rank > 5:
        return ""
    exact = all(one.new == one.size * one.scale for one in changed.values())
    if way.mode == "nearest":
        doubled = exact and all(one.scale == int(one.scale) for one in changed.values())
        usual = way.coordinates == "asymmetric" and way.nearest == "floor"
        usual |= way.coordinates == "half_pixel" and way.nearest.startswith("round")
        return "nearest" if usual and doubled else ""
    corners = way.coordinates == "align_corners"
    half = way.coordinates == "half_pixel" or (
        way.coordinates == "pytorch_half_pixel" and all(one.new > 1 for one in changed.values())
    )
    if not corners and not (half and exact):
        return ""
    if way.mode == "linear":
        return {3: "linear", 4: "bilinear", 5: "trilinear"}.get(rank, "")
    usual = way.mode == "cubic" and rank == 4 and way.cubic == -0.75 and not way.exclude
    return "bicubic" if usual else ""


def _along(x: Tensor, axis: int, one: _Axis, way: _Way) -> Tensor:
    places = _places(one, way.coordinates)
    beyond = np.zeros(one.new, bool)
    if way.coordinates == "tf_crop_and_resize":
        beyond = (places < 0) | (places > one.size - 1)
    if way.mode == "nearest":
        nearest = np.clip(_NEAREST[way.nearest](places), 0, one.size - 1).astype(np.int64)
        found = x.index_select(axis, torch.as_tensor(nearest, device=x.device))
    else:
        matrix = torch.as_tensor(_matrix(places, one, way), dtype=x.dtype, device=x.device)
        found = torch.matmul(x.movedim(axis, -1), matrix.T).movedim(-1, axis)
    if beyond.any():
        mask = torch.as_tensor(beyond, device=x.device)
        mask = mask.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        found = torch.where(mask, way.outside, found)
    return found


def _places(one: _Axis, coordinates: str) -> Reals:
    """Where in the input each new place lies."""
    new = np.arange(one.new, dtype=np.float64)
    half = (new + 0.5) / one.scale - 0.5
    if coordinates == "half_pixel" or (coordinates == "pytorch_half_pixel" and one.new > 1):
        return half
    if coordinates == "pytorch_half_pixel":
        return np.zeros(1)
    if coordinates == "half_pixel_symmetric":
        return one.size / 2 * (1 - one.new / (one.scale * one.size)) + half
    if coordinates == "align_corners":
        return new * (one.size - 1) / (one.new - 1) if one.new > 1 else new
    if coordinates == "asymmetric":
        return new / one.scale
    if coordinates == "tf_half_pixel_for_nn":
        return (new + 0.5) / one.scale
    if coordinates == "tf_crop_and_resize":
        last = one.size - 1
        if one.new == 1:
            return np.array([0.5 * (one.start + one.end) * last])
        return one.start * last + new * (one.end - one.start) * last / (one.new - 1)
    raise UnfitModel(f"Resize cannot find its places by {coordinates!r}")


def _matrix(places: Reals, one: _Axis, way: _Way) -> Reals:
    """A weight for each new place and each old one, (new, size)."""
    if way.mode not in ("linear", "cubic"):
        raise UnfitModel(f"Resize has no mode {way.mode!r}")
    shrunk = min(one.scale, 1.0) if way.antialias else 1.0
    reach = int(np.ceil((1 if way.mode == "linear" else 2) / shrunk))
    kernel = _triangle if way.mode == "linear" else _cubic(way.cubic)
    first = np.floor(places).astype(np.int64) - reach + 1
    matrix = np.zeros((one.new, one.size))
    rows = np.arange(one.new)
    for step in range(2 * reach):
        place = first + step
        weight = kernel(np.abs((place - places) * shrunk))
        if way.exclude:
            weight = np.where((place < 0) | (place >= one.size), 0, weight)
        np.add.at(matrix, (rows, np.clip(place, 0, one.size - 1)), weight)
    return np.asarray(matrix / matrix.sum(1, keepdims=True))


def _triangle(distance: Reals) -> Reals:
    return np.maximum(1 - distance, 0)


def _cubic(a: float) -> Callable[[Reals], Any]:
    def kernel(d: Reals) -> Any:
        near = (a + 2) * d**3 - (a + 3) * d**2 + 1
        far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return kernel


RESIZING: dict[str, Function] = {
    "Resize": _resize,
    "Upsample": lambda node, x, scales=None: _resize(node, x, None, scales),
}
