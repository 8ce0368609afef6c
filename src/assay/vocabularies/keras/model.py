"""A Keras configuration (JSON) and weights as an operator graph [Keras, serialization].

Functional models list for each call of a layer which results it reads; sequential ones are a chain;
a model may be a layer of another.  Nothing in a configuration is looked up or run: a class that is
not known stays opaque.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.errors import UnreadableModel
from assay.graphs.operators import FLOAT, INT64, OperatorGraph
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.inputs import Dimension, InputShapes, concrete, match
from assay.vocabularies.keras.calls import Arguments, Key, calls_of, keys_of
from assay.vocabularies.keras.names import Folder, called, snake
from assay.vocabularies.keras.weights import Variables

Json = Any

MOST_LAYERS = 50_000  # calls of layers
MOST_DEPTH = 16
_MODELS = ("Functional", "Model", "Sequential")


@dataclass
class Call:
    """One call of a layer."""

    kind: str
    name: str
    config: Mapping[str, Json]
    inputs: list[str]
    arguments: Arguments
    folder: Folder | None  # the layer's group in the file
    variables: Mapping[str, str]  # what Keras calls a variable → its path in the file
    depth: int


@dataclass
class _Member:
    """A layer of a model."""

    kind: str
    name: str
    config: Mapping[str, Json]
    folder: Folder | None
    calls: list[Arguments]
    first_call: int = 0  # the number that the first of them has in references


@dataclass
class KerasModel:
    """What is read of a configuration."""

    variables: Variables
    given: InputShapes
    build: GraphBuilder = field(default_factory=GraphBuilder)
    turned: dict[str, str] = field(default_factory=dict)  # matrix → the same, transposed
    layers: int = 0

    def read(self, configuration: Mapping[str, Json]) -> OperatorGraph | None:
        """The graph of the outermost model; None where only its code would tell."""
        kind, config = class_and_config(configuration)
        if not _is_model(kind, config):
            return None
        shapes = {name: (dims, code) for name, dims, code in _inputs(config)}
        wanted = match(self.given, shapes)
        for name, (dims, code) in shapes.items():
            self.build.input(name, concrete(name, code, dims, wanted.get(name)))
        return self.build.graph(self._model(kind, config, list(shapes), self.variables.root, 0))

    def inner(self, outer: Call, entry: Json, part: str, inputs: list[str]) -> list[str]:
        """The results of a layer that another one wraps; ``part`` is its group in the file."""
        kind, config = class_and_config(entry)
        name = str(config.get("name") or kind)
        folder = outer.folder
        if folder is not None:
            folder = folder.nearest(part) or folder.nearest(name) or folder
        member = _Member(kind, name, config, folder, [])
        return self._run(member, inputs, Arguments(), outer.depth)

    def _model(
        self, kind: str, config: Mapping[str, Json], inputs: list[str], folder: Folder, depth: int
    ) -> list[str]:
        """The results of a model that is called on ``inputs``."""
        members = list(self._members(config, folder))
        if kind == "Sequential" or "output_layers" not in config:
            results = list(inputs)
            for member in members:
                if member.kind != "InputLayer":
                    results = self._run(member, results, Arguments(), depth)
            return results
        known = dict(zip(_starts(config, members), inputs, strict=False))
        listed = list(keys_of(config["output_layers"]))
        _skip_own_calls(members, listed)
        self._in_order(members, known, depth)
        ends = [known[key] for key in listed if key in known]
        if not ends:
            raise UnreadableModel("a model's configuration names no outputs that it has")
        return ends

    def _members(self, config: Mapping[str, Json], folder: Folder) -> Iterator[_Member]:
        counts: Counter[str] = Counter()
        for entry in entries_of(config):
            kind, inner = class_and_config(entry)
            name = str(inner.get("name") or entry.get("name") or kind)
            is_model = _is_model(kind, inner)
            if self.variables.is_numbered:
                place = snake("Functional" if kind == "Model" else kind)
                counts[place] += 1
                number = counts[place] - 1
                own = folder.folders.get(f"{place}_{number}" if number else place)
            else:
                own = folder.nearest(name) or (folder if is_model else None)
            yield _Member(kind, name, inner, own, calls_of(entry))

    def _in_order(self, members: list[_Member], known: dict[Key, str], depth: int) -> None:
        """Runs each call when all that it reads is known; a layer may read one listed later."""
        readers: dict[Key, list[tuple[_Member, int]]] = {}
        missing: dict[tuple[str, int], int] = {}
        ready: deque[tuple[_Member, int]] = deque()
        for member in members:
            if member.kind == "InputLayer":
                continue
            for at, arguments in enumerate(member.calls, member.first_call):
                if (member.name, at) in missing:
                    raise UnreadableModel(f"two layers have the name {member.name[:80]!r}")
                unknown = {key for key in arguments.tensors if key not in known}
                missing[member.name, at] = len(unknown)
                for key in unknown:
                    readers.setdefault(key, []).append((member, at))
                if not unknown:
                    ready.append((member, at))
        while ready:
            member, at = ready.popleft()
            arguments = member.calls[at - member.first_call]
            sources = [known[key] for key in arguments.tensors]
            for i, result in enumerate(self._run(member, sources, arguments, depth)):
                known[member.name, at, i] = result
                for other, number in readers.pop((member.name, at, i), ()):
                    missing[other.name, number] -= 1
                    if missing[other.name, number] == 0:
                        ready.append((other, number))
        stuck = next((name for (name, _), count in missing.items() if count > 0), None)
        if stuck is not None:
            raise UnreadableModel(f"layer {stuck[:80]!r} reads what no layer gives")

    def _run(
        self, member: _Member, inputs: list[str], arguments: Arguments, depth: int
    ) -> list[str]:
        from assay.vocabularies.keras.layers import translate

        if not inputs:
            raise UnreadableModel(f"layer {member.name[:80]!r} reads nothing")
        kind, config, folder = member.kind, member.config, member.folder
        self.layers += 1
        if self.layers > MOST_LAYERS:
            raise UnreadableModel(f"more than {MOST_LAYERS:,} layers")
        if depth > MOST_DEPTH:
            raise UnreadableModel(f"models nested more than {MOST_DEPTH} deep")
        if _is_model(kind, config):
            return self._model(kind, config, inputs, folder or self.variables.root, depth + 1)
        variables = called(folder, kind, config)
        call = Call(kind, member.name, config, inputs, arguments, folder, variables, depth + 1)
        return translate(self, call)


def class_and_config(entry: Json) -> tuple[str, Mapping[str, Json]]:
    """What a serialized object names: its class, its options."""
    if not isinstance(entry, Mapping):
        raise UnreadableModel("a layer's configuration is no object")
    kind, config = entry.get("class_name"), entry.get("config")
    if not isinstance(kind, str):
        raise UnreadableModel("a layer's configuration names no class")
    if isinstance(config, list):
        config = {"layers": config}  # sequential models of old
    return kind, config if isinstance(config, Mapping) else {}


def entries_of(config: Mapping[str, Json]) -> list[Json]:
    """The layers that a model's configuration lists."""
    entries = config.get("layers")
    if not isinstance(entries, list):
        raise UnreadableModel("the configuration lists no layers")
    return entries


