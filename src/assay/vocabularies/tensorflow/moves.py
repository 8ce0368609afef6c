"""TensorFlow's operators that move, cut, join and list elements [TensorFlow, raw operators].

A list of tensors is what they are stacked to: so loops read their sequence as ONNX's do.
"""

from __future__ import annotations

from typing import Any

from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.tensorflow.node import Node, Rule, back, moved, numbers

_LARGEST = 2**31 - 1
_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def _pad(build: GraphBuilder, node: Node) -> None:
    pairs = numbers(build, node.inputs[1])
    pads = build.constant([*pairs[::2], *pairs[1::2]]) if pairs else node.inputs[1]
    mode = {"REFLECT": "reflect", "SYMMETRIC": "edge"}.get(node.text("mode"), "constant")
    if mode == "edge" and max(pairs, default=0) > 1:  # of more than one, ONNX repeats the edge
        build.add("tensorflow::MirrorPad", node.inputs, node.outputs)
        return
    value = node.inputs[2:3] if node.op == "PadV2" else []
    twin = build.twins.get(node.inputs[0])
    if twin and len(pairs) >= 6:
        order = [0, len(pairs) // 2 - 1, *range(1, len(pairs) // 2 - 1)]
        turned = build.constant([pairs[2 * axis + side] for side in (0, 1) for axis in order])
        build.last(build.add("Pad", [twin, turned, *value], "", {"mode": mode}), node.outputs[0])
        return
    build.add("Pad", [node.inputs[0], pads, *value], node.outputs[0], {"mode": mode})


def _transpose(build: GraphBuilder, node: Node) -> None:
    axes = numbers(build, node.inputs[1])
    if axes:
        build.transpose(node.inputs[0], axes, node.outputs[0])
    else:
        build.add("tensorflow::Transpose", node.inputs, node.outputs)


def _concat(build: GraphBuilder, node: Node) -> None:
    *inputs, place = node.inputs
    if node.op == "Concat":  # the old one reads the axis first
        place, *inputs = node.inputs
    axis = (numbers(build, place) or [-1])[0]
    if axis in (-1, build.rank(inputs[0]) - 1) and all(name in build.twins for name in inputs):
        joined = build.add("Concat", [build.twins[name] for name in inputs], "", {"axis": 1})
        build.last(joined, node.outputs[0])
        return
    build.add("Concat", inputs, node.outputs[0], {"axis": axis})


def _pack(build: GraphBuilder, node: Node) -> None:
    axis = node.integer("axis")
    at = build.constant([axis])
    parts = [build.add("Unsqueeze", [name, at]) for name in node.inputs]
    build.add("Concat", parts, node.outputs[0], {"axis": axis})


def _unpack(build: GraphBuilder, node: Node) -> None:
    axis = node.integer("axis")
    parts = [build.fresh(name) for name in node.outputs]
    build.add("Split", node.inputs[:1], parts, {"axis": axis, "num_outputs": len(parts)})
    at = build.constant([axis])
    for part, output in zip(parts, node.outputs, strict=True):
        build.add("Squeeze", [part, at], output)


def _expand(build: GraphBuilder, node: Node) -> None:
    axes = build.constant(numbers(build, node.inputs[1]) or [0])
    build.add("Unsqueeze", [node.inputs[0], axes], node.outputs[0])


def _squeeze(build: GraphBuilder, node: Node) -> None:
    axes = node.ints("squeeze_dims") or node.ints("axis")
    others = [build.constant(list(axes))] if axes else []
    build.add("Squeeze", [node.inputs[0], *others], node.outputs[0])


def _strided_slice(build: GraphBuilder, node: Node) -> None:
    """Masks say, bit by bit, what an index is: open, an axis that goes, a new one, or the rest."""
    begin, end, step = (numbers(build, name) for name in node.inputs[1:4])
    masks = {kind: node.integer(f"{kind}_mask") for kind in _MASKS}
    rank = build.rank(node.inputs[0])
    if not begin or not len(begin) == len(end) == len(step) or (masks["ellipsis"] and not rank):
        build.add("tensorflow::StridedSlice", node.inputs, node.outputs)
        return
    cuts: list[tuple[int, int, int, int]] = []  # start, stop, axis, step
    gone, new, axis, place = [], [], 0, 0  # axes before, and after
    for i in range(len(begin)):
        is_ = {kind for kind, mask in masks.items() if mask >> i & 1}
        if "ellipsis" in is_:
            added = sum(masks["new_axis"] >> other & 1 for other in range(len(begin)))
            rest = max(rank - (len(begin) - 1 - added), 0)
            axis, place = axis + rest, place + rest
            continue
        if "new_axis" in is_:
            new.append(place)
            place += 1
            continue
        if "shrink_axis" in is_:
            gone.append(axis)
            cuts.append((begin[i], begin[i] + 1 if begin[i] != -1 else _LARGEST, axis, 1))
        else:
            start, stop = (0, _LARGEST) if step[i] > 0 else (_LARGEST, -_LARGEST - 1)
            start = start if "begin" in is_ else begin[i]
            cuts.append((start, stop if "end" in is_ else end[i], axis, step[i]))
            place += 1
        axis += 1
    result = node.inputs[0]
    if cuts:
        lists = [build.constant(list(values)) for values in zip(*cuts, strict=True)]
        result = build.add("Slice", [result, *lists])
    if gone:
        result = build.add("Squeeze", [result, build.constant(gone)])
    if new:
        result = build.add("Unsqueeze", [result, build.constant(new)])
    build.add("Identity", [result], node.outputs[0])


def _slice(build: GraphBuilder, node: Node) -> None:
    begin, size = (numbers(build, name) for name in node.inputs[1:3])
    if not begin or len(begin) != len(size):
        build.add("tensorflow::Slice", node.inputs, node.outputs)
        return
    end = [_LARGEST if s < 0 else b + s for b, s in zip(begin, size, strict=True)]
    lists = [build.constant(values) for values in (begin, end, list(range(len(begin))))]
    build.add("Slice", [node.inputs[0], *lists], node.outputs[0])


def _reverse(build: GraphBuilder, node: Node) -> None:
    axes = numbers(build, node.inputs[1])
    starts, ends, steps = ([number] * len(axes) for number in (-1, -_LARGEST, -1))
    lists = [build.constant(values) for values in (starts, ends, axes, steps)]
    build.add("Slice", [node.inputs[0], *lists], node.outputs[0])


def _split(build: GraphBuilder, node: Node) -> None:
    sized = node.op == "SplitV"
    data, axis = (node.inputs[0], node.inputs[2]) if sized else (node.inputs[1], node.inputs[0])
    inputs = [data, *([node.inputs[1]] if sized else [])]
    build.add("Split", inputs, node.outputs, {"axis": (numbers(build, axis) or [0])[0]})


def _gather(build: GraphBuilder, node: Node) -> None:
    axis = (numbers(build, node.inputs[2]) or [0])[0] if len(node.inputs) > 2 else 0
    if node.integer("batch_dims"):
        build.add(f"tensorflow::{node.op}", node.inputs, node.outputs)
        return
    build.add("Gather", node.inputs[:2], node.outputs[0], {"axis": axis})


def _fill(build: GraphBuilder, node: Node) -> None:
    build.add("Expand", [node.inputs[1], node.inputs[0]], node.outputs[0])


def _cumulated(build: GraphBuilder, node: Node) -> None:
    attributes = {"exclusive": node.integer("exclusive"), "reverse": node.integer("reverse")}
    build.add("CumSum", node.inputs[:2], node.outputs[0], attributes)


def _largest(build: GraphBuilder, node: Node) -> None:
    """Values and places of the largest along the last axis."""
    count = build.add("Reshape", [node.inputs[1], build.constant([1])])
    outputs = [node.outputs[0], *(node.outputs[1:2] or [build.fresh(node.op)])]
    build.add("TopK", [node.inputs[0], count], outputs, {"axis": -1})


def _space(build: GraphBuilder, node: Node) -> None:
    attributes = {"blocksize": node.integer("block_size", 1)}
    back(build, node, moved(build, node, node.op, [], attributes))


def _resize(build: GraphBuilder, node: Node) -> None:
    """Where in the input each place of the output lies, and which of its neighbors it takes."""
    kinds = (("Nearest", "nearest"), ("Bicubic", "cubic"))
    mode = next((mode for kind, mode in kinds if kind in node.op), "linear")
    attributes: dict[str, Any] = {"mode": mode, "axes": (2, 3)}
    is_centered = node.integer("half_pixel_centers")
    if node.integer("align_corners"):
        attributes["coordinate_transformation_mode"] = "align_corners"
    elif not is_centered:
        attributes["coordinate_transformation_mode"] = "asymmetric"
    if mode == "nearest":
        floors = attributes.get("coordinate_transformation_mode") == "asymmetric"
        attributes["nearest_mode"] = "floor" if floors else "round_prefer_ceil"
    if mode == "cubic" and is_centered:
        attributes |= {"cubic_coeff_a": -0.5, "exclude_outside": 1}
    back(build, node, moved(build, node, "Resize", ["", "", node.inputs[1]], attributes))


def _item(build: GraphBuilder, node: Node) -> None:
    """One tensor of a list; old arrays hand the list on as the third input."""
    values = node.inputs[2 if node.op == "TensorArrayReadV3" else 0]
    build.add("Gather", [values, node.inputs[1]], node.outputs[0], {"axis": 0})


def _handed_on(place: int) -> Rule:
    """A list made of a stacked tensor, or a list to which one is added: what it is made of."""

    def rule(build: GraphBuilder, node: Node) -> None:
        build.add("Identity", [node.inputs[place]], node.outputs[0])

    return rule


def _stacked(place: int) -> Rule:
    """What a loop wrote into a list, as one tensor."""

    def rule(build: GraphBuilder, node: Node) -> None:
        count, shape = node.integer("num_elements", -1), build.known(node.inputs[place]).shape
        if count < 1 or shape is None or min(shape, default=1) < 1:
            build.add("Loop", [node.inputs[place]], node.outputs[0], {"stacked": 1})
            return
        stacked = build.add("Loop", [node.inputs[place]], "", {"stacked": 1})
        build.add("Reshape", [stacked, build.constant([count, *shape])], node.outputs[0])

    return rule


RULES: dict[str, tuple[int, Rule]] = {  # inputs that it cannot do without, and the rule
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), (2, _pad)),
    "Transpose": (2, _transpose),
    **dict.fromkeys(("Concat", "ConcatV2"), (2, _concat)),
    "Pack": (1, _pack),
    "Unpack": (1, _unpack),
    "ExpandDims": (2, _expand),
    "Squeeze": (1, _squeeze),
    "StridedSlice": (4, _strided_slice),
    "Slice": (3, _slice),
    "ReverseV2": (2, _reverse),
    "Split": (2, _split),
    "SplitV": (3, _split),
    **dict.fromkeys(("Gather", "GatherV2", "ResourceGather"), (2, _gather)),
    "Fill": (2, _fill),
    "Cumsum": (2, _cumulated),
    "TopKV2": (2, _largest),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), (1, _space)),
    **dict.fromkeys(("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"), (2, _resize)),
    "TensorListGetItem": (2, _item),
    "TensorArrayReadV3": (3, _item),
    "TensorListFromTensor": (1, _handed_on(0)),
    **dict.fromkeys(("TensorListSetItem", "TensorArrayWriteV3"), (3, _handed_on(2))),
    "TensorArrayScatterV3": (3, _handed_on(2)),
    "TensorListStack": (1, _stacked(0)),
    "TensorArrayGatherV3": (3, _stacked(2)),
}
