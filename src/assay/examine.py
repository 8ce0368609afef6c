"""A model file in, its record out: read, graph, code in one pass.

This is what hash, add, check and compare call.  Weights are not read; the file's bytes only where
``digest`` asks for their sha256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.errors import AssayError, UnreadableModel
from assay.formats import Model, read
from assay.graphs import layer_graph
from assay.graphs._vocabulary import known
from assay.graphs.merge_blocks import RULES
from assay.hashers import HASHERS, Hasher
from assay.values import LayerGraph, Record

DEFAULT_HASHER = "weisfeiler-lehman"
ENOUGH_LAYERS = 8  # below, a graph says little: that many alike ones exist by chance
_BLOCK = 2**20  # bytes


def examine(
    source: str | Path | Any,
    *,
    input_shape: Mapping[str, tuple[int, ...]] | None = None,
    hasher: Hasher | None = None,
    digest: bool = True,
    raw: bool = False,
) -> Record:
    """What is known of a model file, or (extra ``torch``) of an ``nn.Module``.

    ``input_shape`` makes dynamic inputs concrete, by name, "" for the only one.  ``raw`` leaves
    the paper's merge rules out.

    Raises:
        UnreadableModel: it cannot be read; the message begins with the path.
        MissingExtra: its format needs an optional dependency.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        model = read(path, input_shape)
        name, file_digest = path.stem, sha256(model) if digest else None
    else:
        from assay.formats._torch import trace

        model = trace(source, input_shape or {})
        path, name, file_digest = Path(), type(source).__name__, None
    try:
        return _record(model, str(source) if path.name else "", name, file_digest, hasher, raw)
    except UnreadableModel as error:
        raise UnreadableModel(f"{source}: {error}") from error
    except AssayError:
        raise
    except (RecursionError, MemoryError) as error:
        raise UnreadableModel(f"{source}: too large to follow ({type(error).__name__})") from error


def _record(
    model: Model, path: str, name: str, digest: str | None, hasher: Hasher | None, raw: bool
) -> Record:
    if model.layers is None:
        return Record(path, model.format, digest, name, metadata=model.metadata)
    graph = layer_graph(model.layers, () if raw else RULES)
    hasher = hasher or HASHERS[DEFAULT_HASHER]()
    return Record(
        path=path,
        format=model.format,
        sha256=digest,
        name=name,
        code=hasher(graph) if graph.layers else None,
        graph=graph,
        parameters=graph.parameters,
        quality=quality(graph),
        metadata=model.metadata,
    )


def quality(graph: LayerGraph) -> float:
    """How far the graph can be trusted, 0 … 1: layers understood, and enough of them.

    A layer is understood where its operator is in ONNX's vocabulary and its output's shape known.
    """
    if not graph.layers:
        return 0.0
    understood = sum(
        known(layer.op) and layer.shape is not None and -1 not in layer.shape
        for layer in graph.layers
    )
    share = understood / len(graph.layers)
    return round(share * min(1.0, len(graph.layers) / ENOUGH_LAYERS), 4)


def sha256(model: Model) -> str:
    """Of the file; of the list of hashes and names where the model is several files."""
    hashes = [_file_sha256(path) for path in model.files]
    if len(hashes) == 1:
        return hashes[0]
    listing = "".join(
        f"{digest}  {path.name}\n" for digest, path in zip(hashes, model.files, strict=True)
    )
    return hashlib.sha256(listing.encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise UnreadableModel(f"{path}: {error.strerror or error}") from error
    return digest.hexdigest()
