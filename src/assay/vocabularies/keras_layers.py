"""Keras' layers in ONNX's words [Keras layers API].

Keras keeps channels last; a convolution becomes one with channels first between two transpositions,
which the graph passes drop.  A class that is not listed stays opaque in the domain ``keras``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from assay.vocabularies.keras_model import Call, KerasModel

_ACTIVATIONS = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "elu": "Elu",
    "selu": "Selu",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "softmax": "Softmax",
    "exponential": "Exp",
    "gelu": "Gelu",
    "mish": "Mish",
    "hard_sigmoid": "HardSigmoid",
}
_JOINS = {
    "Add": "Sum",
    "Multiply": "Mul",
    "Average": "Mean",
    "Maximum": "Max",
    "Minimum": "Min",
    "Subtract": "Sub",
}
_NOTHING = frozenset(
    [
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "ActivityRegularization",
        "Identity",
    ]
)


def translate(model: KerasModel, call: Call) -> str:
    """The call's result, its operators added to the model's graph."""
    layer = _Layer(model, call)
    kind = call.kind
    if kind in _RULES:
        return layer.activated(_RULES[kind](layer))
    if kind in _NOTHING:
        return layer.x
    if kind in _JOINS:
        inputs, op = call.inputs, _JOINS[kind]
        if op == "Mul":
            result = inputs[0]
            for other in inputs[1:]:
                result = layer.add("Mul", [result, other])
            return result
        return layer.add("Add" if op == "Sum" and len(inputs) == 2 else op, inputs)
    weights = [layer.weight(name) for name in call.variables]
    return layer.add(f"keras::{kind}"[:200], [*call.inputs, *weights])


class _Layer:
    """One call, its options at hand."""

    def __init__(self, model: KerasModel, call: Call) -> None:
        self.model, self.call, self.build = model, call, model.build
        self.config = call.config
        self.x = call.inputs[0]
        self.first = self.config.get("data_format") == "channels_first"

    def add(self, op: str, inputs: list[str], attributes: Mapping[str, Any] | None = None) -> str:
        return self.build.add(op, inputs, self.build.fresh(self.call.name), attributes)

    def weight(self, name: str) -> str:
        """The tensor of one of the layer's variables, in the canonical layout; "" without one."""
        path = self.call.variables.get(name)
        if path is None:
            return ""
        return self.build.weight(self.model.variables.settle(path, self.call.kind, name))

    def shape(self, tensor: str) -> tuple[int, ...]:
        return self.build.tensors[tensor].shape or () if tensor else ()

    def ints(self, name: str, rank: int, usual: int = 1) -> tuple[int, ...]:
        value = self.config.get(name)
        if isinstance(value, int):
            return (value,) * rank
        if isinstance(value, list) and all(isinstance(v, int) for v in value):
            return tuple(value)
        return (usual,) * rank

    def real(self, name: str, usual: float) -> float:
        value = self.config.get(name)
        return float(value) if isinstance(value, int | float) else usual

    def moved(self, rank: int, op: str, others: list[str], attributes: Mapping[str, Any]) -> str:
        """An operator that wants channels first, on a tensor of ``rank`` axes of space."""
        if self.first:
            return self.add(op, [self.x, *others], attributes)
        done = self.add(op, [self.build.first(self.x, rank), *others], attributes)
        return self.build.last(done, self.build.fresh(self.call.name))

    def window(self, rank: int, strides: str = "strides") -> dict[str, Any]:
        padding = str(self.config.get("padding", self.config.get("border_mode", "valid")))
        found: dict[str, Any] = {"strides": self.ints(strides, rank)}
        if padding == "causal":
            return found
        return found | {"auto_pad": "SAME_UPPER" if padding == "same" else "VALID"}

    def activated(self, tensor: str) -> str:
        """The tensor after the layer's own activation."""
        name = self.config.get("activation")
        if self.call.kind in ("LSTM", "GRU", "SimpleRNN") or name in (None, "linear"):
            return tensor
        return self.activation(tensor, str(name))

    def activation(self, tensor: str, name: str) -> str:
        if name in ("swish", "silu"):
            return self.add("Mul", [tensor, self.add("Sigmoid", [tensor])])
        if name == "relu6":
            return self.clip(tensor, 0.0, 6.0)
        op = _ACTIVATIONS.get(name, f"keras::{name}"[:200])
        return self.add(op, [tensor], {"axis": -1} if op == "Softmax" else {})

    def clip(self, tensor: str, low: float, high: float) -> str:
        bounds = [self.build.constant(np.float32(b)) for b in (low, high)]
        return self.add("Clip", [tensor, *bounds])


