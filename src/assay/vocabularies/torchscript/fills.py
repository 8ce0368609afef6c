"""ATen's operators that pad, resize, make tensors or change their type, in ONNX's words [ATen]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from assay.graphs.operators import FLOAT, MOST_VALUES
from assay.vocabularies.torchscript.arithmetic import cast
from assay.vocabularies.torchscript.graph import DTYPES, TorchGraph
from assay.vocabularies.torchscript.moves import expand, same, transpose, view
from assay.vocabularies.torchscript.values import Traced, Value

Rule = Callable[..., Value]


def _pad(
    g: TorchGraph, x: Traced, pads: list[Value], mode: str = "constant", value: Value = None
) -> Traced:
    """Torch lists the last axis first: its beginning, its end."""
    rank, axes = g.rank(x), len(pads) // 2
    before: list[Value] = [0] * (rank - axes) + list(pads[0::2])[::-1]
    after: list[Value] = [0] * (rank - axes) + list(pads[1::2])[::-1]
    names = {"replicate": "edge", "circular": "wrap"}
    fill = None if mode != "constant" else g.like(float(value or 0), x)
    return g.add("Pad", [x, g.integers([*before, *after]), fill], {"mode": names.get(mode, mode)})


def _padding(mode: str) -> Rule:
    return lambda g, x, pads, value=None: _pad(g, x, pads, mode, value)


def _resize(
    g: TorchGraph, x: Traced, size: Value, attributes: Mapping[str, Value], scales: Value = None
) -> Traced:
    shape = g.sizes(x)
    space = len(shape) - 2
    if size is None:
        factors = scales if isinstance(scales, list | tuple) else [scales] * space
        whole = g.constant(np.array([1.0, 1.0, *factors], np.float32))
        return g.add("Resize", [x, None, whole], attributes)
    sizes = [*shape[:2], *(size if isinstance(size, list | tuple) else [size] * space)]
    return g.add("Resize", [x, None, None, g.integers(sizes)], attributes)


def _nearest(places: str, rounding: str) -> Rule:
    attributes = {
        "mode": "nearest",
        "coordinate_transformation_mode": places,
        "nearest_mode": rounding,
    }

    def rule(g: TorchGraph, x: Traced, size: Value, scales: Value = None, *rest: Value) -> Traced:
        return _resize(g, x, size, attributes, [scales, *rest] if rest else scales)

    return rule


def _smooth(mode: str) -> Rule:
    attributes = {"mode": mode} | ({"cubic_coeff_a": -0.75} if mode == "cubic" else {})

    def rule(
        g: TorchGraph, x: Traced, size: Value, align: bool, scales: Value = None, *rest: Value
    ) -> Traced:
        places = "align_corners" if align else "pytorch_half_pixel"
        whole = {**attributes, "coordinate_transformation_mode": places}
        return _resize(g, x, size, whole, [scales, *rest] if rest else scales)

    return rule


def _pixel_shuffle(g: TorchGraph, x: Traced, factor: int) -> Traced:
    return g.add("DepthToSpace", [x], {"blocksize": int(factor), "mode": "CRD"})


def _channel_shuffle(g: TorchGraph, x: Traced, groups: int) -> Traced:
    n, c, *space = g.sizes(x)
    apart = view(g, x, [n, groups, c // groups, *space])
    return view(g, transpose(g, apart, 1, 2), [n, c, *space])


def _to(g: TorchGraph, x: Value, *options: Value, dtype: Value = None) -> Traced:
    """Another type, where an option says one."""
    for option in (dtype, *options):
        if isinstance(option, Traced):
            return _cast_like(g, x, option)
        if type(option) is int:
            return cast(g, x, option)
    return same(g, x)


def _cast_like(g: TorchGraph, x: Value, other: Traced) -> Traced:
    """The type of another; where it is known, x keeps its shape."""
    code = g.dtype(other)
    return g.add("Cast", [x], {"to": code}) if code else g.add("CastLike", [x, other])


def _filled(g: TorchGraph, size: Sequence[Value], value: Value, dtype: Value = None) -> Traced:
    """One number, repeated."""
    code = DTYPES.get(dtype, FLOAT) if type(dtype) is int else 0
    one = g.constant(value, code) if not isinstance(value, Traced) else value
    return expand(g, one, list(size))


def _constant(value: float) -> Rule:
    def rule(g: TorchGraph, size: Value, dtype: Value = None, *rest: Value) -> Value:
        return _filled(g, size if isinstance(size, list | tuple) else [size], value, dtype)

    return rule


def _constant_like(value: float) -> Rule:
    def rule(g: TorchGraph, x: Traced, dtype: Value = None, *rest: Value) -> Value:
        return _filled(g, list(g.sizes(x)), value, dtype)

    return rule


def _new(value: float) -> Rule:
    def rule(g: TorchGraph, x: Traced, size: Value, dtype: Value = None) -> Value:
        return _filled(g, size, value, dtype)

    return rule


def _full(g: TorchGraph, size: Value, value: Value, dtype: Value = None, *rest: Value) -> Traced:
    return _filled(g, size, value, dtype)


def _full_like(g: TorchGraph, x: Traced, value: Value, *rest: Value) -> Traced:
    return _filled(g, list(g.sizes(x)), value)


def _arange(g: TorchGraph, *bounds: Value, dtype: Value = None) -> Traced:
    """``arange(end)``, ``(start, end)`` or ``(start, end, step)``; options follow by place too."""
    numbers = [b for b in bounds if isinstance(b, int | float | Traced) and type(b) is not bool]
    if len(bounds) > 4:  # end, or start and end (and step), then type, layout, device, pinned
        numbers, dtype = list(bounds[:-4]), bounds[-4]
    start, end, step = (0, *numbers, 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    found = g.add("Range", [g.like(v, start) for v in (start, end, step)])
    return cast(g, found, dtype)


def _tensor(g: TorchGraph, value: Value, dtype: Value = None) -> Traced:
    if isinstance(value, list | tuple) and any(isinstance(v, Traced) for v in value):
        return cast(g, g.integers(value), dtype)
    return value if isinstance(value, Traced) else cast(g, g.constant(value), dtype)


def _copied(g: TorchGraph, x: Traced, source: Traced, *rest: Value) -> Traced:
    """``copy_``: the source in the target's shape."""
    shape = g.shape(x)
    if shape is None or shape == g.shape(source):
        return same(g, source)
    return expand(g, source, list(g.sizes(x)))


