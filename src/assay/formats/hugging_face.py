"""Hugging Face snapshots: a folder with ``config.json`` and the weights [transformers].

Of several sets of weights one is read, in the order of transformers' own loader:
``model.safetensors``, its ``….index.json``, ``pytorch_model.bin``, its ``….index.json``; else the
only other safetensors file or index, such as a variant ``model.fp16.safetensors``.  The graph comes
from the configuration, by families that are known here; nothing of the folder is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import UnreadableModel
from assay.formats import MISSING, Format, InputShapes, Model
from assay.formats._shards import Set, indexed, located, object_in
from assay.formats.safetensors import tensors
from assay.formats.torch_pickle import TorchPickle
from assay.graphs.operators import OperatorGraph
from assay.weights import Weight
from assay.weights.layout import Stored, Weights

CONFIG = "config.json"
SAFE, TORCH, INDEX = ".safetensors", ".bin", ".index.json"
_USUAL = tuple(
    name + end for name in ("model" + SAFE, "pytorch_model" + TORCH) for end in ("", INDEX)
)
_SAID = ("model_type", "architectures", "torch_dtype", "dtype", "transformers_version")
_LISTED = 20  # names in a note
LEAST_READ = 0.5  # of the elements; below, the configuration is of another model


class HuggingFace(Format):
    """The weights of a snapshot folder, and the graph of an architecture that is known."""

    suffixes = ()

    def sniff(self, head: bytes) -> bool:
        return False

    def sniff_folder(self, names: frozenset[str]) -> bool:
        return CONFIG in names and _chosen(names) is not None

    def holds(self, name: str) -> bool:
        return name in _USUAL or name.endswith((SAFE, SAFE + INDEX, ".bin", ".json"))

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        if not path.is_dir():
            raise UnreadableModel("not a snapshot of Hugging Face: it is no folder")
        names = frozenset(entry.name for entry in path.iterdir())
        if CONFIG not in names:
            raise UnreadableModel(f"not a snapshot of Hugging Face: it has no {CONFIG}")
        chosen = _chosen(names)
        if chosen is None:
            raise UnreadableModel("it has no weights, or several sets of unusual names: name one")
        found = located(path, (CONFIG, chosen))
        config = object_in(found[CONFIG], f"its {CONFIG}")
        metadata = _said(config)
        held = _weights(found[chosen])
        if held.missing:
            metadata[MISSING] = held.missing
        layers, weights = _graph(config, held, input_shapes, metadata)
        files = (found[CONFIG], *held.files)
        return Model("hugging-face", layers, files, metadata, weights)


def _chosen(names: frozenset[str]) -> str | None:
    """The file that holds the weights, or lists those that do; None where it is not clear."""
    for name in _USUAL:
        if name in names:
            return name
    for end in (SAFE, SAFE + INDEX):
        others = sorted(name for name in names if name.endswith(end))
        if len(others) == 1:
            return others[0]
    return None


def _weights(path: Path) -> Set:
    read = _pickled if TORCH in path.suffixes else _safe
    if path.name.endswith(INDEX):
        return indexed(path, read)
    return Set(dict(read(path)), [path])


def _safe(path: Path) -> Mapping[str, Weight]:
    return tensors(path)[0]


def _pickled(path: Path) -> Mapping[str, Weight]:
    return TorchPickle().read(path, {}).weights


def _said(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration says of the model in words."""
    said: dict[str, Any] = {}
    for key in _SAID:
        value = config.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str):
            said[key] = value[:80]
    return said


def _graph(
    config: Mapping[str, Any], held: Set, input_shapes: InputShapes, metadata: dict[str, Any]
) -> tuple[OperatorGraph | None, Mapping[str, Weight]]:
    """The graph, and the weights as its operators read them; None where it is not known."""
    from assay.vocabularies.transformers.graph import translate

    shapes = {name: weight.shape for name, weight in held.weights.items()}
    try:
        layers = translate(config, shapes, input_shapes)
        outside = [name for name in shapes if name not in layers.tensors]
        _check_share(held.weights, outside)
    except UnreadableModel as error:
        if input_shapes:  # which fit a graph only
            raise
        metadata["no_graph"] = str(error)
        return None, held.weights
    if outside:
        metadata["outside_graph"] = sorted(outside)[:_LISTED]
    stored = {name: Stored(w.shape, w.dtype, w.read) for name, w in held.weights.items()}
    return layers, Weights(layers, stored)


def _check_share(weights: Mapping[str, Weight], outside: list[str]) -> None:
    total = sum(weight.size for weight in weights.values())
    if sum(weights[name].size for name in outside) > (1 - LEAST_READ) * total:
        raise UnreadableModel("its configuration describes less than half of its tensors")
