"""The zoo's file: layer graphs as compressed lines of JSON, each distinct layer written once.

The first line is the table of layers, in the order of their first use.  Each further line is one
architecture: its merged and its raw graph as places in the table and, for each layer, how far back
each layer that it reads is listed.  Equal architectures give equal bytes.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from assay.errors import BadData
from assay.values import Json, Layer, LayerGraph

SUFFIX = ".jsonl.xz"
LARGEST = 2**30  # bytes of a file once it is unpacked; a thousand networks are 26 MB


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network's design without its weights, read from its own source code."""

    name: str  # "resnet18", "timm/convnext_tiny", "transformers/bert-base"
    family: str  # "resnet": one design; its sizes and variants share it
    source: str  # the package that defines it, "torchvision 0.28.0"
    inputs: tuple[tuple[int, ...], ...]  # shapes that were traced, ((1, 3, 256, 256),) if free
    graph: LayerGraph  # merged, rules "g1"
    raw: LayerGraph  # not merged, rules "g1-raw"


def pack(architectures: Iterable[Architecture], largest: int = LARGEST) -> bytes:
    """The file of these architectures, by name.  ``unpack(pack(a))`` gives them back.

    Raises BadData where it would have more than ``largest`` bytes before it is compressed.
    """
    text = listed(architectures)
    if len(text) > largest:
        raise BadData(
            f"the layer graphs take {len(text):,} bytes before they are compressed, and a zoo holds"
            f" {largest:,}: make more than one"
        )
    return lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)


def listed(architectures: Iterable[Architecture]) -> bytes:
    """The file before it is compressed."""
    table: dict[str, int] = {}  # by text: 1 and 1.0 are equal, but not the same attribute
    lines = []
    for architecture in sorted(architectures, key=lambda a: a.name):
        lines.append(
            {
                "name": architecture.name,
                "family": architecture.family,
                "source": architecture.source,
                "inputs": architecture.inputs,
                "graph": _graph_to_json(architecture.graph, table),
                "raw": _graph_to_json(architecture.raw, table),
            }
        )
    return "\n".join((f"[{','.join(table)}]", *map(_text, lines), "")).encode()


def unpack(content: bytes, largest: int = LARGEST) -> tuple[Architecture, ...]:
    """The architectures of a file, in its order.

    Raises BadData where it is none, or has more than ``largest`` bytes once it is unpacked.
    """
    try:
        return _unpacked(content, largest)
    except (lzma.LZMAError, EOFError, ValueError, LookupError, TypeError, AttributeError,
            RecursionError) as error:  # fmt: skip
        raise BadData(f"is no file of a zoo: {error}") from error


def _unpacked(content: bytes, largest: int) -> tuple[Architecture, ...]:
    reader = lzma.LZMADecompressor()
    text = reader.decompress(content, largest + 1)
    if len(text) > largest:
        raise ValueError(f"it is larger than {largest:,} bytes")
    if not reader.eof:
        raise ValueError("it is cut short" if content else "it is empty")
    first, *lines = text.decode().splitlines()
    table = [_layer(data) for data in json.loads(first)]
    result = []
    for line in lines:
        data = json.loads(line)
        result.append(
            Architecture(
                name=data["name"],
                family=data["family"],
                source=data["source"],
                inputs=tuple(map(tuple, data["inputs"])),
                graph=_graph_from_json(data["graph"], table),
                raw=_graph_from_json(data["raw"], table),
            )
        )
    return tuple(result)


def _layer(data: list[Any]) -> Layer:
    """Raises ValueError where its numbers are none, or its sizes larger than any file's."""
    layer = Layer.from_json(data)
    if not all(type(n) is int and abs(n) < 2**63 for n in layer.shape or ()):
        raise ValueError(f"a layer has the shape {layer.shape}")
    if not all(type(n) is int for n in (layer.macs, layer.parameters)):
        raise ValueError("a layer's costs are none")
    return layer


def _text(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))


def _graph_to_json(graph: LayerGraph, table: dict[str, int]) -> Json:
    back: list[list[int]] = [[] for _ in graph.layers]
    for source, target in graph.edges:
        back[target].append(target - source)
    return {
        "rules": graph.rules,
        "layers": [table.setdefault(_text(layer.to_json()), len(table)) for layer in graph.layers],
        "back": back,
    }


def _graph_from_json(data: Json, table: list[Layer]) -> LayerGraph:
    edges = [(i - far, i) for i, distances in enumerate(data["back"]) for far in distances]
    layers = tuple(table[place] for place in data["layers"])
    if not all(0 <= end < len(layers) for edge in edges for end in edge):
        raise ValueError("an edge leads to no layer")
    return LayerGraph(layers, tuple(sorted(edges)), data["rules"])
