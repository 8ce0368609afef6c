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
MOST_STEPS = 16  # operators between a softmax and a product: longer ways are something else


@dataclass
class _Search:
    graph: OperatorGraph
    producers: dict[str, Operator]
    consumers: dict[str, list[Operator]]
    outputs: frozenset[str]
    constants: list[str] = field(default_factory=list)

    def constant(self, name: str) -> bool:
        return self.graph.tensor(name).constant

    def only_reader(self, name: str) -> Operator | None:
        """The one operator that reads a tensor; none where it is also an output."""
        readers = self.consumers.get(name, [])
        alone = len(readers) == 1 and name not in self.outputs
        return readers[0] if alone else None

    def forward(self, softmax: Operator) -> Operator | None:
        """The product with the values, behind the softmax."""
        name = self._guarded(softmax.outputs[0])
        for _ in range(MOST_STEPS):
            node = self.only_reader(name)
            if node is None or (node.op == "MatMul" and node.inputs[0] == name):
                return node
            if node.op not in _MOVES:
                return None
            name = node.outputs[0]
        return None

    def _guarded(self, name: str) -> str:
        """What the guard hands on (rule 2), or the softmax itself."""
        readers = {node.op: node for node in self.consumers.get(name, ())}
        check, choice = readers.get("IsNaN"), readers.get("Where")
        if check is None or choice is None or len(self.consumers[name]) > 2:
            return name
        alone = name not in self.outputs and self.only_reader(check.outputs[0]) is choice
        return choice.outputs[0] if alone else name

    def scores(self, softmax: Operator) -> Operator | None:
        """The product of queries and keys, before the softmax; collects what is added to it."""
        name = softmax.inputs[0]
        for _ in range(MOST_STEPS):
            node = self.producers.get(name)
            if node is None or self.only_reader(name) is None:
                return None
            if node.op == "MatMul":
                return node
            made = self._scored(node)
            if made is None:
                return None
            name = made
        return None

    def _scored(self, node: Operator) -> str | None:
        """The input of a move, a scaling or a mask that the scores come from."""
        if node.op in _MOVES:
            return node.inputs[0]
        if node.op not in ("Add", "Mul", "Where"):
            return None
        self.constants += [name for name in node.inputs if self._bias(name)]
        computed = [name for name in node.inputs if not self.constant(name)]
        made = [name for name in computed if len(computed) == 1 or self._leads_to_product(name)]
        return made[0] if len(made) == 1 else None

    def _bias(self, name: str) -> bool:
        """A constant that differs by head is a learned bias; one that is alike for all a mask."""
        shape = self.graph.tensor(name).shape or ()
        return self.constant(name) and len(shape) >= 3 and shape[-3] > 1

    def _leads_to_product(self, name: str) -> bool:
        node = self.producers.get(name)
        for _ in range(MOST_STEPS):
            if node is None or node.op == "MatMul" or node.op not in _MOVES | {"Add", "Mul"}:
                break
            computed = [name for name in node.inputs if not self.constant(name)]
            node = self.producers.get(computed[0]) if computed else None
        return node is not None and node.op == "MatMul"

    def unscaled(self, name: str) -> str:
        """The tensor before scalings by a constant (rule 3) and moves."""
        while (node := self.producers.get(name)) is not None:
            scalar = all(self.graph.tensor(n).size == 1 for n in node.inputs if self.constant(n))
            computed = [n for n in node.inputs if not self.constant(n)]
            moves = node.op in _MOVES or (node.op == "Mul" and scalar)
            if not moves or len(computed) != 1 or self.only_reader(name) is None:
                return name
            name = computed[0]
        return name


def recognize_attention(graph: OperatorGraph) -> OperatorGraph:
    """The graph with each softmax attention as one operator."""
    if not any(node.op == "Softmax" for node in graph.operators):
        return graph
    producers, consumers = graph.producers(), graph.consumers()
    outputs = frozenset(graph.outputs)
    made: dict[str, Operator] = {}
    for node in graph.operators:
        if node.op != "Softmax":
            continue
        search = _Search(graph, producers, consumers, outputs)
        values, scores = search.forward(node), search.scores(node)
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
    return without_dead(graph.replaced(made.get(node.outputs[0], node) for node in graph.operators))