def _triangle(upper: int) -> Rule:
    def rule(g: TorchGraph, x: Traced, diagonal: int = 0) -> Traced:
        return g.add("Trilu", [x, np.asarray(diagonal, np.int64)], {"upper": upper})

    return rule


def _eye(g: TorchGraph, rows: int, *rest: Value, dtype: Value = None) -> Traced:
    """``eye(n)`` or ``eye(n, m)``, small ones; four options may follow by place."""
    columns = rest[0] if len(rest) in (1, 5) else rows
    if type(columns) is not int or not 0 <= rows * columns <= MOST_VALUES:
        raise ValueError("a large matrix")
    return cast(g, g.constant(np.eye(rows, columns, dtype=np.float32)), dtype)


FILLS: dict[str, Rule] = {
    "pad": _pad,
    "constant_pad_nd": _padding("constant"),
    "pixel_shuffle": _pixel_shuffle,
    "channel_shuffle": _channel_shuffle,
    "to": _to,
    "type_as": _cast_like,
    "arange": _arange,
    "tensor": _tensor,
    "scalar_tensor": _tensor,
    "as_tensor": _tensor,
    "copy_": _copied,
    "eye": _eye,
    "triu": _triangle(1),
    "tril": _triangle(0),
    "full": _full,
    "full_like": _full_like,
    "fill_": lambda g, x, value: _filled(g, g.sizes(x), value),
    "zero_": lambda g, x: _filled(g, g.sizes(x), 0.0),
    **dict.fromkeys(("zeros", "empty"), _constant(0.0)),
    "ones": _constant(1.0),
    **dict.fromkeys(("zeros_like", "empty_like"), _constant_like(0.0)),
    "ones_like": _constant_like(1.0),
    **dict.fromkeys(("new_zeros", "new_empty"), _new(0.0)),
    "new_ones": _new(1.0),
    "upsample_linear1d": _smooth("linear"),
    "upsample_bilinear2d": _smooth("linear"),
    "upsample_trilinear3d": _smooth("linear"),
    "upsample_bicubic2d": _smooth("cubic"),
    "_upsample_bilinear2d_aa": _smooth("linear"),
    "_upsample_bicubic2d_aa": _smooth("cubic"),
}
for _n in (1, 2, 3):
    FILLS[f"upsample_nearest{_n}d"] = _nearest("asymmetric", "floor")
    FILLS[f"_upsample_nearest_exact{_n}d"] = _nearest("half_pixel", "round_prefer_ceil")
    FILLS[f"reflection_pad{_n}d"] = _padding("reflect")
    FILLS[f"replication_pad{_n}d"] = _padding("replicate")
