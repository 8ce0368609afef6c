"""Keras' layers that keep the shape, and products: dense, norms, activations, joins [Keras]."""

from __future__ import annotations

import numpy as np

from assay.vocabularies.keras.layer import Layer, Rule

_JOINS = {
    "Add": "Add",
    "Multiply": "Mul",
    "Average": "Mean",
    "Maximum": "Max",
    "Minimum": "Min",
    "Subtract": "Sub",
}
_MODES = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}  # of Keras 1
NOTHING = frozenset(
    [
        *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"),
        *("GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity", "Masking"),
        *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast"),
        *("RandomBrightness", "RandomCrop", "RandomHeight", "RandomWidth", "StopGradient"),
    ]
)  # what is done in training only, or to masks


def _dense(layer: Layer) -> str:
    kernel, bias = layer.weight("kernel"), layer.weight("bias")
    if not kernel:
        return layer.opaque()
    return layer.product(layer.x, kernel, bias)


def _axis(layer: Layer) -> int:
    """The only axis that the layer treats apart, counted from the front; -1 where unknown."""
    axis, rank = layer.config.get("axis", -1), layer.rank()
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if not isinstance(axis, int) or not rank:
        return -1
    return axis + rank if axis < 0 else axis


def _batch_norm(layer: Layer) -> str:
    mean, variance = layer.weight("moving_mean"), layer.weight("moving_variance")
    if not mean or not variance:
        return layer.opaque()
    size = layer.shape(mean)
    gamma = layer.weight("gamma") or layer.constant(np.ones(size, np.float32))
    beta = layer.weight("beta") or layer.constant(np.zeros(size, np.float32))
    options = {"epsilon": layer.real("epsilon", 1e-3)}
    inputs = [gamma, beta, mean, variance]
    rank = layer.rank()
    layer.is_first = rank <= 2 or _axis(layer) == 1
    return layer.moved(rank - 2, "BatchNormalization", inputs, options)


def _layer_norm(layer: Layer) -> str:
    scale, shift = layer.weight("gamma") or layer.weight("scale"), layer.weight("beta")
    is_root = layer.call.kind == "RMSNormalization" or layer.config.get("rms_scaling")
    op = "RMSNormalization" if is_root else "LayerNormalization"
    first = min(layer.listed("axis") or (layer.integer("axis", -1),))
    options = {"epsilon": layer.real("epsilon", 1e-3), "axis": first}
    return layer.add(op, [layer.x, *(name for name in (scale, shift) if name)], options)


def _group_norm(layer: Layer) -> str:
    scale, shift, rank = layer.weight("gamma"), layer.weight("beta"), layer.rank()
    if not scale or not shift or rank < 3:
        return layer.opaque()
    layer.is_first = _axis(layer) == 1
    groups = layer.integer("groups", 32)
    channels = layer.length(scale, 0)
    options = {
        "epsilon": layer.real("epsilon", 1e-3),
        "num_groups": channels if groups == -1 else groups,
    }
    return layer.moved(rank - 2, "GroupNormalization", [scale, shift], options)


def _unit_norm(layer: Layer) -> str:
    return layer.add("LpNormalization", [layer.x], {"axis": _axis(layer)})


def _activation(layer: Layer) -> str:
    return layer.x  # the layer's own activation is added to every layer


def _relu(layer: Layer) -> str:
    highest, slope = layer.config.get("max_value"), layer.real("negative_slope", 0.0)
    if layer.real("threshold", 0.0) or (slope and highest is not None):
        return layer.opaque()
    if isinstance(highest, int | float):
        return layer.clip(layer.x, 0.0, float(highest))
    return layer.add("LeakyRelu", [layer.x], {"alpha": slope}) if slope else _plain(layer, "Relu")


def _plain(layer: Layer, op: str) -> str:
    return layer.add(op, [layer.x])


def _leaky(layer: Layer) -> str:
    if layer.call.kind == "ELU":
        return layer.add("Elu", [layer.x], {"alpha": layer.real("alpha", 1.0)})
    alpha = layer.real("negative_slope", layer.real("alpha", 0.3))
    return layer.add("LeakyRelu", [layer.x], {"alpha": alpha})


def _thresholded(layer: Layer) -> str:
    return layer.add("ThresholdedRelu", [layer.x], {"alpha": layer.real("theta", 1.0)})


