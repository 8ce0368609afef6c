"""The same network, however it was exported, gives the same merged graph; 37 from torchvision.

networkx's isomorphism is the judge, on graphs whose nodes carry all that a layer holds; it knows
nothing of the Weisfeiler–Lehman labels that the library compares by.  Costs are held to what torch
counts while the network runs, shapes to what ``onnx.shape_inference`` infers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import networkx as nx
import pytest
from onnx import ModelProto, shape_inference
from zoo_fixtures import ARCHITECTURES, macs, parameters, sizes, variants
from zoo_graphs import merged, operators

from assay.examine import quality
from assay.graphs import PASSES, layer_graph
from assay.graphs.compact import compact
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.shapes import fold_shapes
from assay.values import LayerGraph

EXPORTS = [(name, size) for name in ARCHITECTURES for size in sizes(name)]
PRODUCTS = {"Conv", "Gemm", "MatMul", "Attention"}

# Swin and MaxViT look the bias of each pair of places in a window up in a table of relative places,
# and the places are constants: exporters store what was looked up, for every head of every block.
HEADS = {
    "swin_t": 2 * 3 + 2 * 6 + 6 * 12 + 2 * 24,
    "swin_v2_t": 2 * 3 + 2 * 6 + 6 * 12 + 2 * 24,
    "maxvit_t": 2 * (2 * 2 + 2 * 4 + 5 * 8 + 2 * 16),
}
LOOKED_UP = {  # a window of 7×7 has 13×13 relative places
    "swin_t": HEADS["swin_t"] * (7**4 - 13**2),
    "maxvit_t": HEADS["maxvit_t"] * (7**4 - 13**2),
    # Version 2 computes its table, 15×15 places in windows of 8×8, by two layers without inputs in
    # each of 12 blocks: from 2 coordinates to 512 to one number a head.
    "swin_v2_t": HEADS["swin_v2_t"] * 8**4 - 12 * (2 * 512 + 512) - HEADS["swin_v2_t"] * 512,
}
# torch runs those two layers, an exporter has their result.
FOLDED_MACS = {"swin_v2_t": 15**2 * 512 * (2 * 12 + HEADS["swin_v2_t"])}


def before_folding(name: str, variant: str) -> LayerGraph:
    """The layers with batch norms as the file has them."""
    graph = operators(name, 224, variant)
    for run in PASSES[: [run.__name__ for run in PASSES].index("fold_batch_norm")]:
        graph = run(graph)
    return compact(graph, "test")


def judged(graph: LayerGraph) -> nx.DiGraph:
    """For networkx: how far a layer is from either end tells most of them apart for its search."""
    result = nx.DiGraph()
    result.add_nodes_from(range(len(graph.layers)))
    result.add_edges_from(graph.edges)
    for way, key in ((result, "down"), (result.reverse(), "up")):
        depths = {
            node: d for d, nodes in enumerate(nx.topological_generations(way)) for node in nodes
        }
        nx.set_node_attributes(result, depths, key)
    for place, layer in enumerate(graph.layers):
        node = result.nodes[place]
        node["all"] = (layer, node["down"], node["up"])
    return result


def test_there_are_enough_architectures() -> None:
    assert len(ARCHITECTURES) >= 25
    assert {len(variants(name)) for name in ARCHITECTURES} <= {7, 8, 9}


@pytest.mark.parametrize(("name", "size"), EXPORTS)
def test_all_exports_of_a_network_give_one_merged_graph(name: str, size: int) -> None:
    graphs = {variant: merged(name, size, variant) for variant in variants(name, size)}
    (first, reference), *others = graphs.items()
    assert len(others) >= 3
    judge = judged(reference)
    for variant, graph in others:
        assert nx.vf2pp_is_isomorphic(judge, judged(graph), node_label="all"), (first, variant)
        assert fingerprint(graph) == fingerprint(reference), (first, variant)
    assert quality(reference) == 1.0


def test_the_judge_sees_one_number_and_one_edge() -> None:
    graph = merged("resnet18", 224, "dynamo")
    odd = replace(graph.layers[20], macs=graph.layers[20].macs + 1)
    other = replace(graph, layers=(*graph.layers[:20], odd, *graph.layers[21:]))
    fewer = replace(graph, edges=graph.edges[:20] + graph.edges[21:])
    for changed in (other, fewer):
        assert not nx.vf2pp_is_isomorphic(judged(graph), judged(changed), node_label="all")
        assert fingerprint(graph) != fingerprint(changed)


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_decomposed_adaptive_pooling_is_one_layer_at_256(name: str) -> None:
    assert set(variants(name, 256)) == {
        "dynamo",
        "dynamo-meta",
        "dynamo-optimized",
        "dynamo-opset23",
    }
    for variant in variants(name, 256):
        ops = Counter(layer.op for layer in merged(name, 256, variant).layers)
        assert ops == Counter(layer.op for layer in merged(name, 224, "dynamo").layers) + Counter(
            ["AveragePool"]
        )


def test_different_networks_give_different_graphs() -> None:
    seen: dict[str, list[str]] = {}
    for name in ARCHITECTURES:
        seen.setdefault(fingerprint(merged(name)), []).append(name)
    # Once its batch norms are folded, torchvision's vgg11_bn is its vgg11.
    assert [names for names in seen.values() if len(names) > 1] == [["vgg11", "vgg11_bn"]]


@pytest.mark.parametrize(("name", "size"), EXPORTS)
def test_macs_are_those_that_torch_counts(name: str, size: int) -> None:
    for variant in variants(name, size):
        raw = layer_graph(operators(name, size, variant), ())
        counted = sum(layer.macs for layer in raw.layers if layer.op in PRODUCTS)
        assert counted == macs(name, size) - FOLDED_MACS.get(name, 0), variant


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("variant", ["legacy-unfolded", "dynamo", "dynamo-meta"])
def test_parameters_are_those_that_torch_counts(name: str, variant: str) -> None:
    found = before_folding(name, variant).parameters
    assert found == parameters(name) + LOOKED_UP.get(name, 0)


def test_a_folded_batch_norm_leaves_a_bias_of_its_parameters() -> None:
    for name in ("resnet18", "mobilenet_v3_large", "densenet121"):
        before = before_folding(name, "dynamo")
        after = layer_graph(operators(name, 224, "dynamo"), ())
        norms = [layer for layer in before.layers if layer.op == "BatchNormalization"]
        left = [layer for layer in after.layers if layer.op == "BatchNormalization"]
        folded = sum(n.parameters for n in norms) - sum(n.parameters for n in left)
        assert len(norms) > len(left)
        assert after.parameters == before.parameters - folded // 2  # the scale is in the kernel


def inferred(content: bytes) -> dict[str, tuple[int, ...]]:
    """What onnx knows whole."""
    proto = ModelProto.FromString(content)
    made = shape_inference.infer_shapes(proto, strict_mode=False, data_prop=True).graph
    kinds = {v.name: v.type.tensor_type for v in (*made.value_info, *made.output)}
    return {
        name: tuple(dim.dim_value for dim in kind.shape.dim)
        for name, kind in kinds.items()
        if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim)
    }


@pytest.mark.parametrize(("name", "size"), EXPORTS)
def test_shapes_are_those_that_onnx_infers_and_more(name: str, size: int) -> None:
    for variant, content in variants(name, size).items():
        graph = operators(name, size, variant)
        written = {output for node in graph.operators for output in node.outputs if output}
        known = fold_shapes(graph).tensors
        shapes = {name: known[name].shape for name in written}
        ours = {n: shape for n, shape in shapes.items() if shape is not None and -1 not in shape}
        theirs = {n: shape for n, shape in inferred(content).items() if n in written}
        assert {n: ours.get(n) for n in theirs} == theirs
        assert len(ours) == len(written) >= len(theirs) > len(written) / 5, variant
