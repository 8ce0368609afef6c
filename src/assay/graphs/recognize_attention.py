"""Softmax attention that an exporter took apart becomes one Attention [Vaswani et al., 2017].

1. MatMul(Softmax(S), v), where S is MatMul(q, k), scaled or not, with constants or masks added →
   Attention(q, k, v, biases …).
2. What guards a softmax against rows that are masked whole (IsNaN, Where) belongs to it.
3. Scalings of q and k before their product belong to it.
4. Constants that are added to the scores and differ by head are its operands (a relative position
   bias); those that are alike for all heads are masks, and no parameters.

Reshapes and transposes between these are its own too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.graphs.operators import Operator, OperatorGraph, without_dead

_MOVES = {"Reshape", "Transpose", "Expand", "Cast"}


@dataclass
class _Search:
    graph: OperatorGraph
    producers: dict[str, Operator]
    consumers: dict[str, list[Operator]]
    constants: list[str] = field(default_factory=list)

    def only_reader(self, name: str) -> Operator | None:
        readers = {id(node): node for node in self.consumers.get(name, ())}
        return next(iter(readers.values())) if len(readers) == 1 else None

    def forward(self, softmax: Operator) -> Operator | None:
        """The product with the values, behind the softmax."""
        name = softmax.outputs[0]
        readers = self.consumers.get(name, [])
        if {node.op for node in readers} == {"IsNaN", "Where"}:  # rule 2
            name = next(node for node in readers if node.op == "Where").outputs[0]
        while (node := self.only_reader(name)) is not None:
            if node.op == "MatMul" and node.inputs[0] == name:
                return node
            if node.op not in _MOVES:
                return None
            name = node.outputs[0]
        return None

    def scores(self, name: str) -> Operator | None:
        """The product of queries and keys, before the softmax; collects what is added to it."""
        node = self.producers.get(name)
        while node is not None and node.op != "MatMul":
            if node.op in _MOVES:
                name = node.inputs[0]
            elif node.op in ("Add", "Mul", "Where"):
                computed = [n for n in node.inputs if not self.graph.tensor(n).constant]
                self.constants += [n for n in node.inputs if self._bias(n)]
                made = [n for n in computed if self._leads_to_product(n)]
                if len(made) != 1:
                    return None
                name = made[0]
            else:
                return None
            node = self.producers.get(name)
        return node

    def _bias(self, name: str) -> bool:
        """A constant that differs by head is a learned bias; one that is alike for all a mask."""
        tensor = self.graph.tensor(name)
        shape = tensor.shape or ()
        return tensor.constant and len(shape) >= 3 and shape[-3] > 1

    def _leads_to_product(self, name: str) -> bool:
        node = self.producers.get(name)
        while node is not None and node.op in _MOVES | {"Add", "Mul"} and node.inputs:
            computed = [n for n in node.inputs if not self.graph.tensor(n).constant]
            if not computed:
                return False
            node = self.producers.get(computed[0])
        return node is not None and node.op == "MatMul"

    def unscaled(self, name: str) -> str:
        """The tensor before scalings by a constant (rule 3) and moves."""
        while (node := self.producers.get(name)) is not None:
            computed = [n for n in node.inputs if not self.graph.tensor(n).constant]
            scalar = all(
                self.graph.tensor(n).size == 1 for n in node.inputs if self.graph.tensor(n).constant
            )
            moves = node.op in _MOVES or (node.op == "Mul" and scalar)
            if not moves or len(computed) != 1 or len(self.consumers.get(name, ())) != 1:
                return name
            name = computed[0]
        return name


def recognize_attention(graph: OperatorGraph) -> OperatorGraph:
    """The graph with each softmax attention as one operator."""
    if not any(node.op == "Softmax" for node in graph.operators):
        return graph
    producers, consumers = graph.producers(), graph.consumers()
    made: dict[str, Operator] = {}
    for node in graph.operators:
        if node.op != "Softmax":
            continue
        search = _Search(graph, producers, consumers)
        values, scores = search.forward(node), search.scores(node.inputs[0])
        if values is None or scores is None:
            continue
        keys = tuple(search.unscaled(name) for name in scores.inputs[:2])
        inputs = (*keys, values.inputs[1], *search.constants)
        attributes = {
            "query_shape": graph.tensor(scores.inputs[0]).shape or (),
            "score_shape": graph.tensor(scores.outputs[0]).shape or (),
        }
        made[values.outputs[0]] = Operator("Attention", inputs, values.outputs, attributes)
    if not made:
        return graph
    return without_dead(
        graph.replaced(made.get(node.outputs[0], node) for node in graph.operators)
    )
