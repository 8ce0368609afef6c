"""A model file in, its record out: graph, code, and in one pass over its bytes sketch and sha256.

This is what hash, add, check and compare call.  Of the weights only the shapes are looked at,
unless they are to be sketched; the file's bytes only where ``digest`` asks for their sha256.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from math import floor, prod
from pathlib import Path
from typing import Any

from assay.formats import MISSING, Model, naming, read
from assay.graphs import layer_graph
from assay.graphs._vocabulary import known
from assay.graphs.merge_blocks import RULES
from assay.hashers import HASHERS, Hasher, parted
from assay.values import LayerGraph, Record, WeightSketch
from assay.weights import Weight
from assay.weights.digests import file_sha256, hashing
from assay.weights.signature import order, signature

DEFAULT_HASHER = "boosted-minhash"
ENOUGH_QUALITY = 0.5  # below, no category is named: a classifier names one of anything
ENOUGH_LAYERS = 8  # below, a graph says little: that many alike ones exist by chance
# What a note in the metadata leaves of the quality: operators of an odd opset may mean something
# else, and of a model that is not whole nothing but its layers is known.
_DOUBTS = {"odd_opset": 0.5, MISSING: 0.5}

Sketcher = Callable[[Iterable[Weight]], WeightSketch]  # ``assay.sketches.sketch`` with its key


def examine(
    source: str | Path | Any,
    *,
    input_shape: Mapping[str, tuple[int, ...]] | None = None,
    hasher: Hasher | None = None,
    digest: bool = True,
    raw: bool = False,
    sketcher: Sketcher | None = None,
) -> Record:
    """What is known of a model file, or (extra ``torch``) of an ``nn.Module``.

    The record has no sha256 where none is asked for or a file of the model is missing: two models
    whose weights are not there are not the same bytes.

    ``input_shape`` makes dynamic inputs concrete, by name, "" for the only one.  ``raw`` leaves
    the paper's merge rules out.  ``sketcher`` reads all weights: ``assay.sketches.sketch``, of
    which ``functools.partial`` fixes the key, and for a suspect the readings.  A model whose
    weights are missing is not sketched.

    Raises:
        UnreadableModel: it cannot be read; the message begins with the path.
        MissingExtra: its format needs an optional dependency.
    """
    model, label = _read(source, input_shape)
    with naming(label), hashing(model.files if digest else ()):
        record = _examined(model, source, hasher, raw=raw)
        if sketcher is not None:
            record = _sketched(record, model, sketcher)
        return _digested(record, model) if digest else record


class Opened:
    """Models that are to be compared: ``open`` the suspect first, then each of the others.

    Their weights are sketched with a key that is drawn from the sha256 of both.  Whoever aims at a
    code changes a file, and so the key.
    """

    def __init__(self, input_shape: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self._input_shape = input_shape
        self._opened: list[tuple[Record, Model, str]] = []

    def open(self, source: str | Path | Any) -> Record:
        """Examine one of them; its weights are not read yet.  Raises as ``examine`` does."""
        model, label = _read(source, self._input_shape)
        with naming(label):
            record = _digested(_examined(model, source), model)
        self._opened.append((record, model, label))
        return record

    def record(self, place: int) -> Record:
        """What is known of a model without its weights, the suspect's at 0."""
        return self._opened[place][0]

    def weights(self, place: int) -> Mapping[str, Weight] | None:
        """Those of a model, the suspect's at 0; None where they are not in its file."""
        _, model, _ = self._opened[place]
        return None if MISSING in model.metadata else model.weights

    def records(self, place: int = 1) -> tuple[Record, Record]:
        """What is known of the suspect and of another model, sketched.  Raises UnreadableModel."""
        from assay.sketches import sketch
        from assay.sketches.keys import LENGTH, pair_key
        from assay.sketches.readings import registered, tried

        both = self._opened[0], self._opened[place]
        digests = [record.sha256 for record, _, _ in both if record.sha256]
        key = pair_key(*digests) if len(digests) == 2 else secrets.token_bytes(LENGTH)
        hasher, sketched = HASHERS[DEFAULT_HASHER](), []
        for (record, model, label), readings in zip(both, (tried, registered), strict=True):
            with naming(label):
                sketcher = partial(sketch, key=key, readings=readings)
                sketched.append(_sketched(parted(record, hasher), model, sketcher))
        suspect, source = sketched
        return suspect, source


def _read(
    source: str | Path | Any, input_shape: Mapping[str, tuple[int, ...]] | None
) -> tuple[Model, str]:
    """The model, and what errors call it."""
    if isinstance(source, str | Path):
        return read(Path(source), input_shape), str(source)
    from assay.formats._torch import trace

    label = type(source).__name__
    with naming(label):
        return trace(source, input_shape or {}), label


def _examined(
    model: Model, source: str | Path | Any, hasher: Hasher | None = None, *, raw: bool = False
) -> Record:
    """What is known of a model without looking at all bytes of its files."""
    is_file = isinstance(source, str | Path)
    shapes = signature(model.weights.values())
    record = Record(
        path=str(source) if is_file else "",
        format=model.format,
        sha256=None,
        name=Path(source).stem if is_file else type(source).__name__,
        metadata=model.metadata,
        shapes=shapes,
        order=order(model.weights.values(), shapes),
    )
    if model.layers is None:
        return replace(record, parameters=sum(weight.size for weight in model.weights.values()))
    graph = layer_graph(model.layers, () if raw else RULES)
    hasher = hasher or HASHERS[DEFAULT_HASHER]()
    trust = quality(graph) * prod(_DOUBTS[note] for note in _DOUBTS if note in model.metadata)
    said = hasher.classify(graph) if trust >= ENOUGH_QUALITY else None
    return replace(
        record,
        code=hasher(graph) if graph.layers else None,
        graph=graph,
        parameters=graph.parameters,
        quality=trust,
        predicted=said and (said[0], floor(said[1] * 1e4) / 1e4),  # only a true 1 reads as 1
    )


def _sketched(record: Record, model: Model, sketcher: Sketcher) -> Record:
    """``record`` with the sketch of the weights, if they are there."""
    if MISSING in model.metadata:
        return record
    return replace(record, sketch=sketcher(model.weights.values()))


def _digested(record: Record, model: Model) -> Record:
    """``record`` with the sha256 of the files, if there are any and none is missing."""
    if MISSING in model.metadata or not model.files:
        return record
    return replace(record, sha256=sha256(model))


def quality(graph: LayerGraph) -> float:
    """How far the graph can be trusted, 0 … 1: layers understood, and enough of them.

    A layer is understood where its operator is in ONNX's vocabulary, and its output's shape is
    known and not empty, which it is where the input was made too short.
    """
    if not graph.layers:
        return 0.0
    understood = sum(
        known(layer.op) and layer.shape is not None and min(layer.shape, default=1) > 0
        for layer in graph.layers
    )
    share = understood / len(graph.layers)
    return round(share * min(1.0, len(graph.layers) / ENOUGH_LAYERS), 4)


def sha256(model: Model) -> str:
    """Of the file; of the list of hashes and places where the model is several files.

    The name of the first one does not count: a renamed copy is the same model.
    """
    first, *others = model.files
    digest = file_sha256(first)
    if not others:
        return digest
    lines = [digest]
    lines += [f"{file_sha256(f)}  {f.relative_to(first.parent).as_posix()}" for f in others]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
