"""Keras' layers over sequences, in ONNX's words: recurrent ones and attention [Keras layers API].

Keras has the batch first.  ONNX has time first, a leading axis of directions, and both directions
in one operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from assay.vocabularies.keras.cells import CELLS, KERNELS, bias_of, cell_options
from assay.vocabularies.keras.layer import Layer, Rule
from assay.vocabularies.keras.model import class_and_config
from assay.vocabularies.keras.names import called, last_of
from assay.vocabularies.keras.weights import canonical, einsum, projection

_JOINS = {"concat": "Concat", "sum": "Add", "ave": "Mean", "mul": "Mul"}


def _embedding(layer: Layer) -> str:
    table = layer.weight("embeddings")
    return layer.add("Gather", [table, layer.x]) if table else layer.opaque()


def _recurrent(layer: Layer) -> str | list[str]:
    return _one_way(layer, layer.config)


def _one_way(layer: Layer, config: Mapping[str, Any]) -> str | list[str]:
    """A recurrent layer whose cell has a configuration, which may be that of the layer."""
    kind, names = layer.call.kind, [layer.weight(name) for name in KERNELS]
    options = cell_options(layer, kind, config)
    if not all(names) or options is None:
        return layer.opaque()
    given = layer.weight("bias")
    bias = bias_of(layer, kind, given, names[1])
    if given and not bias:
        return layer.opaque()
    axes = layer.constant([0])
    operands = [layer.add("Unsqueeze", [name, axes]) for name in (*names, *bias)]
    backwards = bool(layer.config.get("go_backwards"))
    options["direction"] = "reverse" if backwards else "forward"
    whole, *ends = _run(layer, kind, operands, options)
    states = [layer.add("Squeeze", [end, axes]) for end in ends]
    time = layer.add("Squeeze", [whole, layer.constant([1])])
    if backwards and layer.config.get("return_sequences"):  # in the order of its steps
        numbers = [layer.constant([value]) for value in (-1, -(2**31), 0, -1)]
        time = layer.add("Slice", [time, *numbers])
    result = layer.build.transpose(time, (1, 0, 2))
    result = result if layer.config.get("return_sequences") else states[0]
    return [result, *states] if layer.config.get("return_state") else result


def _run(layer: Layer, kind: str, operands: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    """The operator itself: all steps of all directions, and the states at the end."""
    op = CELLS[kind]
    outputs = [layer.fresh() for _ in range(3 if op == "LSTM" else 2)]
    x = layer.build.transpose(layer.x, (1, 0, 2))
    hidden = layer.length(operands[1], -1)
    layer.build.add(op, [x, *operands], outputs, {"hidden_size": hidden, **options})
    return outputs


def _bidirectional(layer: Layer) -> str | list[str]:
    """Both directions as one operator, where they are of a kind that ONNX has."""
    entry = layer.config.get("layer")
    kind, config = class_and_config(entry) if isinstance(entry, Mapping) else ("", {})
    merge = layer.config.get("merge_mode", "concat")
    is_joined = merge is None or str(merge) in _JOINS
    if kind not in CELLS or not is_joined:
        return layer.opaque()
    sides = [_side(layer, kind, config, part) for part in ("forward", "backward")]
    options = _of_both(layer, kind, config)
    if options is None or not all(sides) or len(sides[0]) != len(sides[1]):
        return layer.opaque()
    axes = layer.constant([0])
    both = []
    for pair in zip(*sides, strict=True):
        parts = [layer.add("Unsqueeze", [name, axes]) for name in pair]
        both.append(layer.add("Concat", parts, {"axis": 0}))
    whole, *ends = _run(layer, kind, both, options)
    if config.get("return_sequences"):  # time, directions, batch, hidden → batch, time, …
        hidden = layer.build.transpose(whole, (2, 0, 1, 3))
        results = _halves(layer, hidden, 2)
    else:
        results = _halves(layer, ends[0], 0)
    states = [half for end in ends for half in _halves(layer, end, 0)]
    if merge is None:
        joined = results
    elif merge == "concat":
        joined = [layer.add("Concat", results, {"axis": -1})]
    else:
        joined = [layer.add(_JOINS[str(merge)], results)]
    return [*joined, *states] if config.get("return_state") else joined


def _halves(layer: Layer, tensor: str, axis: int) -> list[str]:
    """The two directions of a tensor."""
    found = []
    for place in (0, 1):
        numbers = [layer.constant([value]) for value in (place, place + 1, axis)]
        part = layer.add("Slice", [tensor, *numbers])
        found.append(layer.add("Squeeze", [part, numbers[2]]))
    return found


def _side(layer: Layer, kind: str, config: Mapping[str, object], part: str) -> list[str]:
    """The operands of one direction; none where the file does not have them."""
    group = layer.call.folder
    if group is None:
        return []
    inner = group.nearest(f"{part}_layer")
    if inner is None:
        name = str(config.get("name", "")).removeprefix("forward_")
        inner = group.nearest(f"{part}_{name}")
    if inner is None:
        return []
    variables = called(inner, kind, config)
    change = layer.model.variables.settle
    found = {
        name: change(path, partial(canonical, kind=kind, variable=name))
        for name, path in variables.items()
    }
    names = {name: layer.build.weight(weight) for name, weight in found.items()}
    if any(name not in names for name in KERNELS):
        return []
    given = names.get("bias", "")
    bias = bias_of(layer, kind, given, names[KERNELS[1]])
    return [*(names[name] for name in KERNELS), *bias] if bias or not given else []


def _of_both(layer: Layer, kind: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the operator is told of both directions; None where ONNX has no way to say it."""
    entry = layer.config.get("backward_layer")
    _, other = class_and_config(entry) if isinstance(entry, Mapping) else ("", config)
    there, back = cell_options(layer, kind, config), cell_options(layer, kind, other)
    if there is None or there != back:
        return None
    listed = {name: value * 2 for name, value in there.items() if isinstance(value, tuple)}
    return {**there, **listed, "direction": "bidirectional"}