def _conv(layer: _Layer) -> str:
    depthwise = layer.call.kind.startswith("Depthwise")
    weight = layer.weight("depthwise_kernel") or layer.weight("kernel")
    bias = layer.weight("bias")
    shape = layer.shape(weight)
    rank = len(shape) - 2 if weight else 2
    attributes = layer.window(rank) | {"dilations": layer.ints("dilation_rate", rank)}
    if depthwise and shape:
        multiples = layer.ints("depth_multiplier", 1)[0]
        attributes["group"] = shape[0] // max(multiples, 1)
    else:
        attributes["group"] = layer.ints("groups", 1)[0]
    if layer.config.get("padding") == "causal" and shape:
        reach = (shape[-1] - 1) * attributes["dilations"][0]
        pads = layer.build.constant([0, reach, 0, 0, 0, 0])
        layer.x = layer.add("Pad", [layer.x, pads])
    return layer.moved(rank, "Conv", [weight, *([bias] if bias else [])], attributes)


def _separable(layer: _Layer) -> str:
    depthwise, pointwise = layer.weight("depthwise_kernel"), layer.weight("pointwise_kernel")
    bias, shape = layer.weight("bias"), layer.shape(depthwise)
    rank = max(len(shape) - 2, 1)
    groups = shape[0] // max(layer.ints("depth_multiplier", 1)[0], 1) if shape else 1
    options = layer.window(rank) | {"dilations": layer.ints("dilation_rate", rank)}
    layer.x = layer.moved(rank, "Conv", [depthwise], options | {"group": groups})
    return layer.moved(rank, "Conv", [pointwise, *([bias] if bias else [])], {})


def _conv_transpose(layer: _Layer) -> str:
    weight, bias = layer.weight("kernel"), layer.weight("bias")
    shape = layer.shape(weight)
    if weight:  # ONNX has the input's axis first
        name = layer.call.variables["kernel"]
        found = layer.model.variables.by_path[name]
        layer.build.weight(found, (shape[1], shape[0], *shape[2:]))
    rank = len(shape) - 2 if weight else 2
    others = [weight, *([bias] if bias else [])]
    return layer.moved(rank, "ConvTranspose", others, layer.window(rank))


def _dense(layer: _Layer) -> str:
    if not layer.weight("kernel"):
        return layer.add("keras::Dense", [layer.x])
    turned = layer.build.transpose(layer.weight("kernel"), (1, 0))
    product = layer.add("MatMul", [layer.x, turned])
    bias = layer.weight("bias")
    return layer.add("Add", [product, bias]) if bias else product


def _batch_norm(layer: _Layer) -> str:
    mean = layer.weight("moving_mean")
    size = layer.shape(mean)
    gamma = layer.weight("gamma") or layer.build.constant(np.ones(size, np.float32))
    beta = layer.weight("beta") or layer.build.constant(np.zeros(size, np.float32))
    names = [gamma, beta, mean, layer.weight("moving_variance")]
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and axis else axis
    layer.first = axis == 1
    rank = 0 if layer.first else axis - 1 if isinstance(axis, int) and axis > 1 else -1
    attributes = {"epsilon": layer.real("epsilon", 1e-3)}
    if rank <= 0 and not layer.first:  # the last axis, of a tensor of unknown rank
        rank = layer.build.rank(layer.x) - 2
        if rank <= 0 or rank > 3:
            return layer.add("BatchNormalization", [layer.x, *names], attributes)
    return layer.moved(rank, "BatchNormalization", names, attributes)


def _layer_norm(layer: _Layer) -> str:
    names = [name for name in (layer.weight("gamma"), layer.weight("beta")) if name]
    attributes = {"epsilon": layer.real("epsilon", 1e-3), "axis": -1}
    return layer.add("LayerNormalization", [layer.x, *names], attributes)


def _pool(layer: _Layer) -> str:
    rank = int(layer.call.kind[-2])
    op = "MaxPool" if layer.call.kind.startswith("Max") else "AveragePool"
    kernel = layer.ints("pool_size", rank, 2)
    attributes = layer.window(rank) | {"kernel_shape": kernel}
    if layer.config.get("strides") is None:
        attributes["strides"] = kernel
    return layer.moved(rank, op, [], attributes)


def _global_pool(layer: _Layer) -> str:
    rank = int(layer.call.kind[-2])
    op = "GlobalMaxPool" if "Max" in layer.call.kind else "GlobalAveragePool"
    keeps = bool(layer.config.get("keepdims"))
    pooled = layer.moved(rank, op, [], {})
    start = 2 if layer.first else 1
    axes = layer.build.constant(list(range(start, start + rank)))
    return pooled if keeps else layer.add("Squeeze", [pooled, axes])


def _activation(layer: _Layer) -> str:
    return layer.x  # the layer's own activation is added to every layer


def _relu(layer: _Layer) -> str:
    highest, slope = layer.config.get("max_value"), layer.real("negative_slope", 0.0)
    if isinstance(highest, int | float):
        return layer.clip(layer.x, 0.0, float(highest))
    return (
        layer.add("LeakyRelu", [layer.x], {"alpha": slope})
        if slope
        else layer.add("Relu", [layer.x])
    )


