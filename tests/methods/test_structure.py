from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo_fixtures import ARCHITECTURES
from zoo_graphs import merged

from assay.comparisons.structure import Structure
from assay.examine import quality
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.values import Evidence, Layer, LayerGraph, Record, Relation

UNRELATED, SAME_FAMILY, SAME_ARCHITECTURE = (
    Relation.UNRELATED,
    Relation.SAME_FAMILY,
    Relation.SAME_ARCHITECTURE,
)


def record(graph: LayerGraph) -> Record:
    return Record("a.onnx", "onnx", graph=graph, quality=quality(graph))


def chain(*layers: Layer | str) -> LayerGraph:
    nodes = tuple(Layer(one, (1, 8)) if isinstance(one, str) else one for one in layers)
    return LayerGraph(nodes, tuple((i, i + 1) for i in range(len(nodes) - 1)), "g1")


def compared(a: LayerGraph, b: LayerGraph, method: Structure | None = None) -> Evidence:
    evidence = (method or Structure()).compare(record(a), record(b))
    assert evidence is not None
    return evidence


def named(a: str, b: str, variant: str = "dynamo-optimized") -> Relation:
    return Structure().relation(compared(merged(a), merged(b, 224, variant)))


@pytest.mark.parametrize("name", ["resnet50", "swin_t", "mobilenet_v3_small", "densenet121"])
def test_another_export_of_a_network_is_of_the_same_architecture(name: str) -> None:
    evidence = compared(merged(name), merged(name, 224, "legacy-unfolded"))
    assert (evidence.score, evidence.detail["equal"]) == (1.0, True)
    assert Structure().relation(evidence) is SAME_ARCHITECTURE


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_a_network_for_larger_images_is_of_the_same_family(name: str) -> None:
    evidence = compared(merged(name), merged(name, 256))
    assert not evidence.detail["equal"]
    assert Structure().relation(evidence) is SAME_FAMILY


@pytest.mark.parametrize(
    ("source", "suspect"),
    [
        ("resnet18", "resnet34"),
        ("resnet50", "resnet101"),
        ("resnet50", "wide_resnet50_2"),
        ("mnasnet0_75", "mnasnet1_0"),
        ("squeezenet1_0", "squeezenet1_1"),
        ("vit_b_16", "vit_b_32"),
        ("densenet121", "densenet169"),
        ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0"),
        ("convnext_tiny", "convnext_small"),
        ("vgg11", "vgg16_bn"),
    ],
)
def test_sizes_of_one_design_are_of_the_same_family(source: str, suspect: str) -> None:
    assert named(source, suspect) is SAME_FAMILY


@pytest.mark.parametrize(
    ("source", "suspect"),
    [
        ("vit_b_16", "resnet50"),
        ("swin_t", "vit_b_16"),
        ("googlenet", "inception_v3"),
        ("mobilenet_v2", "mobilenet_v3_large"),
        ("alexnet", "vgg11"),
        ("densenet121", "resnet50"),
    ],
)
def test_different_designs_are_unrelated(source: str, suspect: str) -> None:
    assert named(source, suspect) is UNRELATED


def test_only_the_two_that_are_equal_once_folded_are_called_the_same_architecture() -> None:
    same = [(a, b) for a, b in combinations(ARCHITECTURES, 2) if named(a, b) is SAME_ARCHITECTURE]
    assert same == [("vgg11", "vgg11_bn")]


FAMILIES = (
    {"vgg11", "vgg11_bn", "vgg13", "vgg16_bn"},
    {"resnet18", "resnet34"},
    {"resnet50", "resnet101", "resnext50_32x4d", "wide_resnet50_2"},
    {"squeezenet1_0", "squeezenet1_1"},
    {"mnasnet0_75", "mnasnet1_0"},
    {"densenet121", "densenet169"},
    {"efficientnet_b0", "efficientnet_b1"},
    {"shufflenet_v2_x0_5", "shufflenet_v2_x1_0"},
    {"regnet_y_400mf", "regnet_y_800mf"},
    {"convnext_tiny", "convnext_small"},
    {"vit_b_16", "vit_b_32"},
)


def test_nobody_is_called_a_relative_of_another_design() -> None:
    for pair in combinations(ARCHITECTURES, 2):
        if named(*pair) is not UNRELATED:
            assert any(family.issuperset(pair) for family in FAMILIES), pair


# --- the score ------------------------------------------------------------------------------------


def test_the_overlap_is_that_of_the_multisets_of_labels() -> None:
    # Round 0 only: 3 Relu and 1 Gemm against 2 Relu and 2 Gemm share 2 + 1 of 3 + 2.
    method = Structure(rounds=0)
    ours, theirs = chain("Relu", "Relu", "Relu", "Gemm"), chain("Relu", "Relu", "Gemm", "Gemm")
    assert method.overlap(ours, theirs, costs=False) == 3 / 5
    assert compared(ours, theirs, method).score == 0.6


