"""Keras' layers that slide over space, in ONNX's words [Keras layers API]."""

from __future__ import annotations

from typing import Any

from assay.vocabularies.keras.layer import Layer, Rule
from assay.vocabularies.windows import same

_RANKS = (1, 2, 3)


def _rank(layer: Layer) -> int:
    """Axes of space, by the class's name: MaxPooling2D, Conv2DTranspose."""
    digits = [c for c in layer.call.kind if c.isdigit()]
    return int(digits[0]) if digits and digits[0] in "123" else 2


def _conv(layer: Layer) -> str:
    weight, bias = layer.weight("kernel"), layer.weight("bias")
    if not weight:
        return layer.opaque()
    options = _padded(layer, weight) | {"group": layer.integer("groups", 1)}
    return layer.moved(_rank(layer), "Conv", [weight, *([bias] if bias else [])], options)


def _depthwise(layer: Layer) -> str:
    weight = layer.weight("depthwise_kernel") or layer.weight("kernel")
    bias = layer.weight("bias")
    if not weight:
        return layer.opaque()
    options = _padded(layer, weight) | {"group": _groups(layer, weight)}
    return layer.moved(_rank(layer), "Conv", [weight, *([bias] if bias else [])], options)


def _separable(layer: Layer) -> str:
    depthwise, pointwise = layer.weight("depthwise_kernel"), layer.weight("pointwise_kernel")
    bias = layer.weight("bias")
    if not depthwise or not pointwise:
        return layer.opaque()
    options = _padded(layer, depthwise) | {"group": _groups(layer, depthwise)}
    layer.x = layer.moved(_rank(layer), "Conv", [depthwise], options)
    return layer.moved(_rank(layer), "Conv", [pointwise, *([bias] if bias else [])])


def _groups(layer: Layer, weight: str) -> int:
    return layer.length(weight, 0) // max(layer.integer("depth_multiplier", 1), 1)


def _padded(layer: Layer, weight: str) -> dict[str, Any]:
    """Strides, dilations and padding; a causal one is an operator before the convolution."""
    rank = _rank(layer)
    strides, dilations = layer.ints("strides", rank), layer.ints("dilation_rate", rank)
    if layer.option("padding") == "same":
        padding = same(layer.shape(weight)[2:], strides, dilations)
        return {"strides": strides, "dilations": dilations, **padding}
    options = layer.window(rank) | {"dilations": dilations}
    if layer.option("padding") == "causal":
        reach = (layer.length(weight, -1) - 1) * dilations[0]
        layer.x = layer.moved(rank, "Pad", [layer.constant([0, 0, reach, 0, 0, 0])])
    return options


def _transpose(layer: Layer) -> str:
    found, bias = layer.variable("kernel"), layer.weight("bias")
    if found is None or len(found.shape) < 3:
        return layer.opaque()
    outputs, inputs, *space = found.shape
    rank = _rank(layer)
    weight = layer.build.weight(found, (inputs, outputs, *space))  # as ONNX has it
    options = layer.window(rank) | {"dilations": layer.ints("dilation_rate", rank)}
    options |= _beyond(layer, rank, tuple(space))
    return layer.moved(rank, "ConvTranspose", [weight, *([bias] if bias else [])], options)


