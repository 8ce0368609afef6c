"""The layers of Core ML neural networks that move, choose, cut and join, in ONNX's words.

[NeuralNetwork.proto] Older ones speak of channels, height and width, newer ones of axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from assay.vocabularies.coreml.moves import END, cut
from assay.vocabularies.coreml.network import Layer

_LAST = (0, 2, 3, 1)  # channels first → last
_FIRST = (0, 3, 1, 2)


def _concat(layer: Layer) -> None:
    if layer.kind == 980:
        axis = layer.options.integer(1)
    else:
        axis = 0 if layer.options.integer(100) else layer.channels
    layer.emit("Concat", layer.inputs, {"axis": axis})


def _stack(layer: Layer) -> None:
    axis = layer.options.integer(1)
    at = layer.build.constant([axis])
    names = [layer.build.add("Unsqueeze", [name, at]) for name in layer.inputs]
    layer.emit("Concat", names, {"axis": axis})


def _split(layer: Layer) -> None:
    if layer.kind == 330:
        layer.emit("Split", [layer.x], {"axis": layer.channels})
        return
    sizes = layer.options.integers(3)
    inputs = [layer.x, *([layer.build.constant(sizes)] if sizes else [])]
    layer.emit("Split", inputs, {"axis": layer.options.integer(1)})


def _permute(layer: Layer) -> None:
    """Of sequence, channels, height and width; the batch stays where it is."""
    axes = layer.options.integers(1)
    if sorted(axes) != [0, 1, 2, 3]:
        layer.emit("Identity", [layer.x])
    elif layer.rank == 5:
        after = [axis + (axis > 0) for axis in axes]
        layer.emit("Transpose", [layer.x], {"perm": (after[0], 1, *after[1:])})
    else:
        layer.emit("Transpose", [layer.image], {"perm": tuple(axes)})


def _transpose(layer: Layer) -> None:
    layer.emit("Transpose", [layer.x], {"perm": tuple(layer.options.integers(1))})


def _reshape(layer: Layer) -> None:
    """To channels, height and width; with channels last on the way where the layer says so."""
    target = layer.options.integers(1)
    whole = [0, *target] if len(target) == 3 else target
    if not layer.options.integer(2) or len(whole) != 4:
        layer.emit("Reshape", [layer.x, layer.build.constant(whole)])
        return
    turned = layer.build.transpose(layer.image, _LAST)
    shape = layer.build.constant([whole[axis] for axis in _LAST])
    layer.emit("Transpose", [layer.build.add("Reshape", [turned, shape])], {"perm": _FIRST})


def _reshape_static(layer: Layer) -> None:
    layer.emit("Reshape", [layer.x, layer.build.constant(layer.options.integers(1))])


def _reshape_like(layer: Layer) -> None:
    layer.emit("Reshape", [layer.x, layer.build.add("Shape", [layer.last])])


def _flatten(layer: Layer) -> None:
    """To a vector of channels."""
    name = layer.x
    if layer.options.integer(1) and layer.rank == 4:
        name = layer.build.transpose(name, _LAST)
    if layer.rank < 4 or not layer.network.is_exact:
        layer.emit("Flatten", [name], {"axis": 1})
        return
    flat = layer.build.add("Flatten", [name], "", {"axis": 1})
    layer.emit("Unsqueeze", [flat, layer.build.constant([2, 3])])


def _flatten_to_2d(layer: Layer) -> None:
    layer.emit("Flatten", [layer.x], {"axis": layer.options.integer(1)})


def _axes(op: str, layer: Layer) -> None:
    axes = [] if layer.options.integer(2) and op == "Squeeze" else layer.options.integers(1)
    layer.emit(op, [layer.x, *([layer.build.constant(axes)] if axes else [])])


def _cut(layer: Layer, *lists: Sequence[int]) -> None:
    """``lists`` are starts, ends, axes and steps."""
    layer.emit("Slice", [layer.x, *(layer.build.constant(list(numbers)) for numbers in lists)])


def _slice(layer: Layer) -> None:
    options = layer.options
    axis = (layer.channels, -2, -1)[min(max(options.integer(4), 0), 2)]
    _cut(layer, [options.integer(1)], [options.integer(2)], [axis], [options.integer(3) or 1])


def _slice_static(layer: Layer) -> None:
    options = layer.options
    begin, end, steps = (options.integers(number) for number in (1, 3, 5))
    first, last, gone = (options.integers(number) for number in (2, 4, 6))
    count = min(len(begin), len(end))
    for i in range(count):
        back = i < len(steps) and steps[i] < 0
        if i < len(first) and first[i]:
            begin[i] = END if back else 0
        if i < len(last) and last[i]:
            end[i] = -END if back else END
    squeezed = [i for i in range(count) if i < len(gone) and gone[i]]
    lists = [begin[:count], end[:count], list(range(count)), (steps + [1] * count)[:count]]
    if layer.outputs:
        cut(layer.build, layer.x, lists, squeezed, layer.outputs[0])


def _slice_dynamic(layer: Layer) -> None:
    layer.emit("Slice", layer.inputs[:3])


def _crop(layer: Layer) -> None:
    """By amounts, or to the size of the second input."""
    edges = layer.options.message(1).messages(10)
    if len(layer.inputs) == 1 and len(edges) == 2:
        ends = [-edge.integer(2) or END for edge in edges]
        _cut(layer, [edge.integer(1) for edge in edges], ends, [-2, -1])
        return
    size = (layer.build.known(layer.last).shape or ())[-2:]
    starts = [*layer.options.integers(5), 0, 0][:2]
    if len(size) == 2:
        _cut(layer, starts, [a + b for a, b in zip(starts, size, strict=True)], [-2, -1])
    else:
        layer.emit("coreml::crop", layer.inputs)


def _pad(layer: Layer) -> None:
    options = layer.options
    edges = options.message(10).messages(10)
    before = [0] * max(layer.rank - 2, 0)
    pads = [*before, *(e.integer(1) for e in edges), *before, *(e.integer(2) for e in edges)]
    mode = "reflect" if options.has(2) else "edge" if options.has(3) else "constant"
    value = layer.number(options.message(1).real(1))
    layer.emit("Pad", [layer.x, layer.build.constant(pads), value], {"mode": mode})


def _constant_pad(layer: Layer) -> None:
    """Amounts before and after each axis, in the layer or computed."""
    value, amounts = layer.number(layer.options.real(1)), layer.options.integers(2)
    pads = layer.build.constant(amounts[::2] + amounts[1::2])
    layer.emit("Pad", [layer.x, layer.inputs[1] if len(layer.inputs) > 1 else pads, value])


def _upsample(layer: Layer) -> None:
    options = layer.options
    factors = options.integers(1) or options.floats(7).tolist() or [1, 1]
    scales = np.array([1] * max(layer.rank - 2, 0) + factors, np.float32)
    mode = "linear" if options.integer(5) else "nearest"
    layer.emit("Resize", [layer.x, "", layer.build.constant(scales)], {"mode": mode})


def _resize(layer: Layer) -> None:
    shape = layer.build.known(layer.x).shape or ()
    sizes = layer.build.constant([*shape[:-2], *(layer.options.integers(1) or [1, 1])])
    layer.emit("Resize", [layer.x, "", "", sizes], {"mode": "linear"})


def _blocks(layer: Layer) -> None:
    mode, size = layer.options.integer(1), layer.options.integer(2)
    op = "DepthToSpace" if mode else "SpaceToDepth"
    layer.emit(op, [layer.x], {"blocksize": size} | ({"mode": "CRD"} if mode == 2 else {}))


def _repeat(layer: Layer) -> None:
    """Of sequences; nothing where there is one."""
    times = max(layer.options.integer(1), 1)
    reps = [times, *(1 for _ in range(max(layer.rank - 1, 0)))]
    layer.emit("Tile", [layer.x, layer.build.constant(reps)])


def _tile(layer: Layer) -> None:
    reps = layer.build.constant(layer.options.integers(1))
    layer.emit("Tile", [layer.x, layer.inputs[1] if len(layer.inputs) > 1 else reps])


def _along(op: str, layer: Layer) -> None:
    layer.emit(op, layer.inputs, {"axis": layer.options.integer(1)})


def _plain(op: str, layer: Layer) -> None:
    layer.emit(op, layer.inputs)


def _reverse(layer: Layer) -> None:
    axes = [axis for axis, flag in enumerate(layer.options.integers(1)) if flag]
    back = [-1] * len(axes)
    _cut(layer, back, [-END] * len(axes), axes, back)


def _reverse_sequence(layer: Layer) -> None:
    options = layer.options
    attributes = {"time_axis": options.integer(2), "batch_axis": options.integer(1)}
    layer.emit("ReverseSequence", layer.inputs, attributes)


def _top_k(layer: Layer) -> None:
    options = layer.options
    count = layer.build.constant([options.integer(2)])
    inputs = [layer.x, layer.inputs[1] if len(layer.inputs) > 1 else count]
    attributes = {"axis": options.integer(1), "largest": int(not options.integer(3))}
    layer.emit("TopK", inputs, attributes)


def _expand(layer: Layer) -> None:
    if layer.kind == 1105:
        shape = layer.build.constant(layer.options.integers(1))
    elif layer.kind == 1100:
        shape = layer.build.add("Shape", [layer.last])
    else:
        shape = layer.last
    layer.emit("Expand", [layer.x, shape])


def _fill(layer: Layer) -> None:
    if layer.kind == 1085:
        shape = layer.build.constant(layer.options.integers(2))
    else:
        shape = layer.build.add("Shape", [layer.x]) if layer.kind == 1080 else layer.x
    layer.emit("ConstantOfShape", [shape])


def _range(layer: Layer) -> None:
    end, start, step = (layer.number(layer.options.real(n)) for n in (1, 2, 3))
    given = layer.inputs
    end, start, step = (*given[:3], *(end, start, step)[len(given[:3]) :])
    layer.emit("Range", [start, end, step])


def _non_zero(layer: Layer) -> None:
    layer.emit("Transpose", [layer.build.add("NonZero", [layer.x])], {"perm": (1, 0)})


RULES: Mapping[int, Callable[[Layer], None]] = {
    190: _crop,
    200: _pad,
    210: _upsample,
    211: _resize,
    300: _reshape,
    301: _flatten,
    310: _permute,
    **dict.fromkeys((320, 980), _concat),
    **dict.fromkeys((330, 975), _split),
    340: _repeat,
    345: _blocks,
    350: _slice,
    **dict.fromkeys((635, 640), _range),
    920: _tile,
    925: _stack,
    930: partial(_along, "Gather"),
    940: partial(_plain, "GatherND"),
    945: partial(_plain, "ScatterND"),
    952: partial(_along, "GatherElements"),
    954: partial(_along, "ScatterElements"),
    960: _reverse,
    965: _reverse_sequence,
    985: _transpose,
    995: _slice_static,
    1000: _slice_dynamic,
    1015: _top_k,
    1065: partial(_plain, "Shape"),
    **dict.fromkeys((1080, 1085, 1090), _fill),
    **dict.fromkeys((1100, 1105, 1110), _expand),
    1120: partial(_axes, "Squeeze"),
    1125: partial(_axes, "Unsqueeze"),
    1130: _flatten_to_2d,
    1135: _reshape_like,
    **dict.fromkeys((1140, 1150), _reshape_static),
    1145: partial(_plain, "Reshape"),
    1155: _constant_pad,
    1313: _non_zero,
}
