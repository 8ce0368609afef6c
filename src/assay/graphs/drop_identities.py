"""Operators that hand their input on unchanged are dropped.

1. Identity, Dropout (in inference), Cast, CastLike.
2. A Reshape, Flatten, Squeeze, Unsqueeze, Expand, Transpose, Slice, Pad, Tile, Resize or Upsample
   that changes nothing.
3. Pooling with a window of one and a stride of one.
4. A Pad with a constant before convolutions or poolings only, which could pad by themselves.
5. Concat, Sum, Mean, Max or Min of one input.
6. What is empty is no input of a Concat, where another is left.

One of several outputs, such as a Dropout's mask, that something reads keeps the operator.
"""

from __future__ import annotations

from assay.graphs.operators import Operator, OperatorGraph, bypass, without_dead

_FLOATS = {0, 1, 10, 11, 16}  # and unknown
_ALWAYS = {"Identity", "Dropout", "Cast", "CastLike"}
_KEEPING_SIZE = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Slice", "Pad", "Tile"}
_KEEPING_SIZE |= {"Resize", "Upsample"}
_OF_ONE = {"Concat", "Sum", "Mean", "Max", "Min"}
_PADDING = {"Conv", "MaxPool", "AveragePool", "LpPool"}


def drop_identities(graph: OperatorGraph) -> OperatorGraph:
    """The graph without operators that do nothing."""
    graph = _without_empty_parts(graph)
    readers = graph.consumers()
    outputs = frozenset(graph.outputs)
    read = readers.keys() | outputs

    def through(node: Operator) -> str | None:
        if not node.inputs or not node.inputs[0] or not read.isdisjoint(node.outputs[1:]):
            return None
        source, output = graph.tensor(node.inputs[0]), graph.tensor(node.outputs[0])
        known = source.shape is not None and -1 not in source.shape
        same = known and source.shape == output.shape
        idle = (
            (node.op in _ALWAYS and not _rounds_or_drops(node, graph))
            or (node.op in _KEEPING_SIZE and same and not _reverses_or_shifts(node, graph))
            or (node.op == "Transpose" and same and _keeps_order(node, source.shape or ()))
            or (node.op in _OF_ONE and len(node.inputs) == 1)
            or (node.op in ("MaxPool", "AveragePool") and same and _window_of_one(node))
            or (node.op == "Pad" and _could_be_theirs(node, graph, readers, outputs))
        )
        return node.inputs[0] if idle else None

    return bypass(graph, through)


def _without_empty_parts(graph: OperatorGraph) -> OperatorGraph:
    """Without what rule 6 says, and what only led to it."""
    operators = []
    for node in graph.operators:
        axis = node.integer("axis", 0)
        shapes = [graph.tensor(name).shape for name in node.inputs] if node.op == "Concat" else []
        empty = [
            shape is not None and -len(shape) <= axis < len(shape) and shape[axis] == 0
            for shape in shapes
        ]
        if any(empty) and not all(empty):
            parts = zip(node.inputs, empty, strict=True)
            inputs = tuple(name for name, gone in parts if not gone)
            node = Operator(node.op, inputs, node.outputs, node.attributes)
        operators.append(node)
    if all(a is b for a, b in zip(operators, graph.operators, strict=True)):
        return graph
    return without_dead(graph.replaced(operators))


def _rounds_or_drops(node: Operator, graph: OperatorGraph) -> bool:
    """A Cast from floats to integers or truth values; a Dropout that is told to train."""
    if node.op == "Dropout":
        training = graph.tensor(node.inputs[2]).value if len(node.inputs) > 2 else None
        return training is not None and bool(training.any())
    before, after = (graph.tensor(name).dtype for name in (node.inputs[0], node.outputs[0]))
    return node.op == "Cast" and before in _FLOATS and after not in _FLOATS


def _reverses_or_shifts(node: Operator, graph: OperatorGraph) -> bool:
    """A Slice of all elements from the last to the first, a Pad that cuts as much as it adds."""
    place = {"Slice": 4, "Pad": 1}.get(node.op, 0)
    given = graph.tensor(node.inputs[place]).value if 0 < place < len(node.inputs) else None
    numbers = node.ints("pads") if given is None else given.reshape(-1)
    return any(number < 0 for number in numbers)


def _keeps_order(node: Operator, shape: tuple[int, ...]) -> bool:
    """Whether the axes that are longer than one stay in order."""
    order = node.ints("perm", tuple(reversed(range(len(shape)))))
    long = [axis for axis in order if shape[axis] != 1]
    return long == sorted(long)


def _window_of_one(node: Operator) -> bool:
    return set(node.ints("kernel_shape")) == {1}


def _could_be_theirs(
    node: Operator,
    graph: OperatorGraph,
    readers: dict[str, list[Operator]],
    outputs: frozenset[str],
) -> bool:
    """Whether all that reads the Pad, as its first input, could pad so by itself."""
    amounts, fill, axes = (
        graph.tensor(node.inputs[place]).value if len(node.inputs) > place else None
        for place in (1, 2, 3)
    )
    pads = node.ints("pads") if amounts is None else tuple(amounts.reshape(-1).tolist())
    half = len(pads) // 2
    zeros = not node.attributes.get("value") and (fill is None or not fill.any())
    if not zeros or axes is not None or any((*pads[:2], *pads[half : half + 2])):
        return False  # another filling, or batch and channels
    name = node.outputs[0]
    found = readers.get(name, [])
    return (
        bool(found)
        and all(reader.op in _PADDING and reader.inputs[0] == name for reader in found)
        and name not in outputs
        and node.attributes.get("mode", "constant") == "constant"
    )
