"""Layer graphs of the zoo's exports, each made once in a test run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo_fixtures import variants

from assay.formats import read
from assay.graphs import layer_graph
from assay.graphs.operators import OperatorGraph
from assay.values import LayerGraph


@cache
def operators(name: str, size: int = 224, variant: str = "dynamo-optimized") -> OperatorGraph:
    """What the format reads of an export."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(variants(name, size)[variant])
        layers = read(path).layers
    assert layers is not None
    return layers


@cache
def merged(name: str, size: int = 224, variant: str = "dynamo-optimized") -> LayerGraph:
    """Its merged layer graph."""
    return layer_graph(operators(name, size, variant))
