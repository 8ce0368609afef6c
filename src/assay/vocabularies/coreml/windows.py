"""Core ML's convolutions, products, normalizations and resizing in ONNX's words [iOS 15 to 18].

Both keep channels first, so most differ in names and in where options stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from assay.vocabularies.coreml.arguments import Op


def _window(op: Op, rank: int) -> dict[str, Any]:
    """Strides, dilations and pads of a sliding window."""
    found: dict[str, Any] = {"strides": tuple(op.numbers("strides") or [1] * rank)}
    if op.numbers("dilations"):
        found["dilations"] = tuple(op.numbers("dilations"))
    kind, pads = op.text("pad_type", "valid"), op.numbers("pad")
    if kind in ("same", "same_lower"):
        found["auto_pad"] = "SAME_LOWER" if kind == "same_lower" else "SAME_UPPER"
    elif kind == "custom" and len(pads) == 2 * rank:
        found["pads"] = (*pads[::2], *pads[1::2])
    return found


def _conv(op: Op) -> None:
    weight = op.one("weight")
    attributes = _window(op, max(op.rank(weight) - 2, 0)) | {"group": op.integer("groups", 1)}
    inputs = [op.one("x"), weight, *op.names("bias")]
    if op.kind == "conv":
        op.emit("Conv", inputs, attributes)
        return
    sizes = op.numbers("output_shape")
    op.emit(
        "ConvTranspose", inputs, attributes | ({"output_shape": tuple(sizes[2:])} if sizes else {})
    )


def _linear(op: Op) -> None:
    turned = op.build.transpose(op.one("weight"), (1, 0))
    inputs = [op.one("x"), turned]
    if op.names("bias"):
        op.emit("Add", [op.build.add("MatMul", inputs), op.one("bias")])
    else:
        op.emit("MatMul", inputs)


def _matmul(op: Op) -> None:
    names, attributes = [], {}
    for key, side in (("x", "A"), ("y", "B")):
        name, rank = op.one(key), op.rank(op.one(key))
        if op.integer(f"transpose_{key}", 0) and rank > 1:
            name = op.build.transpose(name, (*range(rank - 2), rank - 1, rank - 2))
        elif op.integer(f"transpose_{key}", 0):
            attributes[f"trans{side}"] = 1
        names.append(name)
    op.emit("com.microsoft::FusedMatMul" if attributes else "MatMul", names, attributes)


def _einsum(op: Op) -> None:
    op.emit("Einsum", op.names("values"), {"equation": op.text("equation", "")})


def _scales(op: Op, channels: int) -> list[str]:
    """Scale and shift; where the file leaves them out, constants that stand for 1 and 0."""
    return [(op.names(key) or [op.unnamed((channels,))])[0] for key in ("gamma", "beta")]


def _channels(op: Op) -> int:
    shape = op.build.known(op.one("x")).shape or ()
    return max(shape[1], 0) if len(shape) > 1 else 0


def _batch_norm(op: Op) -> None:
    inputs = [op.one("x"), *_scales(op, _channels(op)), op.one("mean"), op.one("variance")]
    op.emit("BatchNormalization", inputs, {"epsilon": op.real("epsilon", 1e-5)})


def _instance_norm(op: Op) -> None:
    inputs = [op.one("x"), *_scales(op, _channels(op))]
    op.emit("InstanceNormalization", inputs, {"epsilon": op.real("epsilon", 1e-5)})


def _layer_norm(op: Op) -> None:
    attributes = {"epsilon": op.real("epsilon", 1e-5), "axis": min(op.numbers("axes"), default=-1)}
    inputs = [op.one("x"), *op.names("gamma"), *op.names("beta")]
    op.emit("LayerNormalization", inputs, attributes)


def _l2_norm(op: Op) -> None:
    """Divided by the root of the sum of squares over the last three axes."""
    x = op.one("x")
    squares = op.build.add("ReduceSumSquare", [x, op.constant([-3, -2, -1])])
    shifted = op.build.add("Add", [squares, op.number(op.real("epsilon", 1e-6))])
    op.emit("Div", [x, op.build.add("Sqrt", [shifted])])


def _local_response_norm(op: Op) -> None:
    attributes = {"size": op.integer("size", 1), "bias": op.real("k", 1.0)}
    attributes |= {"alpha": op.real("alpha", 1e-4), "beta": op.real("beta", 0.75)}
    op.emit("LRN", [op.one("x")], attributes)


def _pool(op: Op) -> None:
    kernel = tuple(op.numbers("kernel_sizes"))
    attributes = _window(op, len(kernel)) | {"kernel_shape": kernel}
    attributes["ceil_mode"] = op.integer("ceil_mode", 0)
    if op.kind == "avg_pool":
        attributes["count_include_pad"] = int(not op.integer("exclude_padding_from_average", 0))
    kinds = {"max_pool": "MaxPool", "avg_pool": "AveragePool", "l2_pool": "LpPool"}
    op.emit(kinds[op.kind], [op.one("x")], attributes)


def _pad(op: Op) -> None:
    """Core ML pads the last axes; ONNX all of them, or those that are named."""
    pads, rank = op.numbers("pad"), op.rank(op.one("x"))
    starts, ends = pads[::2], pads[1::2]
    modes = {"reflect": "reflect", "replicate": "edge"}
    mode = modes.get(op.text("mode", "constant"), "constant")
    inputs = [op.one("x"), op.constant(starts + ends), op.number(op.real("constant_val", 0.0))]
    if 0 < len(starts) <= rank:
        before = [0] * (rank - len(starts))
        inputs[1] = op.constant([*before, *starts, *before, *ends])
    else:
        inputs.append(op.constant(list(range(-len(starts), 0))))
    op.emit("Pad", inputs, {"mode": mode})


def _resize(op: Op) -> None:
    """By factors or to sizes, of height and width."""
    x = op.one("x")
    mode = "nearest" if "nearest" in op.kind else "linear"
    sizes = [op.integer(f"target_size_{side}", 0) for side in ("height", "width")]
    factors = [op.real(f"scale_factor_{side}", 1.0) for side in ("height", "width")]
    shape = op.build.known(x).shape or ()
    if not all(sizes):
        scales = op.constant(np.array([1.0, 1.0, *factors], np.float32))
        op.emit("Resize", [x, "", scales], {"mode": mode})
    elif len(shape) == 4:
        op.emit("Resize", [x, "", "", op.constant([*shape[:2], *sizes])], {"mode": mode})
    else:
        op.emit("Resize", [x, "", "", op.constant(sizes)], {"mode": mode, "axes": (-2, -1)})


def _resize_last(op: Op) -> None:
    """The last axes to the last numbers of a shape; 0 leaves an axis as it is."""
    x, target, count = op.one("x"), op.numbers("shape"), op.integer("resized_dims", 0)
    shape = op.build.known(x).shape or ()
    mode = "nearest" if op.text("interpolation_mode", "LINEAR") == "NEAREST_NEIGHBOR" else "linear"
    if not 0 < count <= min(len(target), len(shape)):
        op.emit("Resize", [x, "", "", op.one("shape")], {"mode": mode})
        return
    start = len(shape) - count
    last = [new or old for new, old in zip(target[-count:], shape[start:], strict=True)]
    op.emit("Resize", [x, "", "", op.constant([*shape[:start], *last])], {"mode": mode})


def _attention(op: Op) -> None:
    op.emit("Attention", [*(op.one(k) for k in ("query", "key", "value")), *op.names("attn_mask")])


RULES: Mapping[str, Callable[[Op], None]] = {
    **dict.fromkeys(("conv", "conv_transpose"), _conv),
    **dict.fromkeys(("max_pool", "avg_pool", "l2_pool"), _pool),
    **dict.fromkeys(("resize_nearest_neighbor", "resize_bilinear"), _resize),
    **dict.fromkeys(("upsample_nearest_neighbor", "upsample_bilinear"), _resize),
    "resize": _resize_last,
    "linear": _linear,
    "matmul": _matmul,
    "einsum": _einsum,
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "layer_norm": _layer_norm,
    "l2_norm": _l2_norm,
    "local_response_norm": _local_response_norm,
    "pad": _pad,
    "scaled_dot_product_attention": _attention,
}
