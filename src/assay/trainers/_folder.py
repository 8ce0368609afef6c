"""Samples from model files: each model's own layer graph, and copies of it with layers deleted.

[HNN-Net, §4.1.3.]  A ledger keeps the graphs, so that a killed run reads no file twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assay.errors import UnreadableModel
from assay.formats import naming, read
from assay.graphs import VERSION, layer_graph
from assay.graphs.mutations import delete_layers
from assay.graphs.neighborhoods import fingerprint
from assay.trainers import Sample
from assay.values import LayerGraph

TRAINED, HELD_OUT = 0, 1  # what copies are for; their deletions are drawn apart


@dataclass(frozen=True, slots=True)
class Source:
    """A model to train on."""

    path: str
    category: str
    graph: LayerGraph
    raw: LayerGraph | None = None  # not merged: no training asks for it, but a zoo keeps it


@dataclass(frozen=True, slots=True)
class Read:
    """The layer graph of a file, merged and not merged."""

    graph: LayerGraph
    raw: LayerGraph


@dataclass(frozen=True, slots=True)
class Sources:
    """Models whose layer graphs differ, and those that add nothing to them."""

    models: list[Source] = field(default_factory=list)
    repeats: list[Source] = field(default_factory=list)  # of a model of the same category
    conflicts: list[tuple[Source, Source]] = field(default_factory=list)  # and of another one


class Ledger:
    """The layer graphs of files that were read, in a file that only grows: a line of JSON each.

    A file is known by its path, size and time stamp.
    """

    def __init__(self, file: Path) -> None:
        """Read what was kept; a line that a killed run left unfinished is not."""
        self.file = file
        self._known: dict[str, Any] = {}
        self._stamps: dict[str, list[int]] = {}
        content = file.read_text("utf-8", "replace") if file.exists() else ""
        for line in content.splitlines():
            try:
                entry = json.loads(line)
                if "raw" in entry:
                    self._known[entry["path"]] = entry
            except (ValueError, KeyError, TypeError):
                continue  # its file is read again
        if content and not content.endswith("\n"):
            self._append("\n")

    def graphs(self, path: str) -> Read:
        """The layer graphs of a model file, which is read where they are not known.

        Raises UnreadableModel, with the path first, where it is no model or has no layers.
        """
        self._stamps[path] = stamp = _stamp(path)
        entry = self._known.get(path)
        if entry and entry["stamp"] == stamp and entry["graph"]["rules"] == VERSION:
            return Read(*(LayerGraph.from_json(entry[name]) for name in ("graph", "raw")))
        operators = read(Path(path)).layers
        with naming(path):
            graph = None if operators is None else layer_graph(operators)
            if operators is None or graph is None or not graph.layers:
                raise UnreadableModel("has no layers to train on")
            return Read(graph, layer_graph(operators, ()))

    def keep(self, path: str, made: Read) -> None:
        """Remember what ``graphs(path)`` gave.  Raises OSError."""
        graphs = {"graph": made.graph.to_json(), "raw": made.raw.to_json()}
        entry = {"path": path, "stamp": self._stamps[path], **graphs}
        if self._known.get(path) != entry:
            self._append(json.dumps(entry) + "\n")
            self._known[path] = entry

    def _append(self, text: str) -> None:
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(text)


def distinct(sources: Sequence[Source]) -> Sources:
    """Sort out models with the layers of an earlier one, in whichever order they are listed.

    Nothing could tell them apart: within a category one stands for all, and which of two
    categories such layers are of is not for the network to learn.
    """
    found = Sources()
    first: dict[str, Source] = {}
    for source in sources:
        original = first.setdefault(fingerprint(source.graph), source)
        if original is source:
            found.models.append(source)
        elif original.category == source.category:
            found.repeats.append(source)
        else:
            found.conflicts.append((source, original))
    return found


def samples(
    models: Sequence[Source], seed: int, *, copies: int = 9, share: float = 0.1
) -> list[Sample]:
    """Each model itself, and ``copies`` of it without a random ``share`` of its layers, or one."""
    made = []
    for model, deleted in zip(models, _deleted(models, seed, TRAINED, copies, share), strict=True):
        whole = tuple(range(len(model.graph.layers)))
        made += [Sample(model.path, model.category, model.graph, whole), *deleted]
    return made


def held_out(
    models: Sequence[Source], seed: int, *, copies: int = 3, share: float = 0.1
) -> list[Sample]:
    """Copies of each model that are none of ``samples``' but by chance: to judge a network with."""
    return [copy for some in _deleted(models, seed, HELD_OUT, copies, share) for copy in some]


def _deleted(
    models: Sequence[Source], seed: int, use: int, copies: int, share: float
) -> list[list[Sample]]:
    result = []
    for number, model in enumerate(models):
        rng = np.random.default_rng([seed, use, number])
        some = max(share, 1 / len(model.graph.layers))  # one layer at least
        made = (delete_layers(model.graph, some, rng) for _ in range(copies))
        result.append([Sample(model.path, model.category, *graph_kept) for graph_kept in made])
    return result


def _stamp(path: str) -> list[int]:
    """Size and time of a file; [] where there is none."""
    if not Path(path).is_file():
        return []
    stat = Path(path).stat()
    return [stat.st_size, stat.st_mtime_ns]
