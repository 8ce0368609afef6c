"""Core ML's operations that move, choose, cut and join, in ONNX's words [iOS 15 to 18]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.coreml.arguments import Op

END = 2**31 - 1  # past the end of any axis


def _axes_of(name: str) -> Callable[[Op], None]:
    def rule(op: Op) -> None:
        axes = op.numbers("axes")
        op.emit(name, [op.one("x"), *([op.constant(axes)] if axes else [])])

    return rule


def _reshape(op: Op) -> None:
    op.emit("Reshape", [op.one("x"), op.one("shape")])


def _transpose(op: Op) -> None:
    rank, perm = op.rank(op.one("x")), op.numbers("perm")
    op.emit("Transpose", [op.one("x")], {"perm": tuple(p + rank if p < 0 else p for p in perm)})


def _concat(op: Op) -> None:
    names, axis = op.names("values"), op.integer("axis", 0)
    if op.kind == "stack":
        names = [op.build.add("Unsqueeze", [name, op.constant([axis])]) for name in names]
    op.emit("Concat", names, {"axis": axis})


def _split(op: Op) -> None:
    sizes = op.numbers("split_sizes")
    inputs = [op.one("x"), *([op.constant(sizes)] if sizes else [])]
    op.emit("Split", inputs, {"axis": op.integer("axis", 0)})


def _slice_by_size(op: Op) -> None:
    begin, sizes = op.numbers("begin"), op.numbers("size")
    if not begin or len(begin) != len(sizes):
        op.emit("Slice", [op.one("x")])
        return
    end = [END if size < 0 else start + size for start, size in zip(begin, sizes, strict=True)]
    lists = [op.constant(v) for v in (begin, end, list(range(len(begin))))]
    op.emit("Slice", [op.one("x"), *lists])


def _slice_by_index(op: Op) -> None:
    begin, end = op.numbers("begin"), op.numbers("end")
    count = len(begin)
    if not begin or len(end) != count:
        op.emit("Slice", [op.one("x")])
        return
    strides = (op.numbers("stride") + [1] * count)[:count]
    first, last, gone = (
        (op.numbers(f"{key}_mask") + [0] * count)[:count] for key in ("begin", "end", "squeeze")
    )
    for i, step in enumerate(strides):
        if first[i]:
            begin[i] = 0 if step > 0 else END
        if gone[i]:
            end[i] = begin[i] + 1 if begin[i] != -1 else END
        elif last[i]:
            end[i] = END if step > 0 else -END
    lists = [begin, end, list(range(count)), strides]
    squeezed = [i for i, flag in enumerate(gone) if flag]
    cut(op.build, op.one("x"), lists, squeezed, op.operation.outputs[0])


def cut(
    build: GraphBuilder, x: str, lists: Sequence[list[int]], squeezed: Sequence[int], output: str
) -> None:
    """A part of a tensor; ``lists`` are its starts, ends, axes and steps.

    One place of one axis, all of the others, is what ONNX gathers.
    """
    starts, ends, axes, steps = lists
    others = [i for i in range(len(axes)) if axes[i] not in squeezed]
    whole = all((starts[i], ends[i], steps[i]) == (0, END, 1) for i in others)
    if len(squeezed) == 1 and whole:
        place = build.constant(starts[axes.index(squeezed[0])])
        build.add("Gather", [x, place], output, {"axis": squeezed[0]})
        return
    constants = [build.constant(numbers) for numbers in lists]
    if squeezed:
        part = build.add("Slice", [x, *constants])
        build.add("Squeeze", [part, build.constant(list(squeezed))], output)
    else:
        build.add("Slice", [x, *constants], output)


def _reverse(op: Op) -> None:
    axes = op.numbers("axes") or list(range(op.rank(op.one("x"))))
    back, end = [-1] * len(axes), [-END] * len(axes)
    op.emit("Slice", [op.one("x"), *(op.constant(v) for v in (back, end, axes, back))])


def _crop(op: Op) -> None:
    """So much less at the top and bottom, left and right."""
    edges = op.numbers("crop_height") + op.numbers("crop_width")
    starts, ends = edges[::2], [-edge if edge else END for edge in edges[1::2]]
    lists = [op.constant(v) for v in (starts, ends, [-2, -1])]
    op.emit("Slice", [op.one("x"), *lists])


def _gather(op: Op) -> None:
    op.emit("Gather", [op.one("x"), op.one("indices")], {"axis": op.integer("axis", 0)})


def _gather_elements(op: Op) -> None:
    inputs = [op.one("x"), op.one("indices")]
    op.emit("GatherElements", inputs, {"axis": op.integer("axis", 0)})


def _gather_nd(op: Op) -> None:
    inputs = [op.one("x"), op.one("indices")]
    op.emit("GatherND", inputs, {"batch_dims": op.integer("batch_dims", 0)})


def _scatter(op: Op) -> None:
    inputs = [op.one(key) for key in ("data", "indices", "updates")]
    if op.kind == "scatter_nd":
        op.emit("ScatterND", inputs)
    else:
        op.emit("ScatterElements", inputs, {"axis": op.integer("axis", 0)})


def _blocks(name: str, option: str) -> Callable[[Op], None]:
    """Space and channels traded for each other."""

    def rule(op: Op) -> None:
        attributes = {"blocksize": op.integer(option, 2)}
        mode = {"mode": "CRD"} if op.kind == "pixel_shuffle" else {}
        op.emit(name, [op.one("x")], attributes | mode)

    return rule


def _flatten(op: Op) -> None:
    op.emit("Flatten", [op.one("x")], {"axis": op.integer("axis", 1)})


def _fill(op: Op) -> None:
    op.emit("ConstantOfShape", [op.one("shape")])


def _fill_like(op: Op) -> None:
    op.emit("ConstantOfShape", [op.build.add("Shape", [op.one("ref_tensor")])])


def _range(op: Op) -> None:
    op.emit("Range", [op.one(key) for key in ("start", "end", "step")])


def _one_hot(op: Op) -> None:
    values = op.constant(np.array([op.real("off_value", 0), op.real("on_value", 1)], np.float32))
    inputs = [op.one("indices"), op.one("one_hot_vector_size"), values]
    op.emit("OneHot", inputs, {"axis": op.integer("axis", -1)})


def _topk(op: Op) -> None:
    attributes = {"axis": op.integer("axis", -1), "largest": int(not op.integer("ascending", 0))}
    op.emit("TopK", [op.one("x"), op.constant([op.integer("k", 1)])], attributes)


def _cumsum(op: Op) -> None:
    op.emit("CumSum", [op.one("x"), op.constant(op.integer("axis", 0))])


def _reverse_sequence(op: Op) -> None:
    attributes = {"time_axis": op.integer("seq_axis", 0), "batch_axis": op.integer("batch_axis", 0)}
    op.emit("ReverseSequence", [op.one("x"), op.one("lengths")], attributes)


def _non_zero(op: Op) -> None:
    op.emit("Transpose", [op.build.add("NonZero", [op.one("x")])], {"perm": (1, 0)})


def _resample(op: Op) -> None:
    op.emit("GridSample", [op.one("x"), op.one("coordinates")])


RULES: Mapping[str, Callable[[Op], None]] = {
    **dict.fromkeys(("concat", "stack"), _concat),
    **dict.fromkeys(("scatter_along_axis", "scatter_nd"), _scatter),
    "reshape": _reshape,
    "expand_dims": _axes_of("Unsqueeze"),
    "squeeze": _axes_of("Squeeze"),
    "transpose": _transpose,
    "split": _split,
    "slice_by_index": _slice_by_index,
    "slice_by_size": _slice_by_size,
    "reverse": _reverse,
    "crop": _crop,
    "gather": _gather,
    "gather_along_axis": _gather_elements,
    "gather_nd": _gather_nd,
    "depth_to_space": _blocks("DepthToSpace", "block_size"),
    "space_to_depth": _blocks("SpaceToDepth", "block_size"),
    "pixel_shuffle": _blocks("DepthToSpace", "upscale_factor"),
    "pixel_unshuffle": _blocks("SpaceToDepth", "downscale_factor"),
    "flatten2d": _flatten,
    "fill": _fill,
    "fill_like": _fill_like,
    "range_1d": _range,
    "one_hot": _one_hot,
    "topk": _topk,
    "cumsum": _cumsum,
    "reverse_sequence": _reverse_sequence,
    "non_zero": _non_zero,
    "resample": _resample,
}
