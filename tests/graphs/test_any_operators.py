"""Whatever operators stand in a row, with whatever attributes: a layer graph, or a refusal."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import UnreadableModel
from assay.graphs import layer_graph
from assay.graphs._shape_rules import RULES
from assay.graphs._values import _RULES as VALUES
from assay.graphs._vocabulary import BROADCAST, ELEMENTWISE, NORMALIZATIONS, REDUCTIONS
from assay.graphs.dequantize import _FLOAT, _THROUGH
from assay.graphs.neighborhoods import fingerprint
from assay.graphs.operators import Operator, OperatorGraph, Tensor
from assay.hashers.weisfeiler_lehman import WeisfeilerLehman
from assay.values import LayerGraph

FUSED = ("FusedConv", "FusedGemm", "BiasGelu", "FastGelu", "QuickGelu", "SkipLayerNormalization")
FUSED += ("MultiHeadAttention", "GroupQueryAttention", "Attention", "MatMulNBits", "QLinearConcat")
OPS = sorted(
    {*RULES, *VALUES, *ELEMENTWISE, *BROADCAST, *REDUCTIONS, *NORMALIZATIONS, *_FLOAT, *_THROUGH}
    | {f"com.microsoft::{op}" for op in FUSED}
    | {"mine::Odd", "RandomNormal", "NonZero", "IsNaN"}
)
NAMES = (
    "axis",
    "axes",
    "perm",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "group",
    "to",
    "min",
)
NAMES += (
    "max",
    "alpha",
    "keepdims",
    "split",
    "num_outputs",
    "blocksize",
    "equation",
    "mode",
    "value",
)
NAMES += (
    "num_heads",
    "q_num_heads",
    "kv_num_heads",
    "score_shape",
    "query_shape",
    "starts",
    "ends",
)
NAMES += ("num_scan_inputs", "activation", "activation_params", "K", "N", "hidden_size", "auto_pad")
NAMES += ("scales", "shape", "transA", "transB", "batch_dims", "k", "start", "end", "output_shape")
small = st.integers(-3, 5)
numbers = small | st.sampled_from([2**31, 2**62, -(2**63)])
values = st.one_of(
    numbers,
    st.floats(),
    st.lists(numbers, max_size=4).map(tuple),
    st.lists(st.floats(), max_size=3).map(tuple),
    st.sampled_from(["", "SAME_UPPER", "Relu", "Clip", "ij,jk->ik", "bij,bjk->bik", "->", "tanh"]),
    st.builds(Tensor, st.just(1), st.just((2, 2))),
)
shapes = st.one_of(st.none(), st.lists(st.integers(-1, 4), max_size=5).map(tuple))


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """An input of some shape, a stored tensor without values, or one with them."""
    kind = draw(st.sampled_from(["input", "weight", "value"]))
    if kind == "value":
        dims = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
        dtype = draw(st.sampled_from([np.int64, np.float32, np.bool_]))
        count = int(np.prod(dims))
        filled = draw(st.lists(numbers, min_size=count, max_size=count))
        with np.errstate(all="ignore"):
            array = np.asarray(filled, np.float64).astype(dtype).reshape(dims)
        return Tensor({np.int64: 7, np.float32: 1, np.bool_: 9}[dtype], dims, array, True)
    return Tensor(draw(st.sampled_from([0, 1, 3, 7])), draw(shapes), None, kind == "weight")


@st.composite
def graphs(draw: st.DrawFn) -> OperatorGraph:
    stored = draw(st.lists(tensors(), max_size=4))
    known = {"x": Tensor(1, draw(shapes))} | {f"t{i}": one for i, one in enumerate(stored)}
    names = list(known)
    nodes = []
    for i in range(draw(st.integers(1, 8))):
        op = draw(st.sampled_from(OPS))
        inputs = draw(st.lists(st.sampled_from(names), min_size=3, max_size=4))
        inputs += draw(st.lists(st.sampled_from(["", *names]), max_size=2))
        outputs = tuple(f"o{i}.{j}" for j in range(draw(st.integers(1, 3))))
        attributes = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
        count = draw(st.sampled_from([1, 2, 2, 3, len(inputs)]))
        nodes.append(Operator(op, tuple(inputs[:count]), outputs, attributes))
        names += outputs
    ends = tuple(node.outputs[0] for node in nodes)
    return OperatorGraph(tuple(nodes), tuple(known), ends, known)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs())
def test_a_layer_graph_or_a_refusal(graph: OperatorGraph) -> None:
    try:
        raw, merged = layer_graph(graph, ()), layer_graph(graph)
    except UnreadableModel:
        return
    for made in (raw, merged):
        stored = json.dumps(made.to_json(), allow_nan=False)
        assert LayerGraph.from_json(json.loads(stored)) == made
        assert all(0 <= a < b < len(made.layers) for a, b in made.edges)
        assert all(0 <= layer.macs <= 2**46 for layer in made.layers)
        assert all(0 <= layer.parameters <= 2**46 for layer in made.layers)
        assert all(d >= -1 for layer in made.layers for d in layer.shape or ())
        assert len(fingerprint(made)) == 16
        assert len(WeisfeilerLehman().digest(made)) == 8
    assert len(merged.layers) <= len(raw.layers)


@given(graph=graphs())
def test_the_same_operators_give_the_same_layers(graph: OperatorGraph) -> None:
    try:
        first = layer_graph(graph)
    except UnreadableModel:
        return
    assert layer_graph(graph) == first
