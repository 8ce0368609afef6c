"""The values that flow through the library: frozen, compared by value, JSON in and out.

LayerGraph → HashCode → Match → Evidence → Kin → Report, and Record, what a registry keeps: the
graph, its code, and the WeightSketch.  A LayerMatch is what became of one layer, where both files
were read; a WeightedGraph says which layer holds which weights.

Every value has ``to_json`` (plain dicts, lists and numbers), and what is stored has ``from_json``,
with ``from_json(x.to_json()) == x``.
"""

from __future__ import annotations

from assay.values.codes import HashCode, Match, TensorSketch, WeightSketch
from assay.values.layer_matches import LayerMatch
from assay.values.layers import Attribute, Json, Layer, LayerGraph, WeightedGraph
from assay.values.records import Record, Shapes
from assay.values.reports import Evidence, Kin, Licensed, Relation, Report

__all__ = [
    "Attribute",
    "Evidence",
    "HashCode",
    "Json",
    "Kin",
    "Layer",
    "LayerGraph",
    "LayerMatch",
    "Licensed",
    "Match",
    "Record",
    "Relation",
    "Report",
    "Shapes",
    "TensorSketch",
    "WeightSketch",
    "WeightedGraph",
]