def _leaky(layer: _Layer) -> str:
    alpha = layer.real("negative_slope", layer.real("alpha", 0.3))
    op = "Elu" if layer.call.kind == "ELU" else "LeakyRelu"
    return layer.add(op, [layer.x], {"alpha": alpha})


def _prelu(layer: _Layer) -> str:
    return layer.add("PRelu", [layer.x, layer.weight("alpha")])


def _softmax(layer: _Layer) -> str:
    return layer.add("Softmax", [layer.x], {"axis": layer.ints("axis", 1, -1)[0]})


def _flatten(layer: _Layer) -> str:
    return layer.add("Flatten", [layer.x])


def _reshape(layer: _Layer) -> str:
    target = layer.build.constant([0, *layer.ints("target_shape", 1, -1)])
    return layer.add("Reshape", [layer.x, target])


def _permute(layer: _Layer) -> str:
    return layer.build.transpose(layer.x, (0, *layer.ints("dims", 1)))


def _concatenate(layer: _Layer) -> str:
    axis, build, inputs = layer.config.get("axis", -1), layer.build, layer.call.inputs
    axis = axis if isinstance(axis, int) else -1
    if axis in (-1, build.rank(inputs[0]) - 1) and all(name in build.twins for name in inputs):
        joined = layer.add("Concat", [build.twins[name] for name in inputs], {"axis": 1})
        return build.last(joined)
    return layer.add("Concat", inputs, {"axis": axis})


def _zero_pad(layer: _Layer) -> str:
    rank = int(layer.call.kind[-2])
    value = layer.config.get("padding", 1)
    pairs = (
        [v if isinstance(v, list) else [v, v] for v in value]
        if isinstance(value, list)
        else [[value, value]] * rank
    )
    if rank == 1 and isinstance(value, list):
        pairs = [value]
    pads = [0, 0, *(p[0] for p in pairs), 0, 0, *(p[1] for p in pairs)]
    return layer.moved(rank, "Pad", [layer.build.constant(pads)], {})


def _crop(layer: _Layer) -> str:
    return layer.add("Slice", [layer.x])


def _upsample(layer: _Layer) -> str:
    rank = int(layer.call.kind[-2])
    scales = layer.build.constant(np.array([1, 1, *layer.ints("size", rank, 2)], np.float32))
    mode = "linear" if layer.config.get("interpolation") == "bilinear" else "nearest"
    return layer.moved(rank, "Resize", ["", scales], {"mode": mode})


def _embedding(layer: _Layer) -> str:
    return layer.add("Gather", [layer.weight("embeddings"), layer.x])


def _recurrent(layer: _Layer) -> str:
    """One direction: ONNX wants time first, a leading axis of directions, and two biases."""
    op = {"SimpleRNN": "RNN"}.get(layer.call.kind, layer.call.kind)
    names = [layer.weight(name) for name in ("kernel", "recurrent_kernel")]
    axes = layer.build.constant([0])
    inputs = [layer.build.transpose(layer.x, (1, 0, 2))]
    inputs += [layer.add("Unsqueeze", [name, axes]) for name in names]
    hidden = layer.shape(names[1])[1:] or (1,)
    whole, end = layer.build.fresh(layer.call.name), layer.build.fresh(layer.call.name)
    layer.build.add(op, inputs, [whole, end], {"hidden_size": hidden[0]})
    if not layer.config.get("return_sequences"):
        return layer.add("Squeeze", [end, axes])
    time = layer.add("Squeeze", [whole, layer.build.constant([1])])
    return layer.build.transpose(time, (1, 0, 2))


def _rescale(layer: _Layer) -> str:
    scale = layer.build.constant(np.float32(layer.real("scale", 1.0)))
    shift = layer.build.constant(np.float32(layer.real("offset", 0.0)))
    return layer.add("Add", [layer.add("Mul", [layer.x, scale]), shift])


_RULES: dict[str, Callable[[_Layer], str]] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "Convolution2D"), _conv),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _conv),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _conv_transpose),
    "Dense": _dense,
    **dict.fromkeys(("BatchNormalization", "BatchNormalizationV1"), _batch_norm),
    "LayerNormalization": _layer_norm,
    **dict.fromkeys([f"{k}Pooling{r}D" for k in ("Max", "Average") for r in (1, 2, 3)], _pool),
    **dict.fromkeys(
        [f"Global{k}Pooling{r}D" for k in ("Max", "Average") for r in (1, 2, 3)], _global_pool
    ),
    "Activation": _activation,
    "ReLU": _relu,
    **dict.fromkeys(("LeakyReLU", "ELU"), _leaky),
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Concatenate": _concatenate,
    **dict.fromkeys([f"ZeroPadding{r}D" for r in (1, 2, 3)], _zero_pad),
    **dict.fromkeys([f"Cropping{r}D" for r in (1, 2, 3)], _crop),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D", "UpSampling3D"), _upsample),
    "Embedding": _embedding,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _recurrent),
    "Rescaling": _rescale,
}
