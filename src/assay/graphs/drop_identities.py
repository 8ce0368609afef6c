"""Operators that hand their input on unchanged are dropped.

1. Identity, Dropout (in inference), Cast, CastLike, and the optimization barriers of exporters.
2. A Reshape, Expand, Transpose, Slice, Pad, Tile, Resize or Concat that changes nothing.
3. Pooling with a window of one and a stride of one.
4. A Pad before a convolution or a pooling, which could pad by itself.
5. Sum, Mean, Max or Min of one input.
"""

from __future__ import annotations

from assay.graphs.operators import Operator, OperatorGraph, bypass

_ALWAYS = {"Identity", "Dropout", "Cast", "CastLike"}
_KEEPING_SIZE = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Slice", "Pad", "Tile"}
_KEEPING_SIZE |= {"Resize", "Upsample"}
_OF_ONE = {"Concat", "Sum", "Mean", "Max", "Min"}
_PADDING = {"Conv", "ConvInteger", "QLinearConv", "MaxPool", "AveragePool", "LpPool"}


def drop_identities(graph: OperatorGraph) -> OperatorGraph:
    """The graph without operators that do nothing."""
    readers = graph.consumers()

    def through(node: Operator) -> str | None:
        if not node.inputs or not node.inputs[0]:
            return None
        source, output = graph.tensor(node.inputs[0]), graph.tensor(node.outputs[0])
        known = source.shape is not None and -1 not in source.shape
        same = known and source.shape == output.shape
        idle = (
            node.op in _ALWAYS
            or (node.op in _KEEPING_SIZE and same)
            or (node.op == "Transpose" and same and _keeps_order(node, source.shape or ()))
            or (node.op in _OF_ONE and len(node.inputs) == 1)
            or (node.op in ("MaxPool", "AveragePool") and same and _window_of_one(node))
            or (node.op == "Pad" and _before_window(readers.get(node.outputs[0], [])))
        )
        return node.inputs[0] if idle else None

    return bypass(graph, through)


def _keeps_order(node: Operator, shape: tuple[int, ...]) -> bool:
    """Whether the axes that are longer than one stay in order."""
    order = node.ints("perm", tuple(reversed(range(len(shape)))))
    long = [axis for axis in order if shape[axis] != 1]
    return long == sorted(long)


def _window_of_one(node: Operator) -> bool:
    return all(k == 1 for k in node.ints("kernel_shape"))


def _before_window(readers: list[Operator]) -> bool:
    return bool(readers) and all(node.op in _PADDING for node in readers)
