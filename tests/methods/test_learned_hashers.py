"""Hashers that run a trained network: their files, their names, the networks that are shipped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import BadOption, UnreadableModel
from assay.hashers import HASHERS
from assay.hashers._learned import SHIPPED, LearnedHasher
from assay.hashers._network_file import HashNetwork
from assay.values import Layer, LayerGraph
from assay.zoo import architectures, paper_architectures

LEARNED = ("boosted-minhash", "contrastive-gin", "ghashing", "hnn-net")


def shipped(name: str) -> LearnedHasher:
    hasher = HASHERS[name]()
    assert isinstance(hasher, LearnedHasher)
    return hasher


def relisted(graph: LayerGraph, seed: int) -> LayerGraph:
    order = np.random.default_rng(seed).permutation(len(graph.layers)).tolist()
    place = {old: new for new, old in enumerate(order)}
    edges = sorted((place[a], place[b]) for a, b in graph.edges)
    return LayerGraph(tuple(graph.layers[old] for old in order), tuple(edges), graph.rules)


@pytest.mark.parametrize("name", LEARNED)
def test_no_bit_of_any_family_of_the_zoo_depends_on_the_listing_order(name: str) -> None:
    hasher = shipped(name)
    found = {architecture.family: architecture for architecture in architectures()}
    for place, architecture in enumerate(found.values()):  # one of each family
        other = relisted(architecture.graph, place)
        logits = hasher.output(other).logits
        digest = np.packbits(logits > 0).tobytes()
        assert hasher.digest(architecture.graph) == digest, architecture.name
        assert abs(logits).min() > 1e-6, "far past what rounding changes"


@pytest.mark.parametrize("name", LEARNED)
def test_the_shipped_network_does_not_collapse(name: str) -> None:
    hasher = shipped(name)
    digests = [(each.family, hasher.digest(each.graph)) for each in paper_architectures()]
    for family, digest in digests:
        assert all(other != digest for kind, other in digests if kind != family), family
    assert len({digest for _, digest in digests}) > 10, "more than one code a family"
    codes = np.array([list(digest) for _, digest in digests], np.uint8)
    share = np.unpackbits(codes, axis=1).mean(0)
    assert ((share > 0) & (share < 1)).mean() > 0.8, "bits that never change say nothing"


@pytest.mark.parametrize("name", LEARNED)
def test_a_scheme_names_the_file(name: str) -> None:
    import hashlib

    content = (SHIPPED / f"{name}-64.safetensors").read_bytes()
    assert shipped(name).scheme == f"{name}-64@{hashlib.sha256(content).hexdigest()[:8]}"


def test_the_shipped_hnn_net_names_the_category() -> None:
    hasher = shipped("hnn-net")
    right = [hasher.classify(each.graph) for each in paper_architectures()]
    named = sum(
        guess is not None and guess[0] == each.family
        for guess, each in zip(right, paper_architectures(), strict=True)
    )
    assert named == 21


def test_ghashing_sees_no_costs_and_names_no_category() -> None:
    hasher = shipped("ghashing")
    graph = paper_architectures()[0].graph
    cheap = replace(graph, layers=tuple(replace(x, macs=1, parameters=0) for x in graph.layers))
    assert hasher(graph) == hasher(cheap)
    assert hasher.classify(graph) is None
    assert shipped("hnn-net")(graph) != shipped("hnn-net")(cheap)


@pytest.mark.parametrize("name", LEARNED)
def test_embeddings_are_nearer_for_one_family_than_for_all(name: str) -> None:
    hasher = shipped(name)
    rows = [(each.family, hasher.embed(each.graph)) for each in paper_architectures()]
    within, across = [], []
    for place, (family, row) in enumerate(rows):
        assert row is not None
        for other, another in rows[:place]:
            distance = float(np.linalg.norm(row - another))
            (within if family == other else across).append(distance)
    assert np.median(within) < np.median(across)


def changed(network: HashNetwork, **changes: Any) -> HashNetwork:
    return replace(network, **changes)


def wrong_networks() -> dict[str, HashNetwork]:
    network = shipped("hnn-net").network
    weights = dict(network.weights)
    short = weights | {"fc1.weight": weights["fc1.weight"][:, 1:].copy()}
    none = {name: weight for name, weight in weights.items() if name != "fc3.bias"}
    bias = weights["fc3.bias"]
    infinite = weights | {"fc3.bias": np.full_like(bias, np.inf)}
    huge = weights | {"fc3.bias": np.full_like(bias, 1e30)}
    double = weights | {"fc3.bias": bias.astype(np.float64)}
    return {
        "fc1.weight does not fit": changed(network, weights=short),
        "fc3.bias does not fit": changed(network, weights=none),
        "fc3.bias .* has weights past": changed(network, weights=infinite),
        "weights past 1e": changed(network, weights=huge),
        "fc3.bias is not float32": changed(network, weights=double),
        "codes have 7 bits": changed(network, bits=7),
        "codes have 0 bits": changed(network, bits=0),
        "is a network for ghashing": changed(network, method="ghashing"),
        "gcn1.weight does not fit": changed(network, vocabulary=network.vocabulary[1:]),
        "classifier": changed(network, categories=network.categories[1:]),
    }


@pytest.mark.parametrize("message", wrong_networks())
def test_a_file_that_does_not_fit_is_refused(message: str, tmp_path: Path) -> None:
    file = tmp_path / "network.safetensors"
    wrong_networks()[message].save(file)
    hasher: Any = HASHERS["hnn-net"]
    with pytest.raises(BadOption, match=message) as caught:
        hasher(weights=str(file))
    assert str(caught.value).startswith(str(file))


def file_of(header: str) -> bytes:
    return len(header).to_bytes(8, "little") + header.encode()


DEEP = "[" * 100_000 + "]" * 100_000
ENDLESS = json.dumps({"version": 1, "method": "hnn-net", "bits": float("inf"), "trained": {}})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff" * 64,
        (2**62).to_bytes(8, "little") + b"{}",
        file_of("{}"),
        file_of(DEEP),
        file_of(json.dumps({"__metadata__": {"assay": DEEP}})),
        file_of(json.dumps({"__metadata__": {"assay": ENDLESS}})),
    ],
    ids=["empty", "short", "noise", "long", "bare", "deep", "deep inside", "endless"],
)
def test_a_file_that_is_no_network_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "network.safetensors"
    file.write_bytes(content)
    with pytest.raises(BadOption, match="no trained hash network"):
        HashNetwork.load(file)


def test_a_missing_file_and_another_length_are_refused(tmp_path: Path) -> None:
    hasher: Any = HASHERS["hnn-net"]
    with pytest.raises(BadOption, match="cannot be read"):
        hasher(weights=str(tmp_path / "missing"))
    with pytest.raises(BadOption, match="comes with hnn-net of 64 bits: train one of 32"):
        hasher(bits=32)
    default: Any = HASHERS["boosted-minhash"]
    with pytest.raises(BadOption, match="with boosted-minhash of 64, 128, 256 bits: train one of"):
        default(bits=32)
    assert hasher(bits=64) == hasher(bits=64)


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    import os

    file = tmp_path / "network.safetensors"
    network = shipped("hnn-net").network
    network.save(file)
    hasher: Any = HASHERS["hnn-net"]
    before = hasher(weights=str(file)).scheme
    weights = dict(network.weights) | {"fc5.bias": network.weights["fc5.bias"] + 1}
    changed(network, weights=weights).save(file)
    os.utime(file, ns=(1, 1))
    assert hasher(weights=str(file)).scheme != before


def test_saving_is_exact_and_repeatable(tmp_path: Path) -> None:
    network = shipped("hnn-net").network
    file = tmp_path / "network.safetensors"
    network.save(file)
    read = HashNetwork.load(file)
    assert read == network
    assert read.to_bytes() == network.to_bytes() == file.read_bytes()
    assert all((read.weights[name] == network.weights[name]).all() for name in network.weights)


@pytest.mark.parametrize("name", LEARNED)
def test_a_graph_without_layers_is_refused(name: str) -> None:
    with pytest.raises(UnreadableModel, match="no layers"):
        shipped(name)(LayerGraph((), (), "g1"))


@pytest.mark.parametrize("name", LEARNED)
def test_a_hub_of_many_edges_takes_little_memory(name: str) -> None:
    import tracemalloc

    count = 20_000
    layers = (Layer("Concat", (1, 8)), *(Layer("Relu", (1, 8)) for _ in range(count)))
    edges = [(i, 0) for i in range(1, count + 1)] + [(i, i + 1) for i in range(1, count)]
    graph = LayerGraph(layers, tuple(sorted(edges)), "g1")
    tracemalloc.start()
    shipped(name).output(graph)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300 * 2**20