def _prelu(layer: Layer) -> str:
    """Slopes lie as the tensor does; in the canonical layout their channels come first."""
    slope, rank = layer.variable("alpha"), layer.rank()
    if slope is None:
        return layer.opaque()
    if rank > 2 and len(slope.shape) == rank - 1:
        layer.is_first = False
        return layer.moved(rank - 2, "PRelu", [layer.build.weight(slope)])
    return layer.add("PRelu", [layer.x, layer.build.weight(slope)])


def _softmax(layer: Layer) -> str:
    return layer.add("Softmax", [layer.x], {"axis": layer.integer("axis", -1)})


def _join(layer: Layer) -> str:
    """All inputs, two and two; an average is a sum that is divided."""
    op, inputs = _JOINS[layer.call.kind], layer.call.inputs
    result = inputs[0]
    for other in inputs[1:]:
        result = layer.add("Add" if op == "Mean" else op, [result, other])
    return layer.add("Div", [result, layer.number(len(inputs))]) if op == "Mean" else result


def _old_join(layer: Layer) -> str:
    """The one class of Keras 1 for all joins."""
    mode = str(layer.config.get("mode"))
    if mode == "concat":
        return concatenated(layer, layer.config.get("concat_axis", -1))
    if mode not in _MODES:
        return layer.opaque()
    layer.call.kind = _MODES[mode]
    return _join(layer)


def _concatenate(layer: Layer) -> str:
    return concatenated(layer, layer.config.get("axis", -1))


def concatenated(layer: Layer, axis: object) -> str:
    """Joined along an axis; channels first where all of the parts have them so too."""
    build, inputs = layer.build, layer.call.inputs
    number = axis if isinstance(axis, int) else -1
    if number in (-1, build.rank(inputs[0]) - 1) and all(name in build.twins for name in inputs):
        joined = layer.add("Concat", [build.twins[name] for name in inputs], {"axis": 1})
        return build.last(joined)
    return layer.add("Concat", inputs, {"axis": number})


def _dot(layer: Layer) -> str:
    """The product of two tensors along one axis each; of matrices only."""
    axes = layer.config.get("axes")
    both = axes if isinstance(axes, list) and len(axes) == 2 else [axes, axes]
    ranks = [layer.build.rank(name) for name in layer.call.inputs]
    if ranks != [3, 3] or not all(isinstance(axis, int) for axis in both):
        return layer.opaque()
    left, right = layer.call.inputs
    left = left if both[0] in (2, -1) else layer.build.transpose(left, (0, 2, 1))
    right = right if both[1] == 1 else layer.build.transpose(right, (0, 2, 1))
    return layer.add("MatMul", [left, right])


def _rescale(layer: Layer) -> str:
    scaled = layer.add("Mul", [layer.x, layer.number(layer.real("scale", 1.0))])
    return layer.add("Add", [scaled, layer.number(layer.real("offset", 0.0))])


def _normalize(layer: Layer) -> str:
    """By mean and variance that the options or the file hold."""
    mean, variance = layer.config.get("mean"), layer.config.get("variance")
    if not _is_numbers(mean) or not _is_numbers(variance):
        names = [layer.weight("mean"), layer.weight("variance")]
        if not all(names):
            return layer.opaque()
        root = layer.add("Sqrt", [names[1]])
        return layer.add("Div", [layer.add("Sub", [layer.x, names[0]]), root])
    center = layer.constant(np.array(mean, np.float32))
    spread = np.sqrt(np.maximum(np.array(variance, np.float64), 0.0))
    shifted = layer.add("Sub", [layer.x, center])
    return layer.add("Div", [shifted, layer.constant(np.maximum(spread, 1e-7).astype(np.float32))])


def _is_numbers(value: object) -> bool:
    if isinstance(value, list):
        return 0 < len(value) <= 10_000 and all(isinstance(v, int | float) for v in value)
    return isinstance(value, int | float)


RULES: dict[str, Rule] = {
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _layer_norm),
    "GroupNormalization": _group_norm,
    "UnitNormalization": _unit_norm,
    "Activation": _activation,
    "ReLU": _relu,
    **dict.fromkeys(("LeakyReLU", "ELU"), _leaky),
    "ThresholdedReLU": _thresholded,
    "PReLU": _prelu,
    "Softmax": _softmax,
    **dict.fromkeys(_JOINS, _join),
    "Merge": _old_join,
    "Concatenate": _concatenate,
    "Dot": _dot,
    "Rescaling": _rescale,
    "Normalization": _normalize,
}
