"""Comparisons of two files as ``assay compare`` has them, from weights of the same names."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from assay.diagnosis.tensors import change
from assay.examine import examine
from assay.formats import Model, read
from assay.report.compared import Compared
from assay.report.weighted import weighted
from assay.values import (
    Evidence,
    Kin,
    LayerGraph,
    LayerMatch,
    Record,
    Relation,
    Report,
    WeightedGraph,
)

SMALLEST = 32  # values of a tensor that is compared
AGREE = Path(__file__).parent / "fixtures" / "agree"


def compared(suspect: Path, source: Path, relation: Relation = Relation.DERIVED) -> Compared:
    """What would be known of the two if weights of one name and shape were one another's."""
    models = read(suspect), read(source)
    report = Report(examine(suspect), (Kin(examine(source), relation, (evidence(*models),)),))
    command = f"assay compare {suspect} {source} --html page.html"
    return Compared(report, weighted(models[0]), weighted(models[1]), command)


def tuned(folder: Path, network: str = "attention") -> tuple[Path, Path]:
    """A network and its fine-tuned copy, in which one weight is new and one has another name."""
    source, suspect = AGREE / f"{network}.onnx", folder / "tuned.onnx"
    model = onnx.load(source)
    random = np.random.default_rng(0)
    large = [t for t in model.graph.initializer if t.data_type == 1 and prod(t.dims) >= SMALLEST]
    for place, tensor in enumerate(large):
        values = numpy_helper.to_array(tensor)
        noise = random.standard_normal(values.shape).astype(np.float32) * values.std()
        changed = noise if tensor is large[1] else values + 0.15 * place * noise
        tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    _rename(model, large[-1].name, "other.weight")
    onnx.save(model, suspect)
    return suspect, source


def _rename(model: onnx.ModelProto, name: str, new: str) -> None:
    for tensor in model.graph.initializer:
        tensor.name = new if tensor.name == name else tensor.name
    for node in model.graph.node:
        for place, read_name in enumerate(node.input):
            node.input[place] = new if read_name == name else read_name


def evidence(suspect: Model, source: Model) -> Evidence:
    """Each tensor of the source that the suspect has, too, with what became of it."""
    layers = [_match(name, suspect, source) for name in _large(source) if name in suspect.weights]
    found = [layer for layer in layers if layer is not None]
    names = {layer.source for layer in found}
    detail = {
        "layers": [layer.to_json() for layer in found],
        "diagnosis": [{"kind": "fine-tuned", "text": "all layers were trained on", "share": 1.0}],
        "only_source": [name for name in _large(source) if name not in names],
        "only_suspect": [name for name in _large(suspect) if name not in names],
        "not_compared": {
            "suspect": {f"fewer than {SMALLEST} values": _few(suspect)},
            "source": {f"fewer than {SMALLEST} values": _few(source)},
        },
        "in_words": f"{len(found)} of {len(_large(suspect))} tensors are one of the other's",
    }
    return Evidence("AlignedWeights(most=500000000)", 0.97, -77.0, detail)


def _large(model: Model) -> list[str]:
    return [name for name, weight in model.weights.items() if weight.size >= SMALLEST]


def _few(model: Model) -> int:
    return len(model.weights) - len(_large(model))


def _match(name: str, suspect: Model, source: Model) -> LayerMatch | None:
    ours, theirs = suspect.weights[name], source.weights[name]
    if ours.shape != theirs.shape:
        return None
    old, new = theirs.read(), ours.read()
    found = float(np.corrcoef(old.ravel(), new.ravel())[0, 1]) if prod(ours.shape) else 0.0
    shapes = theirs.shape, ours.shape
    told = change(old.reshape(len(old), -1), new.reshape(len(new), -1)).to_json()
    undone = ("permuted",) if found < 0.5 else ()
    return LayerMatch(name, name, *shapes, round(found, 4), round(found, 4), undone, -12.0, told)


def large(graph: LayerGraph) -> Compared:
    """A graph, and what might be found if a fine-tuned copy of it were compared with it."""
    names = tuple(
        (f"stage{place // 40}.block{place // 8 % 5}.{place}.weight",) if layer.parameters else ()
        for place, layer in enumerate(graph.layers)
    )
    held = WeightedGraph(graph, names)
    layers = [
        LayerMatch(name, name, (64, 64), (64, 64), round(1 - place / 700, 4), None)
        for place, name in enumerate(name for each in names for name in each)
    ]
    listed = [layer.to_json() for layer in layers]
    detail = {"layers": listed, "only_source": [], "only_suspect": [], "in_words": "all match"}
    found = Evidence("AlignedWeights(most=500000000)", 0.9, -77.0, detail)
    source = Record("source.onnx", "onnx", "a" * 64, "source", graph=graph, quality=1.0)
    suspect = Record("suspect.onnx", "onnx", "b" * 64, "suspect", graph=graph, quality=1.0)
    report = Report(suspect, (Kin(source, Relation.DERIVED, (found,)),))
    return Compared(report, held, held, "assay compare suspect.onnx source.onnx")