def _is_model(kind: str, config: Mapping[str, Json]) -> bool:
    """Whether it is one, of whatever class, and says what it consists of."""
    return isinstance(config.get("layers"), list) and (kind in _MODELS or "output_layers" in config)


def _skip_own_calls(members: list[_Member], outputs: list[Key]) -> None:
    """Up to Keras 2, call 0 of an inner model is the one that made it, which is not listed."""
    lowest: dict[str, int] = {}
    for key in (key for m in members for call in m.calls for key in call.tensors):
        lowest[key[0]] = min(lowest.get(key[0], key[1]), key[1])
    for name, at, _ in outputs:
        lowest[name] = min(lowest.get(name, at), at)
    for member in members:
        if _is_model(member.kind, member.config) and lowest.get(member.name, 0) > 0:
            member.first_call = 1


def _starts(config: Mapping[str, Json], members: list[_Member]) -> list[Key]:
    """The results that a model's inputs stand for, in the order in which it is called."""
    listed = list(keys_of(config.get("input_layers", [])))
    return listed or [(member.name, 0, 0) for member in members if member.kind == "InputLayer"]


def _inputs(config: Mapping[str, Json]) -> Iterator[tuple[str, list[Dimension] | None, int]]:
    """Name, shape and type of each input, in the order in which the model is called."""
    found = {}
    for entry in entries_of(config):
        kind, inner = class_and_config(entry)
        if kind == "InputLayer":
            name = str(inner.get("name") or entry.get("name") or "input")
            found[name] = (*_type(inner), name)
    order = [name for name, _, _ in keys_of(config.get("input_layers", [])) if name in found]
    for name in order or found:
        dims, code, _ = found[name]
        yield name, dims, code
    if not found:
        yield _first_input(config, 0)


def _first_input(config: Mapping[str, Json], depth: int) -> tuple[str, list[Dimension] | None, int]:
    """The input of a sequential model, said by its first layer or by the model within."""
    entries = entries_of(config)
    kind, first = class_and_config(entries[0]) if entries else ("", {})
    name = str(first.get("name") or "model")
    if isinstance(first.get("layers"), list) and depth < MOST_DEPTH:
        _, dims, code = (
            next(_inputs(first)) if _has_inputs(first) else _first_input(first, depth + 1)
        )
        return f"{name}/input", dims, code
    dims, code = _type(first)
    if dims is None:
        dims = _dims(config.get("build_input_shape"))
    return f"{name}/input", dims, INT64 if kind == "Embedding" else code


def _has_inputs(config: Mapping[str, Json]) -> bool:
    return any(class_and_config(entry)[0] == "InputLayer" for entry in entries_of(config))


def _type(config: Mapping[str, Json]) -> tuple[list[Dimension] | None, int]:
    shape = config.get("batch_shape", config.get("batch_input_shape"))
    return _dims(shape), INT64 if "int" in str(config.get("dtype", "")) else FLOAT


def _dims(shape: Json) -> list[Dimension] | None:
    if not isinstance(shape, list):
        return None
    return [d if isinstance(d, int) and not isinstance(d, bool) else None for d in shape]
