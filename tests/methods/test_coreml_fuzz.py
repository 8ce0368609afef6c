"""Core ML files that are damaged, or put together at random: each is read or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from coreml_fixtures import fixture
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from samples import coreml as files
from samples.coreml import Design, Text, floats, layer

from assay.errors import UnreadableModel
from assay.formats import naming, read
from assay.graphs import layer_graph
from assay.vocabularies.coreml import compressed, layers, operators

FLIPS = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=3)
INSIDE = "Data/com.apple.CoreML/model.mlmodel"
PARTS = (INSIDE, INSIDE, "Data/com.apple.CoreML/weights/weight.bin", "Manifest.json")
PACKAGES = ("mixed", "recurrent", "compressed/sparse_palette_18", "compressed/blocks_uint4_18")
NETWORKS = ("mixed", "recurrent", "network_3", "network_16")
limited = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@limited
@given(name=st.sampled_from(PACKAGES), part=st.sampled_from(PARTS), flips=FLIPS)
@example(name="compressed/blocks_uint4_18", part=INSIDE, flips=[(1730, 0)])  # no rows, 8 blocks
def test_a_damaged_package_is_read_or_refused(
    name: str, part: str, flips: list[tuple[int, int]], tmp_path: Path
) -> None:
    source, path = fixture(f"{name}.mlpackage"), tmp_path / "model.mlpackage"
    for file in {*PARTS}:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        content = (source / file).read_bytes()
        (path / file).write_bytes(_flipped(content, flips) if file == part else content)
    _is_read_or_refused(path)


@limited
@given(name=st.sampled_from(NETWORKS), flips=FLIPS)
def test_a_damaged_network_is_read_or_refused(
    name: str, flips: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = tmp_path / "model.mlmodel"
    path.write_bytes(_flipped(fixture(f"{name}.mlmodel").read_bytes(), flips))
    _is_read_or_refused(path)


def _flipped(content: bytes, flips: list[tuple[int, int]]) -> bytes:
    changed = bytearray(content)
    for place, value in flips:
        changed[place % len(changed)] = value
    return bytes(changed)


OPTIONS = st.one_of(
    st.integers(-3, 9),
    st.sampled_from([2**31 - 1, -(2**31), 2**62, 0.5, float("nan")]),
    st.lists(st.integers(-2, 5), max_size=5),
    st.sampled_from(["", "x", b"\x08\x01", {1: 2}, {1: [1, 2]}, floats(np.ones(8))]),
)
BLOBS = st.lists(st.sampled_from("xyz"), max_size=3)


@limited
@given(
    chosen=st.lists(
        st.tuples(
            st.sampled_from(sorted(layers._RULES)),
            st.dictionaries(st.integers(1, 100), OPTIONS, max_size=6),
            BLOBS,
            BLOBS,
        ),
        min_size=1,
        max_size=4,
    ),
    shape=st.lists(st.integers(0, 8), max_size=5),
    exact=st.booleans(),
)
def test_any_layers_are_read_or_refused(
    chosen: list[Any], shape: list[int], exact: bool, tmp_path: Path
) -> None:
    made = [layer(*one) for one in chosen]
    _is_read_or_refused(files.one(tmp_path, made, shape, exact))


NAMES = sorted(
    {"a", "axes", "axis", "b", "begin", "bias", "cond", "data", "direction", "end", "groups"}
    | {"indices", "initial_h", "k", "kernel_sizes", "lut", "mask", "nonzero_data", "offset"}
    | {"output_shape", "pad", "pad_type", "perm", "quantized_data", "reps", "scale", "shape"}
    | {"size", "split_sizes", "strides", "values", "vector_axis", "weight", "weight_hh"}
    | {"weight_ih", "x", "y", "zero_point"}
)
ARGUMENTS = st.one_of(
    st.sampled_from(["x", "w", "i", "n0", "n1", "ghost"]),
    st.sampled_from([Text("same"), Text("custom"), Text("bidirectional"), float("inf"), 0.5]),
    st.integers(-3, 9),
    st.sampled_from([np.array(v) for v in ([0, 1], [2, 2], [1, 1, 1, 1], [-1], [2**31 - 1])]),
)
KINDS = sorted({*operators._RULES, *operators._UNARY, *operators._BINARY, *operators._REDUCTIONS})


@limited
@given(
    chosen=st.lists(
        st.tuples(
            st.sampled_from([*KINDS, *compressed._RULES]),
            st.dictionaries(st.sampled_from(NAMES), ARGUMENTS, max_size=8),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_operations_are_read_or_refused(chosen: list[Any], tmp_path: Path) -> None:
    design = Design()
    design.weight("w", np.ones((4, 4, 3, 3), np.float32))
    design.weight("i", np.ones((4, 4), np.uint8))
    for place, (kind, arguments) in enumerate(chosen):
        design.add(kind, arguments, {f"n{place}": (1, 4, 4, 4)})
    folder = tmp_path / "made"
    folder.mkdir(exist_ok=True)
    for file in sorted(folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    _is_read_or_refused(design.package(folder, {"x": (1, 4, 4, 4)}, ["n0"]))


def _is_read_or_refused(path: Path) -> None:
    refused = ""
    try:
        model = read(path)
        if model.layers is not None:
            layer_graph(model.layers)
        for weight in model.weights.values():
            with naming(path):
                assert weight.read().shape == weight.shape
    except UnreadableModel as error:
        refused = str(error)
    assert "please report" not in refused
