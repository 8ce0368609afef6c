"""SavedModels and frozen graphs that are damaged, or put together at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import saved_model as files
from samples.saved_model import (
    const,
    node,
    placeholder,
    small,
)

from assay.errors import UnreadableModel
from assay.formats import read
from assay.graphs import layer_graph

FILES = ("saved_model.pb", "variables/variables.index")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    file=st.sampled_from(FILES),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_a_damaged_folder_is_refused_or_read(
    file: str, flips: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = small(tmp_path)
    damaged = path / file
    content = bytearray(damaged.read_bytes())
    for place, value in flips:
        content[place % len(content)] = value
    damaged.write_bytes(content)
    _is_read_or_refused(path)


KINDS = st.sampled_from(
    [
        "Conv2D",
        "MatMul",
        "Split",
        "Pack",
        "Unpack",
        "ConcatV2",
        "StridedSlice",
        "Reshape",
        "Transpose",
        "Mean",
        "Merge",
        "Switch",
        "Exit",
        "NextIteration",
        "Enter",
        "While",
        "If",
        "Squeeze",
        "Pad",
        "BatchToSpaceND",
        "SpaceToBatchND",
        "Cast",
        "Relu",
        "Const",
        "ResizeBilinear",
        "FusedBatchNormV3",
        "DepthwiseConv2dNative",
        "TensorListGetItem",
        "Einsum",
        "Erfc",
    ]
)
SOURCES = st.sampled_from(["x", "w", "i", "n0", "n1", "n1:1", "n2", "n3:2", "^n0"])
VALUES = st.sampled_from(
    [files.ints(1, 2, 2, 1), files.ints(), {2: "SAME"}, {3: 2}, {3: -1}, {4: 0.5}, {6: 9}]
)
NAMES = st.sampled_from(["strides", "padding", "axis", "num", "num_split", "DstT", "squeeze_dims"])


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    nodes=st.lists(
        st.tuples(KINDS, st.lists(SOURCES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=3)),
        min_size=1,
        max_size=6,
    )
)
def test_any_graph_is_refused_or_read(nodes: list[Any], tmp_path: Path) -> None:
    listed = [
        node(f"n{i}", op, sources, **attributes)
        for i, (op, sources, attributes) in enumerate(nodes)
    ]
    constants = [const("w", np.ones((3, 3, 2, 4))), const("i", [1, 2], "i4")]
    _is_read_or_refused(files.freeze(tmp_path, placeholder("x", [1, 8, 8, 2]), *constants, *listed))


def _is_read_or_refused(path: Path) -> None:
    refused = ""
    try:
        model = read(path)
        for weight in model.weights.values():
            assert weight.read().shape == weight.shape
        if model.layers is not None:
            layer_graph(model.layers)
    except UnreadableModel as error:
        refused = str(error)
    assert "please report" not in refused
