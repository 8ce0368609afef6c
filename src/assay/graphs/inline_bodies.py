"""Bodies of control flow stand in the one list of operators, joined where they meet.

1. If(cond){then}{else} → both bodies, and for each output ``If(cond, then's, else's)``.
2. Loop(count, cond, carried…){body} → for each carried value a ``Loop`` that enters the body (its
   values are not constant: they change from turn to turn), the body once, and a ``Loop`` for each
   output that joins what went in with what came out.
3. Scan{body} → the same; what is scanned enters without its scanned axis.
"""

from __future__ import annotations

from collections.abc import Iterator

from assay.errors import UnreadableModel
from assay.graphs.operators import BOOL, INT64, Operator, OperatorGraph, Tensor

MOST_OPERATORS = 100_000
CONTROL = {"If", "Loop", "Scan"}


def inline_bodies(graph: OperatorGraph) -> OperatorGraph:
    """The graph without nested graphs.  Raises UnreadableModel past MOST_OPERATORS."""
    if not any(node.op in CONTROL for node in graph.operators):
        return graph
    tensors = dict(graph.tensors)
    operators: list[Operator] = []
    for node in _flat(graph, tensors):
        operators.append(node)
        if len(operators) > MOST_OPERATORS:
            raise UnreadableModel(f"more than {MOST_OPERATORS:,} operators")
    return graph.replaced(operators, tensors)


def _flat(graph: OperatorGraph, tensors: dict[str, Tensor]) -> Iterator[Operator]:
    for node in graph.operators:
        bodies = {k: v for k, v in node.attributes.items() if isinstance(v, OperatorGraph)}
        if node.op not in CONTROL or not bodies:
            yield node
            continue
        if node.op == "If":
            yield from _branches(node, bodies, tensors)
        else:
            yield from _turns(node, next(iter(bodies.values())), tensors)


def _branches(
    node: Operator, bodies: dict[str, OperatorGraph], tensors: dict[str, Tensor]
) -> Iterator[Operator]:
    branches = [bodies[name] for name in ("then_branch", "else_branch") if name in bodies]
    for body in branches:
        tensors |= body.tensors
        yield from _flat(body, tensors)
    for place, output in enumerate(node.outputs):
        results = tuple(b.outputs[place] for b in branches if place < len(b.outputs))
        if output:
            yield Operator("If", (*node.inputs, *results), (output,))


def _turns(node: Operator, body: OperatorGraph, tensors: dict[str, Tensor]) -> Iterator[Operator]:
    own = set(body.inputs)
    tensors |= {k: v for k, v in body.tensors.items() if k not in own}
    scanned: tuple[str, ...] = ()
    if node.op == "Loop":
        carried, entered = node.inputs[2:], body.inputs[2:]
        results = body.outputs[1:]  # the first is the condition to go on
        tensors |= zip(body.inputs, (Tensor(INT64, ()), Tensor(BOOL, ())), strict=False)
    else:
        count = max(0, len(node.inputs) - node.integer("num_scan_inputs", 0))
        carried, scanned = node.inputs[:count], node.inputs[count:]
        entered, results = body.inputs, body.outputs
    sources = (*carried, *scanned)
    for place, (source, name) in enumerate(zip(sources, entered, strict=False)):
        slices = {"scanned": 1} if place >= len(carried) else {}
        yield Operator(node.op, (source,), (name,), slices)
    for name in entered[len(sources) :]:
        tensors[name] = Tensor()
    yield from _flat(body, tensors)
    for place, output in enumerate(node.outputs):
        if output and place < len(results):
            before = sources[place : place + 1] if place < len(carried) else ()
            stacked = {} if before else {"stacked": 1}
            yield Operator(node.op, (results[place], *before), (output,), stacked)
