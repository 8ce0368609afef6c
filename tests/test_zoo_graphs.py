"""The same network, however it was exported, gives the same merged graph; 37 from torchvision.

networkx's isomorphism is the judge, on graphs whose nodes carry all that a layer holds; it knows
nothing of the Weisfeiler–Lehman labels that the library compares by.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import networkx as nx
import onnx
import pytest
from onnx import ModelProto
from zoo_fixtures import ARCHITECTURES, macs, parameters, sizes, variants

from assay.examine import quality
from assay.formats import read
from assay.graphs import PASSES, layer_graph
from assay.graphs.compact import compact
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import OperatorGraph
from assay.graphs.shapes import fold_shapes
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.values import LayerGraph

EXPORTS = [(name, size) for name in ARCHITECTURES for size in sizes(name)]
PRODUCTS = {"Conv", "Gemm", "MatMul", "Attention"}
# torch counts the position networks, too, which see constants alone: 225·512·2 for each of the 12
# blocks and 225·512 for each of their 138 heads.
FOLDED_MACS = {"swin_v2_t": 225 * 512 * (2 * 12 + 138)}
# The judge is slow on graphs of many equal blocks; there the labels, refined to the end, decide.
MOST_JUDGED = 160


@cache
def operators(name: str, size: int, variant: str) -> OperatorGraph:
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(variants(name, size)[variant])
        layers = read(path).layers
    assert layers is not None
    return layers


@cache
def merged(name: str, size: int, variant: str) -> LayerGraph:
    return layer_graph(operators(name, size, variant))


def judged(graph: LayerGraph) -> nx.DiGraph:
    result = nx.DiGraph()
    for place, layer in enumerate(graph.layers):
        result.add_node(place, layer=layer)
    result.add_edges_from(graph.edges)
    return result


def test_there_are_enough_architectures() -> None:
    assert len(ARCHITECTURES) >= 25


@pytest.mark.parametrize(("name", "size"), EXPORTS)
def test_all_exports_of_a_network_give_one_merged_graph(name: str, size: int) -> None:
    graphs = {variant: merged(name, size, variant) for variant in variants(name, size)}
    assert len(graphs) >= 4
    (first, reference), *others = graphs.items()
    for variant, graph in others:
        assert fingerprint(graph) == fingerprint(reference), (first, variant)
        if len(graph.layers) <= MOST_JUDGED:
            same = nx.vf2pp_is_isomorphic(judged(reference), judged(graph), node_label="layer")
            assert same, (first, variant)
    assert {WeisfeilerLehman()(graph) for graph in graphs.values()} == {
        WeisfeilerLehman()(reference)
    }
    assert quality(reference) == 1.0


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_decomposed_adaptive_pooling_is_one_layer_at_256(name: str) -> None:
    ops = [layer.op for layer in merged(name, 256, "dynamo").layers]
    assert ops.count("AveragePool") == 1
    assert not {"GatherND", "ReduceSum", "ReduceMean"} & set(ops)


def test_different_networks_give_different_graphs() -> None:
    seen: dict[str, list[str]] = {}
    for name in ARCHITECTURES:
        seen.setdefault(fingerprint(merged(name, 224, "dynamo-optimized")), []).append(name)
    # Once its batch norms are folded, torchvision's vgg11_bn is its vgg11.
    assert [names for names in seen.values() if len(names) > 1] == [["vgg11", "vgg11_bn"]]


@pytest.mark.parametrize(("name", "size"), EXPORTS)
def test_macs_are_those_that_torch_counts(name: str, size: int) -> None:
    counted = sum(
        layer.macs
        for layer in compact(through_passes(name, size), "test").layers
        if layer.op in PRODUCTS
    )
    assert counted == macs(name, size) - FOLDED_MACS.get(name, 0)


def through_passes(name: str, size: int, count: int | None = None) -> OperatorGraph:
    graph = operators(name, size, "dynamo-optimized")
    for run in PASSES[:count]:
        graph = run(graph)
    return graph


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if not n.startswith(("swin", "maxvit"))])
def test_parameters_are_those_that_torch_counts(name: str) -> None:
    # Before batch norms are folded.  Swin and MaxViT look biases up in a table: the exporter stores
    # what was looked up, not the table.
    graph = operators(name, 224, "legacy-unfolded")
    for run in PASSES[: [run.__name__ for run in PASSES].index("fold_batch_norm")]:
        graph = run(graph)
    assert compact(graph, "test").parameters == parameters(name)


@pytest.mark.parametrize(("name", "size"), EXPORTS)
def test_shapes_are_those_that_onnx_infers(name: str, size: int) -> None:
    variant = "dynamo-optimized"
    proto = ModelProto.FromString(variants(name, size)[variant])
    inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    ours = fold_shapes(operators(name, size, variant))
    both = 0
    for value in (*inferred.value_info, *inferred.output):
        dims = value.type.tensor_type.shape.dim
        theirs = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)
        shape = ours.tensor(value.name).shape
        if value.type.tensor_type.HasField("shape") and -1 not in theirs:
            assert shape == theirs, value.name
            both += 1
    written = [output for node in ours.operators for output in node.outputs if output]
    assert both >= 0.9 * len(written)
    assert all(-1 not in (ours.tensor(name).shape or (-1,)) for name in written)
