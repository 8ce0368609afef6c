"""MXNet networks: ``-symbol.json`` graphs and ``.params`` arrays [MXNet 1.9, model checkpoints].

``net-symbol.json`` lies beside ``net-0042.params``; of several, those of the last epoch are read.
Arrays alone have no graph.  Arrays of all generations are read, sparse ones dense; a factor that
``fix_gamma`` sets to one is read as ones.  Not read: subgraphs of control flow, quantized operators
and those without a counterpart in ONNX, which stay opaque; convolutions with channels last.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.containers.beside import beside
from assay.containers.ndarray_list import MAGIC, NdArray, arrays
from assay.errors import UnreadableModel
from assay.formats import MISSING, Format, InputShapes, Model
from assay.weights import Weight
from assay.weights.shapes import has_one_axis

if TYPE_CHECKING:
    from assay.graphs.operators import OperatorGraph
    from assay.vocabularies.mxnet.graph import Writer
    from assay.vocabularies.mxnet.symbol import Symbol

_GRAPH, _WEIGHTS = "-symbol.json", ".params"
_EPOCH = re.compile(r"-\d{4,}$")
_PREFIXES = ("arg:", "aux:")
_LONGEST = 200  # characters of a note


class MxNet(Format):
    """The graph and weights of an MXNet network."""

    suffixes = (_WEIGHTS, ".json")

    def sniff(self, head: bytes) -> bool:
        is_symbol = head.lstrip().startswith(b"{") and b'"nodes"' in head and b'"op"' in head
        return head.startswith(MAGIC) or is_symbol

    def sniff_folder(self, names: frozenset[str]) -> bool:
        graphs = [name for name in names if name.endswith(_GRAPH)]
        return len(graphs) == 1 and any(name.endswith(_WEIGHTS) for name in names)

    def holds(self, name: str) -> bool:
        return name.endswith((_GRAPH, _WEIGHTS))

    def read(self, path: Path, input_shapes: InputShapes) -> Model:
        from assay.vocabularies.fitting import fitting
        from assay.vocabularies.mxnet.graph import Writer
        from assay.vocabularies.mxnet.symbol import symbol
        from assay.weights.layout import Weights

        graph, weights = _pair(path)
        held = {} if weights is None else _named(arrays(weights))
        files = tuple(file for file in (graph, weights) if file is not None)
        if graph is None:
            found = {name: _plain(name, array) for name, array in held.items()}
            return Model("mxnet", None, files, {}, found)
        network = symbol(graph)

        def translated(side: int) -> tuple[Writer, OperatorGraph]:
            writer = Writer(network, held, side)
            return writer, writer.read(input_shapes)

        writer, layers = fitting(translated, len(network.nodes))
        notes = _notes(network, layers)
        if weights is None:
            notes |= {MISSING: [path.name.removesuffix(_GRAPH) + _WEIGHTS]}
        return Model("mxnet", layers, files, notes, Weights(layers, writer.stored))


def _pair(path: Path) -> tuple[Path | None, Path | None]:
    """The file of the graph and that of the weights, as far as there are any."""
    if path.is_dir():
        graphs = [file for file in path.iterdir() if file.name.endswith(_GRAPH)]
        if len(graphs) != 1:
            raise UnreadableModel("a folder without one symbol")
        graph = beside(path / "model", graphs[0].name)
        if graph is None:
            raise UnreadableModel("a folder without one symbol")
        return graph, _last(graph, graphs[0].name.removesuffix(_GRAPH))
    with path.open("rb") as file:
        is_list = file.read(len(MAGIC)) == MAGIC
    if is_list or path.name.endswith(_WEIGHTS):
        stem = _EPOCH.sub("", path.name.removesuffix(_WEIGHTS))
        return beside(path, stem + _GRAPH), path
    return path, _last(path, path.name.removesuffix(_GRAPH)) if path.name.endswith(_GRAPH) else None


def _last(graph: Path, stem: str) -> Path | None:
    """The arrays of the last epoch, or those without one."""
    found: dict[int, str] = {}
    for file in graph.parent.iterdir():
        middle = file.name.removeprefix(stem).removesuffix(_WEIGHTS)
        if file.name != stem + middle + _WEIGHTS:
            continue
        if not middle:
            found[-1] = file.name
        elif _EPOCH.fullmatch(middle) and len(middle) < 12:
            found[int(middle[1:])] = file.name
    return beside(graph, found[max(found)]) if found else None


def _named(found: list[NdArray]) -> dict[str, NdArray]:
    """By the names of variables: arguments and auxiliary states are told apart by a prefix."""
    names: dict[str, NdArray] = {}
    for array in found:
        name = array.name[4:] if array.name.startswith(_PREFIXES) else array.name
        if name in names:
            raise UnreadableModel(f"it names {name[:80]!r} twice")
        names[name] = array
    return names


def _plain(name: str, array: NdArray) -> Weight:
    known = has_one_axis(array.shape)
    return Weight(name, array.shape, array.dtype, array.read, canonical=known)


def _notes(network: Symbol, layers: OperatorGraph) -> dict[str, Any]:
    opaque = sorted({node.op for node in layers.operators if node.op.startswith("mxnet::")})
    notes = {
        "mxnet_version": network.version,
        "opaque_operators": [op[:_LONGEST] for op in opaque[:50]],
    }
    return {key: value for key, value in notes.items() if value}
