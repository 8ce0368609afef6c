"""What every white-box comparison owes: itself first, the same both ways, no word too strong."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_weights import changed, eight_bits, moved, network, renamed, sketched

from assay.comparisons import COMPARISONS, kin
from assay.examine import quality
from assay.hashers import parted
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.values import Layer, LayerGraph, Record, Relation
from assay.zoo import architectures

ops = st.sampled_from(["Conv+Relu", "MaxPool", "Gemm", "Add", "mine::Odd"])
layers = st.builds(Layer, ops, st.sampled_from([None, (1, 8), (1, -1)]), st.integers(0, 10**9))
sizes = st.tuples(st.integers(1, 9), st.integers(8, 10**6))
shapes = st.dictionaries(sizes, st.integers(1, 9), min_size=1, max_size=9)


@st.composite
def records(draw: st.DrawFn) -> Record:
    nodes = tuple(draw(st.lists(layers, min_size=1, max_size=12)))
    graph = LayerGraph(nodes, tuple((i, i + 1) for i in range(len(nodes) - 1)), "g1")
    return Record(
        path="a.onnx",
        format="onnx",
        sha256=draw(st.sampled_from([None, "a" * 64, "b" * 64])),
        code=WeisfeilerLehman()(graph),
        graph=graph,
        quality=quality(graph),
    )


@st.composite
def graphless(draw: st.DrawFn) -> Record:
    made = tuple(sorted(draw(shapes).items()))
    return replace(draw(records()), code=None, graph=None, quality=0.0, shapes=made)


@st.composite
def listed(draw: st.DrawFn) -> Record:
    """Most of its tensors' shapes stand in one order, so that two have runs in common."""
    made = tuple(((8, size), 1) for size in range(9, 15))
    order = draw(st.permutations(range(6))) if draw(st.booleans()) else [*range(6)]
    return replace(draw(graphless()), shapes=made, order=tuple(order))


BASE = network(0)
SKETCHED = [  # copies, parts, twins and strangers
    sketched(weights)
    for weights in (
        BASE, BASE[:3], [*BASE, *renamed(network(1), "more")], changed(BASE, eight_bits),
        moved(BASE, 1, 0.3), moved(BASE, 2, 0.3), network(2),
    )
]  # fmt: skip


def _parted(name: str) -> Record:
    (graph,) = (each.graph for each in architectures() if each.name == name)
    hasher = WeisfeilerLehman()
    made = Record("a.onnx", "onnx", code=hasher(graph), graph=graph, quality=quality(graph))
    return parted(made, hasher)


PARTED = [*map(_parted, ("resnet50", "resnet101", "transformers/upernet"))]  # by its backbone
OTHERS = {  # what has something to compare, where it is no layer graph
    "tensor-shapes": graphless(),
    "tensor-order": listed(),
    "parts": st.sampled_from(PARTED),
    "weights": st.sampled_from(SKETCHED),
    "fragments": st.sampled_from([each for each in SKETCHED if each is not SKETCHED[3]]),  # rounded
}


def compared(name: str) -> st.SearchStrategy[Record]:
    return OTHERS.get(name, records())


OF_PARTS = ("parts",)  # nothing is said where all is alike: structure does
OF_FILES = ("aligned-weights",)  # what is stored of models does not suffice
names = pytest.mark.parametrize("name", [name for name in COMPARISONS if name not in OF_FILES])
of_files = pytest.mark.parametrize("name", OF_FILES)


def two(name: str, data: st.DataObject) -> tuple[Record, Record]:
    """Two records that the method can compare; not the same where it says nothing of that."""
    first = data.draw(compared(name))
    others = compared(name).filter(lambda other: name not in OF_PARTS or other is not first)
    return first, data.draw(others)


@names
@given(data=st.data())
def test_a_model_is_nearest_to_itself_and_order_does_not_matter(
    name: str, data: st.DataObject
) -> None:
    suspect, source = two(name, data)
    method = COMPARISONS[name]()
    before = deepcopy((suspect, source))
    self_evidence = method.compare(suspect, suspect)
    evidence, reverse = method.compare(suspect, source), method.compare(source, suspect)
    assert evidence is not None
    assert reverse is not None
    assert evidence.score == reverse.score
    assert (self_evidence is None) == (name in OF_PARTS)
    assert self_evidence is None or self_evidence.score >= evidence.score
    assert method.compare(suspect, source) == evidence
    assert (suspect, source) == before
    assert name.replace("-", "") in evidence.method.lower().replace("_", "")


@names
@given(data=st.data())
def test_structure_never_says_more_than_same_architecture(name: str, data: st.DataObject) -> None:
    suspect, source = two(name, data)
    method = COMPARISONS[name]()
    evidence = method.compare(suspect, source)
    assert evidence is not None
    if evidence.log10_false_alarm is None:
        assert method.relation(evidence) <= Relation.SAME_ARCHITECTURE


@given(suspect=records() | graphless(), source=records() | graphless())
def test_only_equal_bytes_are_identical(suspect: Record, source: Record) -> None:
    relation = kin(suspect, source).relation
    same_bytes = suspect.sha256 is not None and suspect.sha256 == source.sha256
    assert (relation is Relation.IDENTICAL) == same_bytes
    assert same_bytes or relation <= Relation.SAME_ARCHITECTURE


@names
@given(data=st.data())
def test_what_cannot_be_compared_gives_no_evidence(name: str, data: st.DataObject) -> None:
    method = COMPARISONS[name]()
    record = data.draw(compared(name))
    assert (
        method.compare(record, replace(record, graph=None, shapes=(), order=(), sketch=None))
        is None
    )


@given(record=records())
def test_graphs_of_different_rules_are_not_compared(record: Record) -> None:
    method = COMPARISONS["structure"]()
    assert record.graph is not None
    other_rules = replace(record, graph=replace(record.graph, rules="g0"))
    assert method.compare(record, other_rules) is None


@of_files
def test_of_files_too_a_model_is_nearest_to_itself_and_nothing_is_changed(name: str) -> None:
    method = COMPARISONS[name]()
    models = [
        {weight.name: weight for weight in weights}
        for weights in (BASE, BASE[:3], changed(BASE, eight_bits), moved(BASE, 1, 0.3), network(2))
    ]
    before = [{key: weight.read().copy() for key, weight in model.items()} for model in models]
    for suspect in models:
        own = method.compare_weights(suspect, suspect)
        assert own is not None
        assert method.relation(own) is Relation.SAME_MODEL
        for source in models:
            evidence = method.compare_weights(suspect, source)
            assert evidence is not None
            assert own.score >= evidence.score
            assert evidence == method.compare_weights(suspect, source)
            assert name.replace("-", "") in evidence.method.lower()
    for model, values in zip(models, before, strict=True):
        assert all(np.array_equal(model[key].read(), value) for key, value in values.items())


@of_files
def test_of_files_nothing_is_said_of_what_is_stored(name: str) -> None:
    assert COMPARISONS[name]().compare(SKETCHED[0], SKETCHED[0]) is None
