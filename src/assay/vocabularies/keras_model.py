"""A Keras configuration (JSON) and weights as an operator graph [Keras, serialization].

Functional models list for each layer which layers' results it is called on; sequential ones are a
chain; a model may be a layer of another.  Nothing in a configuration is looked up or run: a class
that is not known stays opaque.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.keras_weights import Variables

Json = Any
Within = tuple[str, ...]  # what may stand before a layer's name in the file
Key = tuple[str, int, int]  # a layer, which call of it, which of its results

MOST_LAYERS = 50_000
MOST_DEPTH = 16
MOST_NAMES = 60  # that the layers within a model may have in the file
_MODELS = ("Functional", "Model", "Sequential")


@dataclass
class Call:
    """One call of a layer."""

    kind: str
    name: str
    config: Mapping[str, Json]
    inputs: list[str]
    variables: Mapping[str, str]  # what Keras calls a variable → its path in the file


@dataclass
class KerasModel:
    """What is read of a configuration."""

    variables: Variables
    given: InputShapes
    build: GraphBuilder = field(default_factory=GraphBuilder)
    layers: int = 0

    def read(self, configuration: Mapping[str, Json]) -> OperatorGraph:
        """The graph of the outermost model."""
        kind, config = _class_of(configuration)
        if kind not in _MODELS:
            raise UnreadableModel(f"the configuration is of {kind[:40]!r}, which is no model")
        entries = _entries(config)
        shapes = {name: (dims, code) for name, dims, code in _inputs(entries)}
        wanted = match(self.given, shapes)
        for name, (dims, code) in shapes.items():
            self.build.input(name, concrete(name, code, dims, wanted.get(name)))
        outputs = self._model(kind, config, list(shapes), ("",), 0)
        return self.build.graph(outputs)

    def _model(
        self, kind: str, config: Mapping[str, Json], inputs: list[str], within: Within, depth: int
    ) -> list[str]:
        """The results of a model that is called on ``inputs``; its layers are ``within``."""
        if depth > MOST_DEPTH:
            raise UnreadableModel(f"models nested more than {MOST_DEPTH} deep")
        entries = _entries(config)
        known: dict[Key, str] = {}
        last, left, counts = inputs[0] if inputs else "", list(inputs), dict[str, int]()
        for entry in entries:
            self.layers += 1
            if self.layers > MOST_LAYERS:
                raise UnreadableModel(f"more than {MOST_LAYERS:,} layers")
            own, inner = _class_of(entry)
            name = str(inner.get("name") or entry.get("name") or own)
            number = counts.get(own, 0)
            counts[own] = number + 1
            if own == "InputLayer":
                if left:
                    known[name, 0, 0] = last = left.pop(0)
                continue
            calls = list(_calls(entry)) if "inbound_nodes" in entry else None
            if kind == "Sequential" or calls is None:
                calls = [[]]
            for at, keys in enumerate(calls):
                sources = [known[key] for key in keys if key in known]
                if len(sources) != len(keys):
                    raise UnreadableModel(f"layer {name[:80]!r} is called before what it reads")
                sources = sources or [last]
                if own in _MODELS:
                    parts = tuple(
                        part
                        for names in _names(within, own, name, number)
                        for part in (f"{names}/{name}/", f"{names}/", f"{names}/layers/")
                    )
                    results = self._model(own, inner, sources, parts[:MOST_NAMES], depth + 1)
                else:
                    names = _names(within, own, name, number)
                    results = [self._layer(own, name, names, inner, sources)]
                known |= {(name, at, i): result for i, result in enumerate(results)}
                last = results[0]
        ends = [known[key] for key in _keys(config.get("output_layers", [])) if key in known]
        return ends or [last]

    def _layer(
        self,
        kind: str,
        name: str,
        names: list[str],
        config: Mapping[str, Json],
        inputs: list[str],
    ) -> str:
        from assay.vocabularies.keras_layers import translate

        if self.variables.numbered:  # named by class and number, whatever the layer is called
            names = names[len(names) // 2 :] + names[: len(names) // 2]
        variables = self.variables.of(names, kind, config)
        return translate(self, Call(kind, name, config, inputs, variables))


def _names(within: Within, kind: str, name: str, number: int) -> list[str]:
    """What a layer may be called in the file: by its name, or by its class and a number."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind[:80]).lower()
    snake = "functional" if snake == "model" else snake
    snake += f"_{number}" if number else ""
    return [f"{part}{each}" for each in (name, snake) for part in within]


def _class_of(entry: Json) -> tuple[str, Mapping[str, Json]]:
    if not isinstance(entry, Mapping):
        raise UnreadableModel("a layer's configuration is no object")
    kind, config = entry.get("class_name"), entry.get("config")
    if not isinstance(kind, str):
        raise UnreadableModel("a layer's configuration names no class")
    if isinstance(config, list):
        config = {"layers": config}  # sequential models of old
    return kind, config if isinstance(config, Mapping) else {}


def _entries(config: Mapping[str, Json]) -> list[Json]:
    entries = config.get("layers")
    if not isinstance(entries, list):
        raise UnreadableModel("the configuration lists no layers")
    return entries


def _inputs(entries: list[Json]) -> Iterator[tuple[str, list[Dimension] | None, int]]:
    """Name, shape and type of each input."""
    found = False
    for entry in entries:
        kind, config = _class_of(entry)
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        if kind == "InputLayer" or (not found and shape is not None):
            found = True
            code = INT64 if "int" in str(config.get("dtype", "")) else FLOAT
            name = str(config.get("name") or entry.get("name") or "input")
            name = name if kind == "InputLayer" else f"{name}/input"
            yield name, _dims(shape), code
    if not found:
        yield "input", None, FLOAT


def _dims(shape: Json) -> list[Dimension] | None:
    if not isinstance(shape, list):
        return None
    return [d if isinstance(d, int) and not isinstance(d, bool) else None for d in shape]


def _calls(entry: Mapping[str, Json]) -> Iterator[list[Key]]:
    """What each call of the layer reads."""
    nodes = entry["inbound_nodes"]
    for node in nodes if isinstance(nodes, list) else ():
        yield list(_keys(node))


def _keys(node: Json, depth: int = 0) -> Iterator[Key]:
    """References to layers' results, however they are nested."""
    if depth > MOST_DEPTH:
        raise UnreadableModel("a layer's inputs are nested too deep")
    if isinstance(node, Mapping):
        history = node.get("config", {}).get("keras_history") if "class_name" in node else None
        if history is not None:
            yield from _keys(history, depth + 1)
        elif "class_name" not in node:
            for value in node.values():
                yield from _keys(value, depth + 1)
    elif isinstance(node, list):
        if len(node) >= 3 and isinstance(node[0], str) and all(type(n) is int for n in node[1:3]):
            yield node[0], node[1], node[2]
            node = node[3:]  # tensors may also be given by keyword
        for value in node:
            yield from _keys(value, depth + 1)
