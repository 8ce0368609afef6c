"""Graphs from a configuration, held against what PyTorch's exporter makes of the same model.

The fixtures are made by ``scripts/make_transformers_fixtures.py``.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from onnx import ModelProto

from assay.errors import UnreadableModel
from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph
from assay.values import LayerGraph
from assay.vocabularies.onnx.graph import convert
from assay.vocabularies.transformers.graph import IMAGES, TEXTS, translate
from assay.weights.layout import layouts

FOLDER = Path(__file__).parents[1] / "fixtures" / "transformers"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
UNREAD = {"cls.predictions.bias", "lm_head.bias"}  # transformers itself reads the decoder's own


def known(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found | {"shapes": {key: tuple(shape) for key, shape in found["shapes"].items()}}


def ours(name: str) -> OperatorGraph:
    model = known(name)
    return translate(model["config"], model["shapes"], {})


def exported(name: str) -> LayerGraph:
    proto = ModelProto.FromString(lzma.decompress((FOLDER / f"{name}.onnx.xz").read_bytes()))
    return layer_graph(convert(proto, {}).layers)


def without_tables(graph: LayerGraph) -> LayerGraph:
    """The exporter takes computed tables of sines and cosines for parameters."""
    layers = (
        replace(layer, parameters=0) if layer.op == "Mul" else layer for layer in graph.layers
    )
    return replace(graph, layers=tuple(layers))


def nodes(graph: LayerGraph) -> nx.DiGraph:
    found = nx.DiGraph()
    found.add_nodes_from((i, {"layer": layer}) for i, layer in enumerate(graph.layers))
    found.add_edges_from(graph.edges)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_is_that_of_the_exported_model(name: str) -> None:
    graph = layer_graph(ours(name))
    assert nx.is_isomorphic(
        nodes(graph),
        nodes(without_tables(exported(name))),
        node_match=lambda one, other: one["layer"] == other["layer"],
    )


@pytest.mark.parametrize("name", NAMES)
def test_its_parameters_are_those_of_the_model(name: str) -> None:
    model, graph = known(name), ours(name)
    unread = model["shapes"].keys() - graph.tensors.keys()
    assert unread <= UNREAD
    missing = sum(model["shapes"][tensor][0] for tensor in unread)
    assert layer_graph(graph).parameters == model["parameters"] - missing


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_of_each_tensor_is_known(name: str) -> None:
    model, graph = known(name), ours(name)
    for tensor, layout in layouts(graph, model["shapes"]).items():
        turned = "c_" in tensor and len(model["shapes"][tensor]) == 2  # GPT-2's Conv1D
        turned = turned and model["config"]["model_type"] == "gpt2"
        shape = model["shapes"][tensor]
        assert layout.shape(shape) == (shape[::-1] if turned else shape)
        assert layout.known or len(shape) == 3  # tokens and places of an image


def test_every_family_has_a_judge() -> None:
    judged = {known(name)["config"]["model_type"] for name in NAMES}
    alike = {"xlm-roberta", "camembert", "deit"}  # RoBERTa and ViT under other names
    assert TEXTS.keys() | IMAGES.keys() == judged | alike


def test_names_of_older_checkpoints_are_known() -> None:
    """Before transformers 5: gamma and beta, ViT's blocks, the words of GPT-NeoX."""
    older = {
        "bert": [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")],
        "gpt-neox": [("lm_head", "embed_out")],
        "vit": [
            ("layers.", "encoder.layer."),
            *((f"attention.{p[0]}_proj", f"attention.attention.{p}") for p in
              ("query", "key", "value")),
            ("attention.o_proj", "attention.output.dense"),
            ("mlp.fc1", "intermediate.dense"),
            ("mlp.fc2", "output.dense"),
        ],
    }  # fmt: skip
    for name, changes in older.items():
        model, shapes = known(name), {}
        for tensor, shape in model["shapes"].items():
            for new, old in changes:
                tensor = tensor.replace(new, old)
            shapes[tensor] = shape
        assert shapes.keys() != model["shapes"].keys()
        graph = translate(model["config"], shapes, {})
        assert layer_graph(graph) == layer_graph(ours(name))


def test_an_image_has_the_size_that_its_table_of_places_has() -> None:
    model = known("vit")
    config, shapes = model["config"], model["shapes"]
    assert translate(config, shapes, {"": (2, 3, 64, 64)}).tensors["pixel_values"].shape == (
        2, 3, 64, 64,
    )  # fmt: skip
    with pytest.raises(UnreadableModel, match="1x3x64x64, not 1x3x96x96"):
        translate(config, shapes, {"": (1, 3, 96, 96)})
    with pytest.raises(UnreadableModel, match="does not fit its image_size"):
        translate({**config, "image_size": 96}, shapes, {})
