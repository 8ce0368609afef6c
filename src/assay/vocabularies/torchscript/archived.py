"""Values of a TorchScript archive as those that its program computes with."""

from __future__ import annotations

from assay.containers.pickle_opcodes import Entries, Node
from assay.containers.pickled_weights import Tensor
from assay.vocabularies.torchscript.graph import TorchGraph
from assay.vocabularies.torchscript.source import Class, Source
from assay.vocabularies.torchscript.values import Object, Value


class Archived:
    """Makes each value once, however often the archive refers to it."""

    def __init__(self, source: Source, graph: TorchGraph) -> None:
        self.source, self.graph = source, graph
        self._made: dict[int, Value] = {}

    def wrap(self, raw: Value) -> Value:
        """A tensor's handle, an object, a list or a dictionary; other values are as they are."""
        if isinstance(raw, Tensor):
            return self.graph.stored(raw)
        if not isinstance(raw, Node | Entries | list | tuple):
            return raw
        made = self._made.get(id(raw))
        if made is not None:
            return made
        if isinstance(raw, Node):
            return self._object(raw)
        if isinstance(raw, Entries):
            pairs = self._made[id(raw)] = {}
            pairs |= {k: self.wrap(v) for k, v in raw if isinstance(k, str | int | float)}
        elif isinstance(raw, list):
            items = self._made[id(raw)] = []
            items += [self.wrap(part) for part in raw]
        else:
            self._made[id(raw)] = tuple(self.wrap(part) for part in raw)
        return self._made[id(raw)]

    def _object(self, raw: Node) -> Value:
        """A module; a member of an enumeration is its value."""
        if raw.parts:
            found = self.source.find(raw.name)
            if isinstance(found, Class) and "Enum" in found.bases:
                return self.wrap(raw.parts[0])
        made = self._made[id(raw)] = Object(raw.name)
        if isinstance(raw.state, Entries):
            made.attributes |= {name: self.wrap(v) for name, v in raw.state.named().items()}
        else:
            made.state = self.wrap(raw.state)
        return made