def _wrapped_cell(layer: Layer) -> str | list[str]:
    """An RNN around one cell is the layer of that cell."""
    kind, config = class_and_config(layer.config.get("cell"))
    kind = kind.removesuffix("Cell")
    if kind not in CELLS:
        return layer.opaque()
    layer.call.kind = kind
    layer.call.variables = called(layer.call.folder, kind, config)
    return _one_way(layer, config)


def _each_step(layer: Layer) -> str | list[str]:
    """A layer on every step: the steps join the batch."""
    shape = layer.shape(layer.x)
    entry = layer.config.get("layer")
    kind, _ = class_and_config(entry)
    if len(shape) < 3 or kind in ("Dense", "Activation", "Dropout"):
        return layer.model.inner(layer.call, entry, "layer", [layer.x])
    joined = layer.constant([shape[0] * shape[1], *shape[2:]])
    x = layer.add("Reshape", [layer.x, joined])
    result = layer.model.inner(layer.call, entry, "layer", [x])[0]
    parted = layer.constant([*shape[:2], *layer.shape(result)[1:]])
    return layer.add("Reshape", [result, parted])


def _wrapped(layer: Layer) -> str | list[str]:
    """What only changes how a layer is trained, or how its weights are kept in bounds."""
    entry = layer.config.get("layer")
    return layer.model.inner(layer.call, entry, "layer", layer.call.inputs)


def _equation(layer: Layer) -> str:
    """A product along axes that an equation names."""
    equation = str(layer.config.get("equation", ""))
    found = layer.variable("kernel", partial(einsum, equation=equation))
    bias = layer.weight("bias")
    left, _, right = equation.partition("->")
    data, _, kernel = left.partition(",")
    made = [letter for letter in right if letter in kernel and letter not in data]
    contracts_last = bool(found) and not right.endswith(data[-1:]) and kernel[:1] == data[-1:]
    if found is None or not found.canonical or not contracts_last or len(made) != 1:
        return layer.activated(layer.opaque())
    return layer.activated(layer.product(layer.x, layer.build.weight(found), bias))


def _attention(layer: Layer) -> str:
    """Softmax attention of several heads, each projection a product with a matrix."""
    query, value = (layer.call.inputs * 2)[:2]
    key = layer.call.inputs[2] if len(layer.call.inputs) > 2 else value
    heads = layer.integer("num_heads", 1)
    parts = [
        _projected(layer, x, name)
        for x, name in zip((query, key, value), ("query", "key", "value"), strict=True)
    ]
    if not all(parts) or layer.rank() != 3:
        return layer.opaque()
    split = []
    for part, axes in zip(parts, ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)), strict=True):
        width = layer.length(part, -1) // max(heads, 1)
        apart = layer.add("Reshape", [part, layer.constant([0, 0, heads, width])])
        split.append(layer.build.transpose(apart, axes))
    scale = layer.number(1 / np.sqrt(max(layer.integer("key_dim", 1), 1)))
    scores = layer.add("MatMul", [layer.add("Mul", [split[0], scale]), split[1]])
    mixed = layer.add("MatMul", [layer.add("Softmax", [scores], {"axis": -1}), split[2]])
    joined = layer.build.transpose(mixed, (0, 2, 1, 3))
    width = layer.length(parts[2], -1)
    layer.x = layer.add("Reshape", [joined, layer.constant([0, 0, width])])
    return _projected(layer, layer.x, "output") or layer.opaque()


def _projected(layer: Layer, x: str, part: str) -> str:
    """One projection of an attention layer; "" where the file does not have it."""
    group = layer.call.folder
    names = (f"{part}_dense", part, f"attention_{part}", f"_{part}_dense")
    inner = next((g for name in names if group and (g := group.nearest(name))), None)
    if inner is None:
        return ""
    variables = {last_of(path): path for _, path in inner.everything()}
    kernel = variables.get("kernel", variables.get("0"))
    bias = variables.get("bias", variables.get("1"))
    if kernel is None:
        return ""
    axes = 1 if part == "output" else 2
    found = layer.model.variables.settle(kernel, partial(projection, axes=axes))
    matrix = layer.build.weight(found)
    if bias is None:
        return layer.product(x, matrix)
    known = layer.model.variables.settle(bias, partial(canonical, kind="", variable="bias"))
    return layer.product(x, matrix, layer.build.weight(known, (prod(known.shape),)))


RULES: dict[str, Rule] = {
    "Embedding": _embedding,
    **dict.fromkeys(CELLS, _recurrent),
    "RNN": _wrapped_cell,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _each_step,
    "SpectralNormalization": _wrapped,
    "EinsumDense": _equation,
    "MultiHeadAttention": _attention,
}
