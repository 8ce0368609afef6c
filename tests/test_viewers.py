"""What is written for other viewers: Model Explorer, and ONNX for Netron."""

import json
from pathlib import Path

import onnx
import pytest
from small_comparisons import compared, tuned

from assay.report import Compared, layer_model, write_model_explorer
from assay.values import Json, Layer, LayerGraph
from assay.zoo import architectures

NODE = {"id", "label", "namespace", "attrs", "incomingEdges", "outputsMetadata"}


@pytest.fixture
def written(tmp_path: Path) -> tuple[Compared, dict[str, Json]]:
    pair = compared(*tuned(tmp_path))
    command = write_model_explorer(pair, tmp_path / "explorer")
    found = {file.stem: json.loads(file.read_text()) for file in (tmp_path / "explorer").iterdir()}
    assert all(str(tmp_path / "explorer" / f"{name}.json") in command for name in ("source",))
    return pair, found


def test_model_explorer_gets_both_graphs(written: tuple[Compared, dict[str, Json]]) -> None:
    pair, found = written
    for side, held in (("source", pair.source), ("suspect", pair.suspect)):
        (graph,) = found[side]["graphs"]
        assert graph["id"] == side
        assert {key for node in graph["nodes"] for key in node} == NODE
        ids = [node["id"] for node in graph["nodes"]]
        edges = {
            (ids.index(edge["sourceNodeId"]), ids.index(node["id"]))
            for node in graph["nodes"]
            for edge in node["incomingEdges"]
        }
        assert edges == {*held.graph.edges}
        attributes = [pair for node in graph["nodes"] for pair in node["attrs"]]
        assert all(isinstance(each["value"], str) for each in attributes)
        colored = found[f"{side}_correlation"][side]["results"]
        assert len(colored) == sum(each.match is not None for each in pair.pairs)
        assert {*colored} <= {*ids}
        assert all(-1 <= each["value"] <= 1 for each in colored.values())


def test_model_explorer_walks_partners_together(written: tuple[Compared, dict[str, Json]]) -> None:
    pair, found = written
    mapping = found["sync_navigation"]
    assert mapping["type"] == "sync_navigation"
    assert mapping["disableMappingFallback"]  # equal numbers of layers mean nothing
    assert mapping["showDiffHighlights"]
    walked = {(e["leftNodeIds"][0], e["rightNodeIds"][0]) for e in mapping["mappingEntries"]}
    assert walked == {(str(each.source), str(each.suspect)) for each in pair.pairs}


@pytest.mark.parametrize("name", ["resnet18", "swin_t"])
def test_an_onnx_file_of_layers_has_each_operator_and_edge(name: str, tmp_path: Path) -> None:
    (graph,) = (a.graph for a in architectures() if a.name == name)
    file = tmp_path / "layers.onnx"
    onnx.save(layer_model(graph, name), file)
    model = onnx.load(file)
    assert model.graph.name == name
    assert not model.graph.initializer
    operators = [op for layer in graph.layers for op in layer.op.split("+")]
    assert [node.op_type for node in model.graph.node] == operators
    edges = {
        (int(source.split("/")[0].removeprefix("layer_")), int(node.name.split("/")[0]))
        for node in model.graph.node
        for source in node.input
        if source.startswith("layer_") and "/" not in source
    }
    assert edges == {*graph.edges}
    macs = sum(int(p.value) for n in model.graph.node for p in n.metadata_props if p.key == "macs")
    assert macs == graph.macs


def test_operators_of_other_domains_and_unknown_shapes_are_written() -> None:
    layers = (
        Layer("mine::Odd", None, 0, 7, (("alpha", 0.5), ("mode", "x"))),
        Layer("Conv+Relu", (1, -1), 3, 2, (("kernel_shape", (3, 3)),)),
    )
    model = layer_model(LayerGraph(layers, ((0, 1),), "g1"), "a\x1b[31m")
    odd, conv, relu = model.graph.node
    assert (odd.domain, odd.op_type, [a.name for a in odd.attribute]) == (
        "mine", "Odd", ["alpha", "mode"],
    )  # fmt: skip
    assert [*conv.input] == [*odd.output]
    assert [*relu.input] == [*conv.output]
    assert model.graph.name == "a\\x1b[31m"
    assert onnx.ModelProto.FromString(model.SerializeToString()) == model
