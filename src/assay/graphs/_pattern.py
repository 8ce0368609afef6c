"""Rewrite rules written as text: ``Mul(x, Sigmoid(x))`` becomes ``Swish(x)``.

In a pattern, ``Mul(a, b)`` is an operator with its inputs (Add and Mul match either way round),
``A|B(…)`` either operator, a number a constant with that value everywhere, ``$s`` a constant of
one element, ``%w`` any constant, and any other word a tensor; a word that stands twice is the same
tensor twice.  Inputs beyond those written are ignored only where the pattern ends with ``…``.
What stands inside a match may be read by nothing outside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from assay.graphs.operators import Operator, OperatorGraph, Tensor

_COMMUTATIVE = {"Add", "Mul", "Sum"}
_MOST_INPUTS = 8  # more than any pattern names, and empty ones between them
_CLOSE = 2e-3  # relative; constants are rounded differently by exporters, and in half precision


@dataclass(frozen=True)
class Call:
    """An operator in a pattern, with what it reads."""

    ops: frozenset[str]
    inputs: tuple[Call | str | float, ...]
    open: bool  # further inputs are ignored

    def needs(self) -> tuple[frozenset[str], ...]:
        """The operators that its inputs must come from, one set for each of them."""
        return tuple(inner.ops for inner in self.inputs if isinstance(inner, Call))


@dataclass
class Found:
    """A match: what the words are bound to, and the operators that it covers."""

    graph: Mapping[str, Tensor]
    words: dict[str, str] = field(default_factory=dict)  # word → tensor's name
    covered: dict[str, Operator] = field(default_factory=dict)  # by first output

    def number(self, word: str) -> float:
        """The value of a ``$`` constant."""
        value = self.graph[self.words[word]].value
        assert value is not None
        return float(value.reshape(-1)[0])

    def copy(self) -> Found:
        """The same match, to be continued in another way."""
        return Found(self.graph, dict(self.words), dict(self.covered))


Build = Callable[[Found, Operator], Mapping[str, Any] | None]  # attributes; None: not after all


@dataclass(frozen=True)
class Rule:
    """A pattern, the operator it becomes, what that reads, and how its attributes are made."""

    pattern: str
    op: str
    inputs: tuple[str, ...]
    attributes: Build | None = None


def rewrite(graph: OperatorGraph, rules: Sequence[Rule]) -> OperatorGraph:
    """The graph with every rule applied, in one walk from inputs to outputs; first rule wins."""
    by_op: dict[str, list[_Candidate]] = {}
    for rule in rules:
        candidate = _Candidate.of(rule)
        for op in candidate.call.ops:
            by_op.setdefault(op, []).append(candidate)
    if not any(node.op in by_op for node in graph.operators):
        return graph
    producers, readers = graph.producers(), _reader_counts(graph)
    gone: set[str] = set()
    made: dict[str, Operator] = {}
    for node in graph.operators:
        for rule, call in _promising(by_op.get(node.op), node, producers):
            result = _apply(rule, call, node, graph.tensors, producers, readers)
            if result is None:
                continue
            new, covered = result
            for old in covered:
                gone.add(old.outputs[0])
                _count(readers, old.inputs, -1)
            gone.discard(node.outputs[0])
            _count(readers, new.inputs, 1)
            made[node.outputs[0]] = producers[node.outputs[0]] = new
            break
    kept = [
        made.get(node.outputs[0], node) for node in graph.operators if node.outputs[0] not in gone
    ]
    return graph.replaced(kept)


@dataclass(frozen=True)
class _Candidate:
    """A rule with its pattern, and the operators that must stand one and two steps before it."""

    rule: Rule
    call: Call
    near: tuple[frozenset[str], ...]
    far: tuple[frozenset[str], ...]

    @classmethod
    def of(cls, rule: Rule) -> _Candidate:
        call = parse(rule.pattern)
        inner = [one for one in call.inputs if isinstance(one, Call)]
        return cls(rule, call, call.needs(), tuple(ops for one in inner for ops in one.needs()))


def _promising(
    candidates: list[_Candidate] | None, node: Operator, producers: Mapping[str, Operator]
) -> Iterator[tuple[Rule, Call]]:
    """The rules that the operators just before ``node`` allow: nearly all fail here, cheaply."""
    if candidates is None:
        return
    sources = [producers[name] for name in node.inputs[:_MOST_INPUTS] if name in producers]
    before = {name for source in sources for name in source.inputs[:_MOST_INPUTS]}
    near = {source.op for source in sources}
    far = {producers[name].op for name in before if name in producers}
    for one in candidates:
        if not any(map(near.isdisjoint, one.near)) and not any(map(far.isdisjoint, one.far)):
            yield one.rule, one.call


def _apply(
    rule: Rule,
    call: Call,
    node: Operator,
    tensors: Mapping[str, Tensor],
    producers: Mapping[str, Operator],
    readers: Mapping[str, int],
) -> tuple[Operator, list[Operator]] | None:
    for found in _match_call(call, node, Found(tensors), producers):
        covered = list(found.covered.values())
        if not _closed(covered, node, readers):
            continue
        attributes = rule.attributes(found, node) if rule.attributes else {}
        if attributes is None:
            continue
        inputs = tuple(found.words[word] for word in rule.inputs if word in found.words)
        return Operator(rule.op, inputs, node.outputs[:1], attributes), covered
    return None


def _closed(covered: list[Operator], root: Operator, readers: Mapping[str, int]) -> bool:
    """Whether all that is written inside, but for the root, is read inside only."""
    inside: dict[str, int] = {}
    _count(inside, [name for node in covered for name in node.inputs], 1)
    return all(
        readers.get(name, 0) == inside.get(name, 0)
        for node in covered
        if node is not root
        for name in node.outputs
        if name
    )


def _reader_counts(graph: OperatorGraph) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in graph.operators:
        _count(counts, node.inputs, 1)
    _count(counts, graph.outputs, 1)
    return counts


def _count(counts: dict[str, int], names: Iterable[str], step: int) -> None:
    for name in names:
        counts[name] = counts.get(name, 0) + step


def _match_call(
    call: Call, node: Operator, found: Found, producers: Mapping[str, Operator]
) -> Iterator[Found]:
    if node.op not in call.ops:
        return
    inputs = [name for name in node.inputs if name]
    if len(inputs) < len(call.inputs) or (len(inputs) > len(call.inputs) and not call.open):
        return
    orders = [inputs]
    if node.op in _COMMUTATIVE and len(inputs) == 2:
        orders.append(inputs[::-1])
    numbers = [(place, n) for place, n in enumerate(call.inputs) if isinstance(n, float)]
    for order in orders:
        if all(_equals(found.graph.get(order[place]), number) for place, number in numbers):
            here = found.copy()
            here.covered[node.outputs[0]] = node
            yield from _match_inputs(call.inputs, order, here, producers)


def _match_inputs(
    wanted: tuple[Call | str | float, ...],
    names: Sequence[str],
    found: Found,
    producers: Mapping[str, Operator],
) -> Iterator[Found]:
    if not wanted:
        yield found
        return
    for partial in _match_input(wanted[0], names[0], found, producers):
        yield from _match_inputs(wanted[1:], names[1:], partial, producers)


def _match_input(
    wanted: Call | str | float, name: str, found: Found, producers: Mapping[str, Operator]
) -> Iterator[Found]:
    if isinstance(wanted, Call):
        node = producers.get(name)
        if node is not None and node.outputs[0] == name:
            yield from _match_call(wanted, node, found, producers)
        return
    if isinstance(wanted, float):
        yield found  # the numbers of a call are looked at first
        return
    tensor = found.graph.get(name)
    if wanted[0] in "$%":
        if tensor is None or not tensor.constant:
            return
        if wanted[0] == "$" and (tensor.value is None or not _uniform(tensor)):
            return
    bound = found.words.get(wanted)
    if bound is None:
        found = found.copy()
        found.words[wanted] = name
        yield found
    elif bound == name:
        yield found


def _uniform(tensor: Tensor) -> bool:
    value = tensor.value
    if value is None or value.size == 0:
        return False
    return not any(value.strides) or bool((value == value.reshape(-1)[0]).all())


def _equals(tensor: Tensor | None, number: float) -> bool:
    if tensor is None or not tensor.constant or tensor.value is None or not _uniform(tensor):
        return False
    return abs(float(tensor.value.reshape(-1)[0]) - number) <= _CLOSE * abs(number)


@cache
def parse(text: str) -> Call:
    """A pattern's text as a tree."""
    call, rest = _parse(re.findall(r"[\w|:.$%-]+|[(),…]", text))
    assert isinstance(call, Call), text
    assert not rest, text
    return call


def _parse(words: list[str]) -> tuple[Call | str | float, list[str]]:
    word, rest = words[0], words[1:]
    if rest[:1] != ["("]:
        return (float(word) if re.fullmatch(r"-?[\d.]+", word) else word), rest
    inputs: list[Call | str | float] = []
    rest, is_open = rest[1:], False
    while rest[0] != ")":
        if rest[0] == "…":
            is_open, rest = True, rest[1:]
            continue
        item, rest = _parse(rest)
        inputs.append(item)
        rest = rest[1:] if rest[0] == "," else rest
    return Call(frozenset(word.split("|")), tuple(inputs), is_open), rest[1:]
