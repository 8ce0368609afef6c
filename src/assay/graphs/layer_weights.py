"""Which layer of the layer graph holds which of a file's weights.

The passes rename, fold and merge, so a weight is followed to its layer: from the last stage at
which an operator still reads it, along the results, to the first that a layer writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.graphs._pass_order import PASSES
from assay.graphs.compact import compact
from assay.graphs.drop_layout import drop_layout, handed_on, layers_left, only_moves
from assay.graphs.merge_blocks import blocks
from assay.graphs.operators import Operator, OperatorGraph

MOST_STEPS = 64  # operators between a weight and its layer
_Readers = Mapping[str, list[Operator]]


def layer_weights(operators: OperatorGraph, names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """For each layer of ``layer_graph(operators)`` the weights among ``names`` that it holds, (n).

    A weight that several layers share is in each of them; one that no layer reads is in none.
    """
    wanted = tuple(names)
    stages = [operators]
    for run in PASSES:
        stages.append(run(stages[-1]))
    places, constant = _places(stages[-1])
    held: list[list[str]] = [[] for _ in constant]
    left = set(wanted)
    found: dict[str, set[int]] = {}
    for stage in reversed(stages):
        readers = stage.consumers()
        for name in sorted(left & readers.keys()):
            layers = _reached(name, readers, places)
            found[name] = {layer for layer in layers if constant[layer]} or layers
        left = left - {name for name, layers in found.items() if layers}
    for name in wanted:
        for place in sorted(found.get(name, ())):
            held[place].append(name)
    return tuple(map(tuple, held))


def _places(operators: OperatorGraph) -> tuple[dict[str, int], list[bool]]:
    """Tensor → the layer that writes it; and of each layer whether it reads a constant, (n)."""
    raw = compact(operators, "")
    kept = layers_left(handed_on(raw, only_moves))
    found = blocks(drop_layout(raw))
    places = {
        name: place
        for place, block in enumerate(found.values())
        for i in block
        for name in operators.operators[kept[i]].outputs
        if name
    }
    reads = [any(operators.tensor(n).constant for n in node.inputs) for node in operators.operators]
    return places, [any(reads[kept[i]] for i in block) for block in found.values()]


def _reached(name: str, readers: _Readers, places: Mapping[str, int]) -> set[int]:
    """The layers that a weight gets to, each by the shortest way."""
    layers: set[int] = set()
    seen, waiting = {name}, [name]
    for _ in range(MOST_STEPS):
        further: list[str] = []
        for node in (node for tensor in waiting for node in readers.get(tensor, ())):
            outputs = [output for output in node.outputs if output]
            written = {places[output] for output in outputs if output in places}
            layers |= written
            further += [] if written else outputs
        waiting = [name for name in dict.fromkeys(further) if name not in seen]
        seen.update(waiting)
        if not waiting:
            break
    return layers
