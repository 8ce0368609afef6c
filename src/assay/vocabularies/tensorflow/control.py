"""TensorFlow's loops and branches, written once and joined where they meet [raw operators].

1. While(…){cond}{body} → for each value that changes a ``Loop`` that enters the body, the body
   once, and a ``Loop`` that joins what went in with what came out.  What the body hands on as it
   got it is the same tensor throughout, so weights are followed into loops.
2. If(cond){then}{else} → both bodies, and ``If(cond, then's, else's)`` for each result; of a known
   condition the branch that is taken.
3. Old graphs spell both with Enter, Merge, Switch, NextIteration and Exit: a Merge of what enters
   and what comes back is a loop's, any other joins the branches behind a Switch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from assay.errors import UnreadableModel
from assay.vocabularies.tensorflow.bodies import Body, GraphNode, origin, place_of

if TYPE_CHECKING:
    from assay.vocabularies.tensorflow.graph import Expansion, Frame

_AGAIN = frozenset({"NextIteration", "RefNextIteration"})
_MERGES = frozenset({"Merge", "RefMerge"})
_EXITS = frozenset({"Exit", "RefExit"})
_SWITCHES = frozenset({"Switch", "RefSwitch"})
_FARTHEST = 200  # nodes between the branches' end and their beginning


def sources(body: Body, node: GraphNode) -> Sequence[str]:
    """The tensors that must be known before a node is."""
    if node.op in _MERGES:
        return [name for name in node.inputs if body.op(name) not in _AGAIN]
    if node.op in _EXITS:
        return [*node.inputs, *_returned(body, node)]
    return node.inputs


def _while(expansion: Expansion, node: GraphNode, frame: Frame) -> list[str]:
    """Rule 1."""
    name = node.attributes.function("body")
    body = expansion.library.function(name)
    before = [frame.known[each] for each in node.inputs]
    if not len(before) == len(body.arguments) == len(body.results):
        raise UnreadableModel(f"the loop {node.name[:80]!r} returns what it does not read")
    same = [body.source(r) == a for r, a in zip(body.results, body.arguments, strict=True)]
    build = expansion.build
    inside = [n if s else build.add("Loop", [n]) for n, s in zip(before, same, strict=True)]
    after = expansion.call(name, inside, frame.depth)
    return [
        old if stays else build.add("Loop", [new, old])
        for old, new, stays in zip(before, after, same, strict=True)
    ]


def _if(expansion: Expansion, node: GraphNode, frame: Frame) -> list[str]:
    """Rule 2."""
    condition, *inputs = (frame.known[each] for each in node.inputs)
    taken = _known(expansion, condition)
    sides = [True, False] if taken is None else [taken]
    results = [
        expansion.call(
            node.attributes.function("then_branch" if side else "else_branch"), inputs, frame.depth
        )
        for side in sides
    ]
    if len(results) == 1:
        return results[0]
    return [expansion.build.add("If", [condition, *pair]) for pair in zip(*results, strict=False)]


def _case(expansion: Expansion, node: GraphNode, frame: Frame) -> list[str]:
    """Rule 2, of many branches."""
    condition, *inputs = (frame.known[each] for each in node.inputs)
    names = node.attributes.functions("branches")
    results = [expansion.call(name, inputs, frame.depth) for name in names]
    return [expansion.build.add("If", [condition, *each]) for each in zip(*results, strict=False)]


def _merge(expansion: Expansion, node: GraphNode, frame: Frame) -> list[str]:
    """Rule 3: where a loop begins, or where branches end."""
    inputs = sources(frame.body, node)
    known = [frame.known[name] for name in inputs]
    if len(known) < len(node.inputs):
        if not known or _is_kept(frame.body, node):
            return known[:1]
        return [expansion.build.add("Loop", known[:1])]
    if len(known) != 2:
        return known[:1]
    ends = [_switch(expansion, frame.body, name) for name in inputs]
    behind, is_true = next((end for end in ends if end is not None), ("", True))
    condition = frame.known.get(behind, "")
    known = known if (ends[0] is not None) == is_true else known[::-1]
    taken = _known(expansion, condition)
    if taken is not None:
        return [known[0 if taken else 1]]
    return [expansion.build.add("If", [condition, *known])]


def _exit(expansion: Expansion, node: GraphNode, frame: Frame) -> list[str]:
    """Rule 3: where a loop ends."""
    known = [frame.known[name] for name in node.inputs[:1]]
    after = [frame.known[name] for name in _returned(frame.body, node)]
    return [expansion.build.add("Loop", [after[0], *known])] if after else known


def _is_kept(body: Body, merge: GraphNode) -> bool:
    """Whether a loop hands on as it is what enters at a Merge."""
    again = next((name for name in merge.inputs if body.op(name) in _AGAIN), "")
    back = body.source(next(iter(body.node(origin(again)).inputs), "")) if again else ""
    if body.op(back) not in _SWITCHES:
        return False
    return [origin(name) for name in body.node(origin(back)).inputs[:1]] == [merge.name]


def _returned(body: Body, node: GraphNode) -> list[str]:
    """What a loop computes of the value that leaves it: Exit ← Switch ← Merge ← NextIteration."""
    name = node.inputs[0] if node.inputs else ""
    for ops in (_SWITCHES, _MERGES):
        if body.op(name) not in ops:
            return []
        inputs = body.node(origin(name)).inputs
        if ops is _MERGES and _is_kept(body, body.node(origin(name))):
            return []
        name = next((each for each in inputs if ops is _SWITCHES or body.op(each) in _AGAIN), "")
    return [*body.node(origin(name)).inputs[:1]] if name else []


def _switch(expansion: Expansion, body: Body, name: str) -> tuple[str, bool] | None:
    """The condition of the Switch that a branch begins with, and whether it is the true one."""
    waiting, seen = [name], {name}
    while waiting and len(seen) < _FARTHEST:
        here = waiting.pop(0)
        expansion.count(1)
        if not body.op(here):
            continue
        node = body.node(origin(here))
        if node.op in _SWITCHES and len(node.inputs) == 2:
            return node.inputs[1], place_of(here) == 1
        more = [each for each in node.inputs if each not in seen]
        seen.update(more)
        waiting += more
    return None


def _known(expansion: Expansion, condition: str) -> bool | None:
    """What a condition is, where the graph says so."""
    value = expansion.build.known(condition).value
    return None if value is None or value.size != 1 else bool(value.reshape(-1)[0])


CONTROL: dict[str, Callable[[Expansion, GraphNode, Frame], list[str]]] = {
    **dict.fromkeys(("While", "StatelessWhile"), _while),
    **dict.fromkeys(("If", "StatelessIf"), _if),
    **dict.fromkeys(("Case", "StatelessCase"), _case),
    **dict.fromkeys(_MERGES, _merge),
    **dict.fromkeys(_EXITS, _exit),
}