def test_a_round_more_looks_an_edge_farther() -> None:
    # The same layers in another order: alike in round 0, in round 1 only where neighbors are too.
    ours, theirs = chain("A", "B", "C", "D"), chain("A", "C", "B", "D")
    assert Structure(rounds=0).overlap(ours, theirs, costs=True) == 1
    assert Structure(rounds=1).overlap(ours, theirs, costs=True) == 4 / 12


def test_the_score_is_the_mean_with_costs_and_without() -> None:
    small, large = (chain(*(Layer("Gemm", (1, 8), cost) for _ in range(9))) for cost in (10, 10**6))
    evidence = compared(small, large)
    assert (evidence.detail["overlap"], evidence.detail["design_overlap"]) == (0.0, 1.0)
    assert evidence.score == 0.5


def test_costs_of_as_many_digits_are_alike() -> None:
    one, other = (chain(*(Layer("Gemm", (1, 8), cost) for _ in range(9))) for cost in (1000, 9999))
    evidence = compared(one, other)
    assert evidence.score == 1.0
    assert evidence.detail["equal"] is False


def test_nothing_overlaps_with_an_empty_graph() -> None:
    empty = LayerGraph((), (), "g1")
    assert Structure().overlap(empty, chain("Relu"), costs=True) == 0
    assert Structure().overlap(empty, empty, costs=True) == 0


def test_the_evidence_says_what_it_is_from() -> None:
    a, b = merged("resnet18"), merged("resnet34")
    coded = [replace(record(graph), code=WeisfeilerLehman()(graph)) for graph in (a, b)]
    evidence = Structure().compare(*coded)
    assert evidence is not None
    assert evidence.method == repr(Structure())
    assert eval(evidence.method) == Structure()  # noqa: S307 - it is a repr
    assert evidence.log10_false_alarm is None
    assert evidence.detail == {
        "equal": False,
        "overlap": round(Structure().overlap(a, b, True), 4),
        "design_overlap": round(Structure().overlap(a, b, False), 4),
        "layers": [len(a.layers), len(b.layers)],
        "quality": 1.0,
        "distance": WeisfeilerLehman()(a) - WeisfeilerLehman()(b),
    }


def test_the_distance_is_left_out_where_codes_do_not_compare() -> None:
    graph = chain("Relu")
    with_code = replace(record(graph), code=WeisfeilerLehman()(graph))
    longer = replace(record(graph), code=WeisfeilerLehman(128)(graph))
    for other in (record(graph), longer):
        evidence = Structure().compare(with_code, other)
        assert evidence is not None
        assert "distance" not in evidence.detail


def test_without_two_graphs_of_the_same_rules_there_is_nothing_to_compare() -> None:
    full = record(chain("Relu"))
    raw = record(replace(chain("Relu"), rules="g1-raw"))
    for a, b in product((full,), (replace(full, graph=None), raw)):
        assert Structure().compare(a, b) is None
        assert Structure().compare(b, a) is None


# --- what it is called ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "trust", "relation"),
    [
        (1.0, 1.0, SAME_ARCHITECTURE),
        (0.9, 1.0, SAME_ARCHITECTURE),
        (0.8999, 1.0, SAME_FAMILY),
        (0.4, 1.0, SAME_FAMILY),
        (0.3999, 1.0, UNRELATED),
        (0.0, 1.0, UNRELATED),
        (1.0, 0.5, SAME_ARCHITECTURE),
        (1.0, 0.4999, SAME_FAMILY),
        (1.0, 0.4, SAME_FAMILY),
        (1.0, 0.3999, UNRELATED),
        (0.5, 0.75, UNRELATED),
    ],
)
def test_a_score_is_worth_what_the_graphs_are(
    score: float, trust: float, relation: Relation
) -> None:
    assert Structure().relation(Evidence("", score, None, {"quality": trust})) is relation


@given(
    score=st.floats(0, 1),
    trust=st.floats(0, 1),
    thresholds=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_no_threshold_makes_it_say_more_than_same_architecture(
    score: float, trust: float, thresholds: tuple[float, float, float]
) -> None:
    method = Structure(2, *thresholds)
    relation = method.relation(Evidence("", score, None, {"quality": trust}))
    assert relation <= SAME_ARCHITECTURE


def test_a_few_layers_are_alike_by_chance() -> None:
    tiny = compared(chain("Conv", "Relu", "Gemm"), chain("Conv", "Relu", "Gemm"))
    assert tiny.score == 1.0
    assert tiny.detail["quality"] == 0.375
    assert Structure().relation(tiny) is UNRELATED


def test_comparing_changes_nothing_and_is_the_same_again() -> None:
    a, b = chain("Conv", "Relu"), chain("Conv", "Tanh")
    before = Counter((a, b))
    assert compared(a, b) == compared(a, b)
    assert Counter((a, b)) == before
