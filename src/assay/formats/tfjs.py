"""TF.js models: ``model.json`` with binary shards beside it [TensorFlow.js, model formats].

A graph model has TensorFlow's operators as JSON, a layers model Keras' configuration.  A list of
weights in a file of its own, ``weights_manifest.json``, is read for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.containers.json_object import LONGEST, json_value
from assay.containers.tfjs_shards import Constant, Shards
from assay.errors import UnreadableModel
from assay.formats import Format, InputShapes, Model
from assay.graphs.operators import OperatorGraph
from assay.weights import Array, Weight
from assay.weights.layout import Stored, Weights
from assay.weights.shapes import has_one_axis

_FILE = "model.json"
_SIGNS = re.compile(
    rb'"(?:modelTopology|weightsManifest)"\s*:|"format"\s*:\s*"(?:graph|layers)-model"'
)
_MANIFEST = re.compile(rb'"(?:weights|paths)"\s*:\s*\[')


class TfJs(Format):
    """The graph and weights of a TF.js model."""

    suffixes = ()  # JSON files are of many kinds: these are known by what is in them

    def sniff(self, head: bytes) -> bool:
        start = head.lstrip()
        if start.startswith(b"["):
            return _MANIFEST.search(head) is not None
        return start.startswith(b"{") and _SIGNS.search(head) is not None

    def sniff_folder(self, names: frozenset[str]) -> bool:
        return _FILE in names and any(_is_shard(name) for name in names)

    def holds(self, name: str) -> bool:
        return name == _FILE or _is_shard(name)

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        file = path / _FILE if path.is_dir() else path
        content = _json(file)
        if isinstance(content, list):
            return _weights_alone(file, content)
        if not isinstance(content, Mapping):
            raise UnreadableModel("the description of a TF.js model is not a JSON object")
        topology = content.get("modelTopology")
        if not isinstance(topology, Mapping) or "weightsManifest" not in content:
            raise UnreadableModel("not a TF.js model: it has no topology or no weights")
        shards = Shards(file)
        shards.take(content["weightsManifest"])
        layers: OperatorGraph | None
        weights: Mapping[str, Weight]
        if isinstance(topology.get("node"), list):
            from assay.vocabularies.tensorflow.tfjs_graph import graph

            stored, signature = _stored(shards), _signature(content)
            layers = graph(topology, signature, shards.constants, stored, input_shapes)
            weights = Weights(layers, stored)
        else:
            layers, weights = _layers(topology, shards, input_shapes)
        metadata = {
            key: str(content[key])[:80] for key in ("format", "generatedBy") if content.get(key)
        }
        return Model("tfjs", layers, (file, *dict.fromkeys(shards.files)), metadata, weights)


def _is_shard(name: str) -> bool:
    """Whether a file of this name has some of the weights."""
    return name.endswith(".bin") or "-shard" in name


def _weights_alone(file: Path, manifest: Sequence[Any]) -> Model:
    """The weights of a manifest that lies in a file of its own, without a graph."""
    shards = Shards(file)
    shards.take(manifest)
    weights = {
        name: Weight(
            name, stored.shape, stored.dtype, stored.read, canonical=has_one_axis(stored.shape)
        )
        for name, stored in _stored(shards).items()
    }
    return Model("tfjs", None, (file, *dict.fromkeys(shards.files)), {}, weights)


def _json(file: Path) -> Any:
    if not file.is_file():
        raise UnreadableModel(f"a folder without {_FILE}")
    with file.open("rb") as opened:
        return json_value(opened.read(LONGEST + 1), "the description of a TF.js model")


def _signature(content: Mapping[str, Any]) -> Any:
    """Which tensors the model gives; old files keep it with what users may add."""
    added = content.get("userDefinedMetadata")
    return content.get("signature") or (
        added.get("signature") if isinstance(added, Mapping) else None
    )


def _stored(shards: Shards) -> dict[str, Stored]:
    return {
        name: Stored(constant.shape, constant.dtype, lambda constant=constant: _real(constant))  # type: ignore[misc]
        for name, constant in shards.constants.items()
    }


def _real(constant: Constant) -> Array:
    return constant.read().astype("float32")


def _layers(
    topology: Mapping[str, Any], shards: Shards, given: InputShapes
) -> tuple[OperatorGraph | None, Mapping[str, Weight]]:
    """The graph of a layers model, which is Keras' configuration."""
    from assay.vocabularies.keras.model import KerasModel
    from assay.vocabularies.keras.weights import Variables

    configuration = topology.get("model_config", topology)
    if not isinstance(configuration, Mapping):
        raise UnreadableModel("a layers model without a configuration")
    weights = {
        name: Weight(name, stored.shape, stored.dtype, stored.read)
        for name, stored in _stored(shards).items()
    }
    variables = Variables.of_weights(weights)
    version = topology.get("keras_version")
    variables.metadata |= {"keras_version": version[:80]} if isinstance(version, str) else {}
    graph = KerasModel(variables, given).read(configuration)
    variables.settle_rest()
    return graph, variables.by_path
