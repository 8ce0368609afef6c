"""Types of all tensors, and everything that does not depend on the inputs folded away.

One walk in order.  Each operator's output shapes come from its rule in ``_shape_rules``; small
integer tensors carry their values (``_values``), so that computed shapes become known ones.

1. An operator whose inputs are all constant is dropped; its outputs become constants.
2. An operator whose outputs' values are known (Shape of a known shape …) is dropped likewise.
3. An If whose condition is known becomes the branch that is taken.

This is a pass of our own, in Python: a hostile file can neither crash native code nor make it
allocate.  Tests hold its shapes equal to those of ``onnx.shape_inference``.
"""

from __future__ import annotations

from assay.graphs._moves import numbers
from assay.graphs._shape_rules import infer
from assay.graphs._values import evaluate
from assay.graphs.inline_bodies import CONTROL
from assay.graphs.operators import (
    MOST_AXES,
    MOST_VALUES,
    UNKNOWN,
    Operator,
    OperatorGraph,
    Shape,
    Tensor,
    without_dead,
)

LARGEST = 2**31 - 1  # of a dimension; beyond, repeated doublings would make numbers of megabytes
_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"}


def fold_shapes(graph: OperatorGraph) -> OperatorGraph:
    """The graph with all known types, and without constant operators."""
    tensors = dict(graph.tensors)
    parts: dict[str, list[Shape | None]] = {}  # by name of the sequence that was split off
    kept = []
    for node in graph.operators:
        inputs = [tensors.get(name, UNKNOWN) if name else None for name in node.inputs]
        taken = _taken_branch(node, inputs)
        if taken is not None:
            node = Operator("Identity", (taken,), node.outputs)  # rule 3
            inputs = [tensors.get(taken, UNKNOWN)]
        if node.op == "CastLike" and len(inputs) == 2:  # only the type of the second matters
            like = inputs.pop()
            to = {"to": like.dtype if like is not None else 0}
            node = Operator("Cast", node.inputs[:1], node.outputs, to)
        outputs = _outputs(node, inputs)
        if node.op == "SplitToSequence":
            parts.update(dict.fromkeys(node.outputs, _parts(node, inputs)))
        elif node.op == "SequenceAt" and node.inputs and len(outputs) == 1:
            outputs = [_part(outputs[0], parts.get(node.inputs[0], []), inputs)]
        tensors.update((n, t) for n, t in zip(node.outputs, outputs, strict=True) if n)
        if not all(t.constant for n, t in zip(node.outputs, outputs, strict=True) if n):
            kept.append(node)
    return without_dead(graph.replaced(kept, tensors))


def _outputs(node: Operator, inputs: list[Tensor | None]) -> list[Tensor]:
    shapes = infer(node, inputs)
    shapes += [UNKNOWN] * (len(node.outputs) - len(shapes))
    fixed = (
        all(t is None or t.constant for t in inputs)
        and node.op not in CONTROL
        and node.op not in _RANDOM
        and "::" not in node.op
    )
    values = evaluate(node, inputs, shapes)
    results = []
    for place, tensor in enumerate(shapes[: len(node.outputs)]):
        value = values[place] if values is not None and place < len(values) else None
        if value is not None:
            results.append(Tensor(tensor.dtype, value.shape, value, True))
        else:
            results.append(Tensor(tensor.dtype, _possible(tensor.shape), None, fixed))
    return results


def _possible(shape: Shape | None) -> Shape | None:
    """What odd operands make of a shape is unknown: negative or absurd sizes, too many axes."""
    if shape is None or len(shape) > MOST_AXES:
        return None
    return tuple(d if -1 <= d <= LARGEST else -1 for d in shape)


def _parts(node: Operator, inputs: list[Tensor | None]) -> list[Shape | None]:
    """Of a split sequence's elements, each its own; none where the sizes are unknown."""
    x, sizes = (inputs[0] if inputs else None) or UNKNOWN, numbers(inputs, 1)
    axis = node.integer("axis", 0)
    if not sizes or x.shape is None or not -len(x.shape) <= axis < len(x.shape):
        return []
    whole, size, given = x.shape[axis], sizes[0], inputs[1]
    if given is not None and given.shape == ():  # the size of each; the last one has what is left
        if not 0 < size <= whole <= size * MOST_VALUES:
            return []
        sizes = tuple(min(size, whole - start) for start in range(0, whole, size))
    axis %= len(x.shape)
    return [_possible((*x.shape[:axis], size, *x.shape[axis + 1 :])) for size in sizes]


def _part(element: Tensor, parts: list[Shape | None], inputs: list[Tensor | None]) -> Tensor:
    """What a SequenceAt takes: of a split sequence, the part's own shape."""
    place = numbers(inputs, 1)
    known = place is not None and len(place) == 1 and -len(parts) <= place[0] < len(parts)
    if not known or place is None or element.value is not None:
        return element
    return Tensor(element.dtype, parts[place[0]], None, element.constant)


def _taken_branch(node: Operator, inputs: list[Tensor | None]) -> str | None:
    if node.op != "If" or len(node.inputs) != 3 or inputs[0] is None:
        return None
    condition = inputs[0].value
    if condition is None or condition.size != 1:
        return None
    return node.inputs[1 if bool(condition.reshape(-1)[0]) else 2]
