"""Labels of layers: what each kind sees, and what it is blind to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from assay.graphs import layer_labels, variants
from assay.graphs.label_kinds import FACTS, SIZES, Kind
from assay.graphs.layer_labels import LayerLabels
from assay.graphs.running_order import neighbors, running_order
from assay.trainers._candidate_kinds import KINDS
from assay.values import Layer, LayerGraph
from assay.zoo import architectures

ZOO = {each.name: each.graph for each in architectures()}
SOME = ("resnet18", "vit_b_16", "mobilenet_v2", "densenet121")


def labels(graph: LayerGraph, kind: str) -> list[int]:
    return sorted(LayerLabels(graph)(Kind.of(kind)).tolist())


def relisted(graph: LayerGraph, seed: int) -> LayerGraph:
    order = np.random.default_rng(seed).permutation(len(graph.layers)).tolist()
    place = {old: new for new, old in enumerate(order)}
    edges = sorted((place[a], place[b]) for a, b in graph.edges)
    return LayerGraph(tuple(graph.layers[old] for old in order), tuple(edges), graph.rules)


def test_facts_and_sizes_are_those_that_have_names() -> None:
    assert tuple(layer_labels.FACTS) == FACTS
    assert tuple(LayerLabels(ZOO["resnet18"]).sizes) == SIZES


@pytest.mark.parametrize("name", SOME)
def test_no_kind_depends_on_the_listing_order(name: str) -> None:
    graph, other = ZOO[name], relisted(ZOO[name], 3)
    first, second = LayerLabels(graph), LayerLabels(other)
    for kind in map(Kind.of, KINDS):
        assert sorted(first(kind).tolist()) == sorted(second(kind).tolist()), kind
    assert first.sizes == second.sizes


def test_what_many_layers_read_of_many_depends_on_no_listing_order() -> None:
    """A concatenation of a hundred layers, read by sixty: of pairs those that are taken are few."""
    conv = [Layer("Conv", (1, 8, 4, 4), 10, 10 + i % 40) for i in range(160)]
    layers = (*conv[:100], Layer("Concat", (1, 800, 4, 4)), *conv[100:])
    joined = [(i, 100) for i in range(100)] + [(100, i) for i in range(101, 161)]
    graph = LayerGraph(layers, tuple(sorted([*joined, *((i, 101 + i) for i in range(60))])), "g1")
    pairs = labels(graph, "base parameters pairs")
    assert len(graph.edges) < len(pairs) <= len(graph.edges) + 60 * 64
    for seed in range(3):
        assert labels(relisted(graph, seed), "base parameters pairs") == pairs


def at_size(graph: LayerGraph, factor: int) -> LayerGraph:
    """As if traced with images ``factor`` times as large."""
    layers = tuple(
        replace(
            layer,
            shape=(*layer.shape[:2], *(factor * side for side in layer.shape[2:])),
            macs=layer.macs * factor**2,
        )
        if layer.shape and len(layer.shape) == 4
        else layer
        for layer in graph.layers
    )
    return replace(graph, layers=layers)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121"])
def test_no_kind_depends_on_the_size_of_images(name: str) -> None:
    first, second = LayerLabels(ZOO[name]), LayerLabels(at_size(ZOO[name], 2))
    for kind in map(Kind.of, KINDS):
        assert (first(kind) == second(kind)).all(), kind
    assert first.sizes == second.sizes


def test_each_fact_tells_something_apart() -> None:
    """No fact is the same number for all layers of all of some networks."""
    for fact in FACTS:
        found = {label for name in SOME for label in labels(ZOO[name], fact)}
        assert len(found) > 1, fact


def test_widths_by_their_ratio_stay_when_all_are_scaled() -> None:
    graph = ZOO["resnet18"]
    half = variants.rescaled(graph, 0.5, np.random.default_rng(0))
    assert half
    for kind in ("core stem", "core share", "base growth", "weighted base wl1"):
        same = np.isin(labels(half.graph, kind), labels(graph, kind)).mean()
        assert same > 0.9, kind
    assert np.isin(labels(half.graph, "core channels"), labels(graph, "core channels")).mean() < 0.9


def test_layers_with_weights_see_each_other_past_what_has_none() -> None:
    conv = Layer("Conv", (1, 8, 4, 4), 10, 10, (("kernel_shape", (3, 3)),))
    plain = LayerGraph((conv, conv), ((0, 1),), "g1")
    relu = Layer("Relu", (1, 8, 4, 4))
    spelled = LayerGraph((conv, relu, relu, conv), ((0, 1), (1, 2), (2, 3)), "g1")
    for kind in ("weighted base wl2", "weighted base back1", "weighted base wl1 within level"):
        assert labels(plain, kind) == labels(spelled, kind), kind
    assert labels(plain, "core wl1") != labels(spelled, "core wl1")


def test_the_first_layers_stay_when_the_last_are_cut_off() -> None:
    graph = ZOO["vgg11"]
    order = running_order(*neighbors(graph))
    cut = variants.truncated(graph, 0.4, np.random.default_rng(0))
    assert cut
    assert len(cut.graph.layers) < len(order)
    for kind in ("weighted base first 3", "weighted core stem first 3"):
        assert labels(graph, kind) == labels(cut.graph, kind)
    assert labels(graph, "weighted base") != labels(cut.graph, "weighted base")


def test_counted_labels_say_how_often() -> None:
    layer = Layer("Relu", (1, 8))
    four, five, sixteen = (LayerGraph((layer,) * n, (), "g1") for n in (4, 5, 16))
    assert len(labels(four, "core counted")) == 1
    assert labels(four, "core octaves") == labels(five, "core octaves")
    assert labels(four, "core counted") != labels(five, "core counted")
    assert labels(four, "core octaves") != labels(sixteen, "core octaves")


@pytest.mark.parametrize(
    "name",
    [
        "", "weighted", "colour", "core first -1", "core first x", "core within", "core within wl1",
        "core pairs within level", "core pairs first 3", "weighted core pairs",
    ],
)  # fmt: skip
def test_what_is_no_kind_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no kind of labels|invalid literal"):
        Kind.of(name)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_graphs_have_labels(kind: str) -> None:
    """No layers, no weights, no shapes, a cycle."""
    lone, blank = Layer("Softmax", (1, 8)), Layer("my::op", None)
    for layers, edges in (
        ((), ()),
        ((lone,), ()),
        ((blank, blank), ((0, 1), (1, 0))),
        ((Layer("Conv", (), 2**70, 2**70), blank), ((0, 1), (1, 1))),
    ):
        graph = LayerGraph(tuple(layers), tuple(edges), "g1")
        found = LayerLabels(graph)(Kind.of(kind))
        assert found.dtype == np.uint64
        assert len(found) <= 2 * len(layers)