def _beyond(layer: Layer, rank: int, kernel: tuple[int, ...]) -> dict[str, Any]:
    """What makes the result of a transposed convolution longer or shorter than ONNX's own."""
    strides, more = layer.ints("strides", rank), layer.ints("output_padding", rank, 0)
    given, sizes = layer.option("output_padding") is not None, _space(layer, rank)
    if layer.option("padding") != "same":
        gaps = (max(s - k, 0) for k, s in zip(kernel, strides, strict=True))
        return {"output_padding": more if given else tuple(gaps)}
    if not given or not sizes:
        return {}
    ends = zip(sizes, strides, kernel, more, strict=True)
    return {"output_shape": tuple((n - 1) * s + k - 2 * (k // 2) + m for n, s, k, m in ends)}


def _pool(layer: Layer) -> str:
    rank = _rank(layer)
    op = "MaxPool" if layer.call.kind.startswith("Max") else "AveragePool"
    kernel = layer.ints("pool_size", rank, 2)
    options = layer.window(rank) | {"kernel_shape": kernel}
    if layer.option("strides") is None:
        options["strides"] = kernel
    return layer.moved(rank, op, [], options)


def _global_pool(layer: Layer) -> str:
    rank = _rank(layer)
    op = "GlobalMaxPool" if "Max" in layer.call.kind else "GlobalAveragePool"
    pooled = layer.moved(rank, op, [])
    if layer.option("keepdims"):
        return pooled
    start = 2 if layer.is_first else 1
    return layer.add("Squeeze", [pooled, layer.constant(list(range(start, start + rank)))])


def _adaptive_pool(layer: Layer) -> str:
    """Into windows of one size where the output divides the input; opaque elsewhere."""
    rank = _rank(layer)
    space = _space(layer, rank)
    wanted = layer.ints("output_size", rank)
    if not space or any(w < 1 or s % w for s, w in zip(space, wanted, strict=False)):
        return layer.opaque()
    kernel = tuple(s // w for s, w in zip(space, wanted, strict=False))
    op = "MaxPool" if "Max" in layer.call.kind else "AveragePool"
    return layer.moved(rank, op, [], {"kernel_shape": kernel, "strides": kernel})


def _pairs(layer: Layer, name: str) -> list[tuple[int, int]]:
    """Before and behind each axis of space."""
    rank, value = _rank(layer), layer.option(name)
    if isinstance(value, int):
        return [(value, value)] * rank
    if not isinstance(value, list):
        return [(1, 1)] * rank
    if rank == 1 and len(value) == 2 and all(isinstance(v, int) for v in value):
        return [(value[0], value[1])]
    pairs = [v if isinstance(v, list) and len(v) == 2 else [v, v] for v in value]
    whole = len(pairs) == rank and all(isinstance(v, int) for pair in pairs for v in pair)
    return [(a, b) for a, b in pairs] if whole else [(0, 0)] * rank


def _zero_pad(layer: Layer) -> str:
    pairs = _pairs(layer, "padding")
    pads = [0, 0, *(p[0] for p in pairs), 0, 0, *(p[1] for p in pairs)]
    return layer.moved(_rank(layer), "Pad", [layer.constant(pads)])


def _crop(layer: Layer) -> str:
    pairs = _pairs(layer, "cropping")
    starts = [pair[0] for pair in pairs]
    ends = [-pair[1] if pair[1] else 2**31 - 1 for pair in pairs]
    axes = list(range(2, 2 + len(pairs)))
    others = [layer.constant(values) for values in (starts, ends, axes)]
    return layer.moved(_rank(layer), "Slice", others)


def _upsample(layer: Layer) -> str:
    rank = _rank(layer)
    sizes = layer.ints("size", rank, 2)
    space = _space(layer, rank)
    return _resized(layer, [s * size for s, size in zip(space, sizes, strict=False)])


def _resize(layer: Layer) -> str:
    return _resized(layer, [layer.integer("height", 1), layer.integer("width", 1)])


def _resized(layer: Layer, space: list[int]) -> str:
    """To another size; opaque where the size now is not known."""
    shape = layer.shape(layer.x)
    if not space or len(shape) != len(space) + 2:
        return layer.opaque()
    whole = [shape[0], shape[1] if layer.is_first else shape[-1], *space]
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(str(layer.option("interpolation")))
    options = {"mode": mode or "nearest"}
    return layer.moved(len(space), "Resize", ["", "", layer.constant(whole)], options)


def _space(layer: Layer, rank: int) -> tuple[int, ...]:
    """Height, width … of what is read; nothing where unknown."""
    shape = layer.shape(layer.x)
    if len(shape) != rank + 2:
        return ()
    return shape[2:] if layer.is_first else shape[1:-1]


RULES: dict[str, Rule] = {
    **{f"Conv{rank}D": _conv for rank in _RANKS},
    **{f"DepthwiseConv{rank}D": _depthwise for rank in _RANKS},
    **{f"SeparableConv{rank}D": _separable for rank in _RANKS},
    **{f"Conv{rank}DTranspose": _transpose for rank in _RANKS},
    **{f"{kind}Pooling{rank}D": _pool for kind in ("Max", "Average") for rank in _RANKS},
    **{f"Global{kind}Pooling{r}D": _global_pool for kind in ("Max", "Average") for r in _RANKS},
    **{f"Adaptive{kind}Pooling{r}D": _adaptive_pool for kind in ("Max", "Average") for r in _RANKS},
    **{f"ZeroPadding{rank}D": _zero_pad for rank in _RANKS},
    **{f"Cropping{rank}D": _crop for rank in _RANKS},
    **{f"UpSampling{rank}D": _upsample for rank in _RANKS},
    "Resizing": _resize,
}
