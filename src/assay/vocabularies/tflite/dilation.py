"""A convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND is a dilated one.

The converter writes dilations so where it did not know the size of the feature map.
"""

from __future__ import annotations

from dataclasses import replace

from assay.graphs.operators import Shape
from assay.vocabularies.tflite.schema import StoredOperator, Subgraph

_STRIDES, _PLAIN_DILATIONS = (1, 2), {"CONV_2D": (4, 5), "DEPTHWISE_CONV_2D": (5, 6)}  # fields
_MOST_BLOCK = 2**16


def with_dilations(graph: Subgraph, content: memoryview) -> Subgraph:
    """The graph with each such group as one operator, in the convolution's place."""
    if not any(node.op == "SPACE_TO_BATCH_ND" for node in graph.operators):
        return graph
    found = readers(graph)
    operators: dict[int, StoredOperator] = dict(enumerate(graph.operators))
    for i, node in enumerate(graph.operators):
        if node.op != "SPACE_TO_BATCH_ND" or len(node.inputs) != 3 or len(node.outputs) != 1:
            continue
        conv = _only_reader(node, found)
        after = _only_reader(operators[conv], found) if conv > i else -1
        block = _block(graph, node, content)
        if after > conv > i and block and _fits(operators[conv], operators[after], node):
            inner, last = operators[conv], operators[after]
            maps = (graph.tensors[node.inputs[0]].shape, graph.tensors[last.outputs[0]].shape)
            operators[conv] = replace(
                inner,
                inputs=(node.inputs[0], *inner.inputs[1:]),
                outputs=last.outputs,
                dilations=block,
                padded=maps[0][1:3] == maps[1][1:3],
            )
            del operators[i], operators[after]
    return replace(graph, operators=tuple(operators.values()))


def readers(graph: Subgraph) -> dict[int, list[int]]:
    """Tensor → the operators that read it, by their place; -1 stands for the graph's outputs."""
    found: dict[int, list[int]] = {}
    for i, node in enumerate(graph.operators):
        for place in node.inputs:
            found.setdefault(place, []).append(i)
    for place in graph.outputs:
        found.setdefault(place, []).append(-1)
    return found


def _only_reader(node: StoredOperator, found: dict[int, list[int]]) -> int:
    """The place of the operator that alone reads what a node writes, -1 where there is none."""
    listed = found.get(node.outputs[0], []) if len(node.outputs) == 1 else []
    return listed[0] if len(listed) == 1 else -1


def _block(graph: Subgraph, node: StoredOperator, content: memoryview) -> Shape:
    tensor = graph.tensors[node.inputs[1]]
    value = tensor.known(content).value if tensor.constant and node.inputs[1] >= 0 else None
    if value is None or value.dtype.kind != "i" or value.size != 2:
        return ()
    block = tuple(int(v) for v in value.reshape(-1))
    return block if all(0 < size <= _MOST_BLOCK for size in block) else ()


def _fits(conv: StoredOperator, after: StoredOperator, before: StoredOperator) -> bool:
    """Whether the one in the middle is a convolution without padding, strides and dilations."""
    dilations = _PLAIN_DILATIONS.get(conv.op)
    if dilations is None or conv.dilations or conv.options is None or not conv.inputs:
        return False
    plain = all(conv.options.integer(field, default=1) == 1 for field in (*_STRIDES, *dilations))
    linked = conv.inputs[0] == before.outputs[0] and after.inputs[:1] == conv.outputs
    valid = conv.options.integer(0, "i8") == 1
    joined = after.op == "BATCH_TO_SPACE_ND" and len(after.outputs) == 1
    return plain and linked and valid and joined and -1 not in (*after.outputs, before.inputs[0])
