"""A compared pair for Model Explorer: both graphs, colored, and how they are walked together.

[Google AI Edge Model Explorer 0.1.34: graph, node data and sync navigation as JSON.]  Opened in two
panes with the mapping uploaded, a click on a layer shows its partner; what has none is framed.
"""

from __future__ import annotations

import json
from pathlib import Path

from assay.durable import write_through
from assay.report.compared import Compared, LayerPair
from assay.report.drawing import step
from assay.report.layer_words import change_text, shape_text
from assay.report.words import false_alarm_text, printable
from assay.values import Json, WeightedGraph

SIDES = ("source", "suspect")
MAPPING = "sync_navigation.json"
_COLORS = {  # background and letters, by the class of a correlation
    "k4": ("#2166ac", "#ffffff"),
    "k3": ("#92c5de", "#111111"),
    "k2": ("#fbe7a1", "#111111"),
    "k1": ("#ee8d4a", "#111111"),
    "k0": ("#b2182b", "#ffffff"),
}


def write_model_explorer(compared: Compared, folder: Path) -> str:
    """Write five files into ``folder``, which is made; the command that opens them.

    Raises OSError where it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files(compared).items():
        write_through(folder / name, json.dumps(content))
    graphs = " ".join(str(folder / f"{side}.json") for side in SIDES)
    colors = ",".join(str(folder / f"{side}_correlation.json") for side in SIDES)
    return f"model-explorer {graphs} --node_data_paths={colors}"


def files(compared: Compared) -> dict[str, Json]:
    """The files' contents by name."""
    pairs_of = (
        {pair.source: pair for pair in compared.pairs},
        {pair.suspect: pair for pair in compared.pairs},
    )
    made: dict[str, Json] = {}
    for side, graph, pairs in zip(SIDES, compared.graphs, pairs_of, strict=True):
        made[f"{side}.json"] = {"label": side, "graphs": [_graph(side, graph, pairs)]}
        made[f"{side}_correlation.json"] = {side: _colors(pairs)}
    made[MAPPING] = {
        "type": "sync_navigation",
        "mappingEntries": [
            {"leftNodeIds": [str(pair.source)], "rightNodeIds": [str(pair.suspect)]}
            for pair in compared.pairs
        ],
        "disableMappingFallback": True,
        "showDiffHighlights": True,
    }
    return made


def _graph(name: str, graph: WeightedGraph, pairs: dict[int, LayerPair]) -> Json:
    reads: dict[int, list[int]] = {}
    for source, target in graph.graph.edges:
        reads.setdefault(target, []).append(source)
    nodes = []
    for place, layer in enumerate(graph.graph.layers):
        said = {
            "weights": ", ".join(graph.weights[place]),
            "parameters": f"{layer.parameters:,}" if layer.parameters else "",
            **{key: _text(value) for key, value in layer.attributes},
            **_told(pairs.get(place)),
        }
        shape = [{"key": "tensor_shape", "value": shape_text(layer.shape)}]
        nodes.append(
            {
                "id": str(place),
                "label": printable(layer.op),
                "namespace": _namespace(graph.weights[place]) if graph.whole else "",
                "attrs": [{"key": k, "value": printable(v)} for k, v in said.items() if v],
                "incomingEdges": [{"sourceNodeId": str(s)} for s in reads.get(place, ())],
                "outputsMetadata": [{"id": "0", "attrs": shape}],
            }
        )
    return {"id": name, "nodes": nodes}


def _told(pair: LayerPair | None) -> dict[str, str]:
    """What the side panel says of a pair."""
    if pair is None:
        return {}
    if pair.match is None:
        return {"number": str(pair.number), "partner": "told by its place alone"}
    return {
        "number": str(pair.number),
        "correlation": f"{pair.match.correlation:.4f}",
        "undone": ", ".join(pair.match.undone),
        "changed": change_text(pair.match.change),
        "false alarm": false_alarm_text(pair.match.log10_false_alarm),
    }


def _colors(pairs: dict[int, LayerPair]) -> Json:
    results = {}
    for place, pair in pairs.items():
        if pair.match is not None:
            color, letters = _COLORS[step(pair.match.correlation)]
            value = round(pair.match.correlation, 4)
            results[str(place)] = {"value": value, "bgColor": color, "textColor": letters}
    return {"name": "correlation", "results": results}


def _namespace(names: tuple[str, ...]) -> str:
    """The module that a layer's first weight lies in, as a path without its last part."""
    if not names:
        return ""
    parts = [part for part in names[0].replace(".", "/").split("/")[:-2] if part]
    return printable("/".join(parts[:6]))


def _text(value: object) -> str:
    return shape_text(value) if isinstance(value, tuple) else str(value)
