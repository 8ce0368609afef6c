from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zoo_fixtures import ARCHITECTURES
from zoo_graphs import merged

from assay.errors import BadOption, SchemeMismatch
from assay.graphs import VERSION
from assay.graphs.neighborhoods import rounds
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.values import HashCode, Layer, LayerGraph

BITS = (16, 32, 64, 128, 256)
# Codes that were stored once: where one changes, graph rules have changed, and VERSION has to.
STORED = {
    "resnet18": "282ba6c6e1dce17d",
    "mobilenet_v3_small": "2b9bed234dccd34d",
    "vit_b_32": "308eeb979da9d07c",
}


def naive(graph: LayerGraph, bits: int, count: int) -> bytes:
    """Every label votes on every bit, one after the other."""
    counts = Counter(label for labels in rounds(graph, count) for label in labels)
    digest = 0
    for bit in range(bits):
        votes = 0.0
        for label in sorted(counts):
            own = blake2b(label, digest_size=bits // 8, person=b"assay-simhash").digest()
            set_bit = int.from_bytes(own) >> (bits - 1 - bit) & 1
            votes += sqrt(counts[label]) * (1 if set_bit else -1)
        digest = digest << 1 | (votes > 0)
    return digest.to_bytes(bits // 8)


def relisted(graph: LayerGraph, seed: int) -> LayerGraph:
    """The same graph with its layers listed in another order."""
    order = list(range(len(graph.layers)))
    random.Random(seed).shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    edges = tuple(sorted((place[a], place[b]) for a, b in graph.edges))
    return LayerGraph(tuple(graph.layers[old] for old in order), edges, graph.rules)


def code(name: str, bits: int = 64) -> HashCode:
    return WeisfeilerLehman(bits)(merged(name))


@pytest.mark.parametrize("name", STORED)
def test_a_stored_code_keeps_its_meaning(name: str) -> None:
    assert str(code(name)) == f"weisfeiler-lehman-64+{VERSION}:{STORED[name]}"
    assert VERSION == "g1"


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_code_is_the_sign_of_the_votes(bits: int, count: int) -> None:
    graph = merged("squeezenet1_1")
    assert WeisfeilerLehman(bits, count).digest(graph) == naive(graph, bits, count)


@pytest.mark.parametrize("bits", BITS)
def test_as_many_bits_as_are_asked_for(bits: int) -> None:
    made = code("squeezenet1_1", bits)
    assert len(made) == bits
    assert made.scheme == f"weisfeiler-lehman-{bits}+{VERSION}"
    assert HashCode.parse(str(made)) == made


def test_the_scheme_names_every_option() -> None:
    schemes = {WeisfeilerLehman(b, r).scheme for b in BITS for r in range(10)}
    assert len(schemes) == len(BITS) * 10
    assert WeisfeilerLehman().scheme == "weisfeiler-lehman-64"
    assert WeisfeilerLehman(128, 3).scheme == "weisfeiler-lehman-128r3"


def test_codes_of_different_bits_rounds_or_rules_do_not_subtract() -> None:
    graph = merged("squeezenet1_1")
    base = WeisfeilerLehman()(graph)
    for other in (
        WeisfeilerLehman(128)(graph),
        WeisfeilerLehman(64, 3)(graph),
        WeisfeilerLehman()(replace(graph, rules="g1-raw")),
    ):
        with pytest.raises(SchemeMismatch):
            base - other


@pytest.mark.parametrize("bits", [0, 8, 63, 65, 100, 512, -64])
def test_other_numbers_of_bits_are_refused(bits: int) -> None:
    with pytest.raises(BadOption, match="bits must be one of"):
        WeisfeilerLehman(bits)


@pytest.mark.parametrize("count", [-1, 10])
def test_other_numbers_of_rounds_are_refused(count: int) -> None:
    with pytest.raises(BadOption, match="rounds must be 0 to 9"):
        WeisfeilerLehman(64, count)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_listing_order_flips_a_bit(name: str) -> None:
    graph = merged(name)
    for bits in (16, 64, 256):
        hasher = WeisfeilerLehman(bits)
        assert {hasher(relisted(graph, seed)) for seed in range(3)} == {hasher(graph)}


def test_different_networks_have_different_codes() -> None:
    codes = {name: code(name) for name in ARCHITECTURES if name != "vgg11_bn"}
    assert len(set(codes.values())) == len(codes)


def test_the_nearest_code_is_that_of_the_same_design_in_another_size() -> None:
    families = (
        ("resnet18", "resnet34"),
        ("squeezenet1_0", "squeezenet1_1"),
        ("mnasnet0_75", "mnasnet1_0"),
        ("densenet121", "densenet169"),
        ("vit_b_16", "vit_b_32"),
        ("efficientnet_b0", "efficientnet_b1"),
        ("vgg11", "vgg13"),
        ("regnet_y_400mf", "regnet_y_800mf"),
    )
    codes = {name: code(name, 256) for pair in families for name in pair}
    for pair in families:
        for name, other in (pair, pair[::-1]):
            rest = {n: codes[name] - c for n, c in codes.items() if n != name}
            assert min(rest, key=lambda n: rest[n]) == other, rest


def test_one_layer_more_moves_few_bits() -> None:
    graph = merged("resnet50")
    longer = LayerGraph(
        (*graph.layers, Layer("Softmax", (1, 1000), 5000)),
        (*graph.edges, (len(graph.layers) - 1, len(graph.layers))),
        graph.rules,
    )
    assert 0 < WeisfeilerLehman(256)(graph) - WeisfeilerLehman(256)(longer) <= 25


def test_a_repeated_block_does_not_outvote_the_rest() -> None:
    # 100 alike layers count 10 times as much as one; 100 times would decide every bit alone.
    def network(tail: str) -> LayerGraph:
        repeated = [Layer("Relu", (1,), 8)] * 100
        return LayerGraph((*repeated, *(Layer(f"{tail}{i}", (1,), 8) for i in range(60))), (), "g1")

    hasher = WeisfeilerLehman(256, 0)
    assert hasher(network("A")) - hasher(network("B")) > 20


@given(
    ops=st.lists(st.sampled_from(["Conv", "Relu", "Gemm", "Add"]), max_size=6),
    bits=st.sampled_from(BITS),
)
def test_small_and_empty_graphs_have_codes(ops: list[str], bits: int) -> None:
    layers = tuple(Layer(op, (1, 8), 10) for op in ops)
    edges = tuple((i, i + 1) for i in range(len(ops) - 1))
    graph = LayerGraph(layers, edges, "g1")
    hasher = WeisfeilerLehman(bits)
    assert hasher.digest(graph) == naive(graph, bits, 2)
    assert len(hasher(graph)) == bits
