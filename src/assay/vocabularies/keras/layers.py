"""Keras' layers in ONNX's words [Keras layers API].

The rules of each class of layers are in ``convolutions``, ``sequences``, ``elementwise`` and
``functions``; here are those that only move elements, and the choice.  A class that is not listed
stays opaque in the domain ``keras``, with its weights.
"""

from __future__ import annotations

import re

from assay.vocabularies.keras import convolutions, elementwise, functions, sequences
from assay.vocabularies.keras.layer import Layer, Rule
from assay.vocabularies.keras.model import Call, KerasModel

_ALIASES = {
    **{f"Convolution{rank}D": f"Conv{rank}D" for rank in (1, 2, 3)},
    **dict.fromkeys(("AtrousConvolution1D", "AtrousConv1D"), "Conv1D"),
    **dict.fromkeys(("AtrousConvolution2D", "AtrousConv2D"), "Conv2D"),
    **dict.fromkeys(("Deconvolution2D", "Deconv2D", "Convolution2DTranspose"), "Conv2DTranspose"),
    "Deconvolution3D": "Conv3DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "SyncBatchNormalization": "BatchNormalization",
}
_OWN_ACTIVATION = frozenset(  # these use their activation inside
    {"LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "RNN", "ConvLSTM2D", "EinsumDense"}
)


def translate(model: KerasModel, call: Call) -> list[str]:
    """The results of a call, its operators added to the model's graph."""
    call.kind = _ALIASES.get(call.kind, re.sub(r"V[12]$", "", call.kind))
    layer = Layer(model, call)
    if call.kind in elementwise.NOTHING:
        return [layer.x]
    rule = RULES.get(call.kind)
    if call.arguments.numbers and call.kind in functions.RULES:
        rule = functions.RULES[call.kind]
    result = layer.opaque() if rule is None else rule(layer)
    if isinstance(result, list):
        return result
    return [result if call.kind in _OWN_ACTIVATION else layer.activated(result)]


def _flatten(layer: Layer) -> str:
    return layer.add("Flatten", [layer.x])


def _reshape(layer: Layer) -> str:
    if "target_shape" not in layer.config:
        return functions.reshape(layer)
    target = layer.constant([0, *(layer.listed("target_shape") or (-1,))])
    return layer.add("Reshape", [layer.x, target])


def _permute(layer: Layer) -> str:
    return layer.build.transpose(layer.x, (0, *layer.listed("dims")))


def _repeat(layer: Layer) -> str:
    """One vector as a sequence."""
    shape = layer.shape(layer.x)
    if len(shape) != 2:
        return layer.opaque()
    apart = layer.add("Unsqueeze", [layer.x, layer.constant([1])])
    target = layer.constant([shape[0], layer.integer("n", 1), shape[1]])
    return layer.add("Expand", [apart, target])


RULES: dict[str, Rule] = {
    **functions.RULES,
    **convolutions.RULES,
    **sequences.RULES,
    **elementwise.RULES,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "TFOpLambda": functions.function,
}
