"""Variants of architectures: what each changes, what it leaves, and how many edits it is."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest

from assay.graphs import rewrites, variants
from assay.graphs._drafts import Variant
from assay.graphs.channels import last_makers, resized
from assay.graphs.cut_points import Trunk, repeats
from assay.graphs.variants import Change
from assay.values import Layer, LayerGraph
from assay.zoo import architectures

CHANGES: dict[str, tuple[Change, float]] = {
    "contracted": (variants.contracted, 0.1),
    "torn": (variants.torn, 0.1),
    "truncated": (variants.truncated, 0.4),
    "rescaled": (variants.rescaled, 0.7),
    "pruned": (variants.pruned, 0.5),
    "other kernels": (variants.other_kernels, 1.0),
    "other activations": (variants.other_activations, 1.0),
    "shortened": (variants.shortened, 0.3),
    "deepened": (variants.deepened, 0.3),
    "stage removed": (variants.stage_removed, 0.3),
    "other head": (variants.other_head, 1.0),
    "inserted": (variants.inserted, 0.3),
    "spelled out": (rewrites.spelled_out, 1.0),
    "rewritten": (rewrites.rewritten, 0.1),
}
NETWORKS = ("resnet50", "mobilenet_v2", "vit_b_16", "densenet121", "swin_t")


@cache
def zoo(name: str) -> LayerGraph:
    (graph,) = (each.graph for each in architectures() if each.name == name)
    return graph


def changed(name: str, change: Change, strength: float, seed: int = 0) -> Variant:
    made = change(zoo(name), strength, np.random.default_rng(seed))
    assert made is not None
    return made


def ops(graph: LayerGraph) -> Counter[str]:
    return Counter(layer.op for layer in graph.layers)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", CHANGES)
def test_a_variant_can_run_and_knows_where_it_comes_from(kind: str, name: str) -> None:
    graph = zoo(name)
    before = graph.to_json()
    change, strength = CHANGES[kind]
    made = change(graph, strength, np.random.default_rng(0))
    assert graph.to_json() == before
    if made is None:
        assert (kind, name) == ("shortened", "densenet121") or kind in (
            "deepened", "spelled out", "other kernels",
        )  # fmt: skip
        return
    assert made == change(graph, strength, np.random.default_rng(0))
    assert made.graph != graph
    assert all(a < b for a, b in made.graph.edges)  # listed as it can run
    assert made.graph.edges == tuple(sorted(set(made.graph.edges)))
    assert all(layer.macs >= 0 and layer.parameters >= 0 for layer in made.graph.layers)
    assert len(made.lineage) == len(made.graph.layers)
    known = [origin for origin in made.lineage if origin >= 0]
    assert len(set(known)) == len(known)
    assert set(known) <= set(range(len(graph.layers)))


def test_channels_and_costs_follow_a_factor() -> None:
    graph = zoo("resnet50")
    half = resized(graph, lambda group: 0.5)
    (head,) = last_makers(graph)
    assert half.layers[head].shape == graph.layers[head].shape == (1, 1000)
    assert half.layers[head].parameters == pytest.approx(
        graph.layers[head].parameters / 2, rel=0.01
    )
    first, other = graph.layers[0], half.layers[0]
    assert first.shape
    assert other.shape
    assert (other.shape[1], other.parameters) == (first.shape[1] // 2, first.parameters // 2)
    inner = [i for i, layer in enumerate(graph.layers) if layer.op == "Conv+Relu"][1:]
    for i in inner:  # what is read and what is made are halved
        assert half.layers[i].parameters == pytest.approx(graph.layers[i].parameters / 4, rel=0.01)
    assert half.edges == graph.edges


def test_what_is_added_is_pruned_alike() -> None:
    """Both operands of each addition have the same channels, and others have others."""
    pruned = changed("resnet50", variants.pruned, 0.5).graph
    seen = set()
    for place, layer in enumerate(pruned.layers):
        if layer.op == "Add":
            shapes = {pruned.layers[a].shape for a, b in pruned.edges if b == place}
            assert shapes == {layer.shape}
            seen.add(layer.shape)
    assert len(seen) == 4
    shares = {
        round(new.shape[1] / old.shape[1], 1)
        for new, old in zip(pruned.layers, zoo("resnet50").layers, strict=True)
        if new.shape and old.shape and new.op == "Conv+Relu"
    }
    assert len(shares) > 3


def test_a_depthwise_convolution_keeps_a_group_for_each_channel() -> None:
    narrow = changed("mobilenet_v2", variants.rescaled, 0.7).graph
    groups = [
        (dict(layer.attributes)["group"], layer.shape and layer.shape[1])
        for layer in narrow.layers
        if "group" in dict(layer.attributes)
    ]
    assert len(groups) == 17
    assert all(count == channels for count, channels in groups)


def test_one_channel_is_no_group() -> None:
    """A token's shape has a one where an image's has channels."""
    layers = Layer("Gemm", (1, 1, 8), 64, 64), Layer("Gelu", (1, 1, 8)), Layer("Gemm", (1, 4), 8, 8)
    half = resized(LayerGraph(layers, ((0, 1), (1, 2)), "g1"), lambda group: 0.5)
    assert [layer.shape for layer in half.layers] == [(1, 1, 4), (1, 1, 4), (1, 4)]
    assert not any(layer.attributes for layer in half.layers)


def test_blocks_that_repeat_go_and_come() -> None:
    graph = zoo("vit_b_16")
    (row,) = repeats(graph, Trunk.of(graph))
    shorter = changed("vit_b_16", variants.shortened, 0.25).graph
    deeper = changed("vit_b_16", variants.deepened, 0.25).graph
    for other, count in ((shorter, 9), (deeper, 15)):
        (again,) = repeats(other, Trunk.of(other))
        assert len(again.blocks) == count
        assert [other.layers[i] for i in again.blocks[0]] == [
            graph.layers[i] for i in row.blocks[0]
        ]
        assert len(other.layers) == len(graph.layers) + (count - 12) * len(row.blocks[0])


def test_a_removed_stage_leaves_one_piece() -> None:
    less = changed("resnet50", variants.stage_removed, 0.3).graph
    share = len(less.layers) / len(zoo("resnet50").layers)
    assert 0.69 < share < 0.86
    assert [b for b in range(len(less.layers)) if b not in {t for _, t in less.edges}] == [0]
    assert len(Trunk.of(less).cuts) > 2


def test_another_head_has_other_classes_alone() -> None:
    graph = zoo("resnet50")
    made = changed("resnet50", variants.other_head, 0.0)
    different = [i for i, layer in enumerate(made.graph.layers) if layer != graph.layers[i]]
    assert different == last_makers(graph)
    deeper = changed("resnet50", variants.other_head, 1.0)
    assert deeper.lineage.count(-1) == 2
    assert ops(deeper.graph)["Gemm"] == 2


def test_activations_are_swapped_everywhere() -> None:
    made = changed("resnet50", variants.other_activations, 1.0).graph
    assert not any("Relu" in layer.op.split("+") for layer in made.layers)
    assert len({layer.op for layer in made.layers}) == len(ops(zoo("resnet50")))


def test_kernels_and_their_costs_change_together() -> None:
    made = changed("resnet50", variants.other_kernels, 1.0).graph
    for old, new in zip(zoo("resnet50").layers, made.layers, strict=True):
        if dict(old.attributes).get("kernel_shape") == (3, 3) and old.op != "MaxPool":
            assert dict(new.attributes)["kernel_shape"] == (5, 5)
            assert new.parameters == round(old.parameters * 25 / 9)


def test_adapters_are_beside_the_trunk() -> None:
    made = changed("resnet50", variants.inserted, 0.3)
    new = made.lineage.count(-1)
    assert new % 4 == 0
    assert new > 8
    assert ops(made.graph)["Add"] == ops(zoo("resnet50"))["Add"] + new // 4
    assert len(Trunk.of(made.graph).cuts) >= len(Trunk.of(zoo("resnet50")).cuts)


def test_what_is_spelled_out_is_no_longer_merged_and_costs_the_same() -> None:
    graph = zoo("resnet50")
    made = changed("resnet50", rewrites.spelled_out, 1.0).graph
    assert not any("+" in layer.op for layer in made.layers)
    assert (made.macs, made.parameters) == (graph.macs, graph.parameters)


def test_a_split_convolution_is_put_together_again() -> None:
    made = changed("resnet50", rewrites.rewritten, 0.5)
    for place, layer in enumerate(made.graph.layers):
        if layer.op == "Concat":
            parts = [made.graph.layers[a] for a, b in made.graph.edges if b == place]
            assert layer.shape
            assert all(p.shape for p in parts)
            assert sum(p.shape[1] for p in parts if p.shape) == layer.shape[1]
    assert any(layer.op.startswith("custom::") for layer in made.graph.layers)


def test_every_stage_that_is_small_enough_may_go() -> None:
    """Of nine layers in a row with the first and the last kept: two or three, wherever."""
    layers = tuple(Layer("Relu", (1, size)) for size in range(1, 10))
    row = LayerGraph(layers, tuple((i, i + 1) for i in range(8)), "g1")
    gone = set()
    for seed in range(200):
        made = variants.stage_removed(row, 0.4, np.random.default_rng(seed))
        assert made is not None
        assert made.graph.edges == tuple((i, i + 1) for i in range(len(made.lineage) - 1))
        gone.add(tuple(sorted(set(range(9)) - set(made.lineage))))
    assert gone == {
        tuple(range(a + 1, a + 1 + size)) for size in (2, 3) for a in range(8 - size)
    }  # fmt: skip


@pytest.mark.parametrize("shape", [None, (), (8,), (1, 8), (1, 0, 4, 4)])
def test_layers_of_any_shape_are_rewritten(shape: tuple[int, ...] | None) -> None:
    row = LayerGraph(tuple(Layer("Conv", shape) for _ in range(9)), ((0, 1), (1, 2)), "g1")
    made = rewrites.rewritten(row, 1.0, np.random.default_rng(0))
    assert made is not None
    assert len(made.graph.layers) >= 9


def test_no_channel_is_lost_where_an_odd_number_is_split() -> None:
    lone = LayerGraph((Layer("Conv", (1, 7, 4, 4), 700, 70),), (), "g1")
    for seed in range(40):
        made = rewrites.rewritten(lone, 1.0, np.random.default_rng(seed))
        assert made
        if made.graph.layers[-1].op == "Concat":
            shapes = [layer.shape for layer in made.graph.layers]
            assert sorted(map(str, shapes)) == ["(1, 3, 4, 4)", "(1, 4, 4, 4)", "(1, 7, 4, 4)"]
            assert (made.graph.macs, made.graph.parameters) == (700, 70)
            return
    pytest.fail("no seed splits it")


def test_a_graph_without_what_is_changed_is_left() -> None:
    lone = LayerGraph((Layer("Softmax", (1, 8)),), (), "g1")
    for change in (
        variants.shortened, variants.deepened, variants.stage_removed, variants.other_head,
        variants.inserted, variants.other_kernels, variants.other_activations, rewrites.spelled_out,
    ):  # fmt: skip
        assert change(lone, 1.0, np.random.default_rng(0)) is None
