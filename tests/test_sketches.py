"""Sketches of models: every weight has a code or a reason, and comes back from JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.errors import BadOption, UnreadableModel
from assay.formats import read
from assay.sketches import sketch
from assay.sketches.keys import PUBLIC
from assay.sketches.nulls import log10_tail, log10_tail_invariant
from assay.sketches.projections import distance
from assay.sketches.readings import registered, tried
from assay.values import TensorSketch, WeightSketch
from assay.weights import Array, Weight

SECRET = bytes(range(32))


def values(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def weight(name: str, array: Array, canonical: bool = False) -> Weight:
    return Weight(name, array.shape, "float32", lambda: array, canonical)


def sketch_of(array: Array, canonical: bool = False) -> WeightSketch:
    return sketch([weight("w", array, canonical)], SECRET)


def suspect_of(array: Array, canonical: bool = False) -> WeightSketch:
    return sketch([weight("w", array, canonical)], SECRET, tried)


def nearest(suspect: WeightSketch, owner: WeightSketch) -> float:
    """log₁₀ of the false alarm of the best pair of tensors of one shape."""
    return min(
        log10_tail(distance(a.code, b.code), *a.shape)
        for a in suspect.tensors
        for b in owner.tensors
        if a.code and b.code and a.shape == b.shape
    )


def test_every_weight_has_a_code_or_a_reason() -> None:
    weights = {
        "bias": values(512),
        "scale": values(1, 512, 1, 1),
        "tiny": values(10, 25),
        "ones": np.ones((64, 64), np.float32),
        "broken": np.full((64, 64), np.nan, np.float32),
        "kernel": values(32, 16, 3, 3),
    }
    found = sketch([weight(name, array) for name, array in weights.items()])
    assert found.scheme == "projection-256@public+s2"
    assert {tensor.name: tensor.left_out for tensor in found.tensors} == {
        "bias": "one axis",
        "scale": "one axis",
        "tiny": "fewer than 256 values",
        "ones": "constant rows",
        "broken": "constant rows",
        "kernel": None,
    }
    kernel = found.tensors[-1]
    assert (kernel.shape, kernel.places, kernel.reading) == ((32, 144), 9, "as stored")
    assert kernel.size == 32 * 144
    assert [len(code or b"") for code in (kernel.code, kernel.invariant)] == [32, 32]
    assert all((t.code is None) == (t.left_out is not None) for t in found.tensors)


@pytest.mark.parametrize("odd", [np.nan, np.inf, 3e38])
def test_one_odd_value_hides_no_tensor(odd: float) -> None:
    plain, broken = values(64, 64), values(64, 64)
    broken[3, 5] = odd
    found, whole = (sketch([weight("a", array)]) for array in (broken, plain))
    assert nearest(found, whole) < -12
    huge = sketch([weight("a", plain / np.abs(plain).max() * np.float32(3e38))])
    assert nearest(huge, whole) < -12


def test_a_sketch_comes_back_from_json() -> None:
    weights = [weight("a", values(64, 64)), weight("b", values(3)), weight("c", values(300, 2))]
    found = sketch(weights, SECRET)
    assert WeightSketch.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert len(json.dumps(found.tensors[0].to_json())) < 1300


def test_a_sketch_that_was_kept_before_there_was_more_in_it_is_still_read() -> None:
    found = sketch([weight("a", values(64, 64))], SECRET).tensors[0]
    assert found.fragments is not None
    assert found.cells is not None
    older = TensorSketch.from_json(found.to_json()[:9])
    assert older == replace(found, cells=None, given=0.1, fragments=None)


def test_whole_numbers_tell_nothing_and_are_not_read() -> None:
    def unread() -> Array:
        raise UnreadableModel("damaged")

    index = Weight("index", (64, 64), "int64", unread)
    assert sketch([index]).tensors == (TensorSketch("index", (64, 64), left_out="whole numbers"),)
    with pytest.raises(UnreadableModel, match="damaged"):
        sketch([replace(index, dtype="float32")])


def test_a_key_that_is_none_is_refused_before_anything_is_read() -> None:
    with pytest.raises(BadOption, match="has 32"):
        sketch([], b"short")


STORED: dict[str, Callable[[Array], Array]] = {
    "as it is": lambda w: w,
    "half": lambda w: w.astype(np.float16).astype(np.float32),
    "int8": lambda w: np.rint(w / np.abs(w).max() * 127).astype(np.float32),
    "scaled rows": lambda w: (
        w * np.linspace(0.5, 2, len(w), dtype=np.float32).reshape((-1,) + (1,) * (w.ndim - 1))
    ),
    "pruned by half": lambda w: np.where(np.abs(w) > 0.67, w, 0),
}


@pytest.mark.parametrize("change", STORED.values(), ids=STORED)
@pytest.mark.parametrize("shape", [(48, 40), (64, 128), (32, 16, 3, 3), (300, 200)])
def test_a_changed_copy_is_near(change: Callable[[Array], Array], shape: tuple[int, ...]) -> None:
    array = values(*shape)
    assert nearest(suspect_of(change(array)), sketch_of(array)) < -12
    assert nearest(suspect_of(values(*shape, seed=1)), sketch_of(array)) > -6


MOVED: dict[str, Callable[[Array], Array]] = {
    "output last": lambda w: w.transpose(*range(2, w.ndim), 1, 0),
    "space exchanged": lambda w: w.swapaxes(-1, -2),
    "both": lambda w: w.swapaxes(-1, -2).transpose(2, 3, 1, 0),
}


@pytest.mark.parametrize("moved", ["output last", "space exchanged", "both"])
@pytest.mark.parametrize("known", [(True, False), (False, True), (False, False)])
def test_a_kernel_in_another_layout_is_found(moved: str, known: tuple[bool, bool]) -> None:
    array = values(32, 16, 3, 5)
    other = np.ascontiguousarray(MOVED[moved](array))
    is_canonical = moved == "space exchanged"  # what a graph says is what is stored
    pair = [
        (array, known[0]),
        (other, known[1] and is_canonical),
    ]
    for (a, a_known), (b, b_known) in (pair, pair[::-1]):
        assert nearest(suspect_of(a, a_known), sketch_of(b, b_known)) < -20


@pytest.mark.parametrize("known", [(True, False), (False, True), (False, False)])
def test_a_matrix_the_other_way_around_is_found(known: tuple[bool, bool]) -> None:
    array = values(64, 100)
    other = np.ascontiguousarray(array.T)
    assert nearest(suspect_of(array, known[0]), sketch_of(other, known[1])) < -20
    column = other.reshape(1, 1, 100, 64)  # a convolution of 1 × 1, channels last
    assert nearest(suspect_of(array, known[0]), sketch_of(column)) < -20


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((64, 100), ["as stored"]),
        ((64, 32, 3, 3), ["as stored"]),
        ((3, 3, 32, 64), ["output last"]),
        ((5, 5, 3, 8), ["as stored", "output last"]),
        ((64, 100, 80), ["as stored", "output last"]),
    ],
)
def test_a_mute_file_is_kept_in_the_readings_that_may_be_meant(
    shape: tuple[int, ...], names: list[str]
) -> None:
    mute = weight("w", values(*shape))
    assert [reading.name for reading in registered(mute)] == names
    assert [reading.name for reading in registered(replace(mute, canonical=True))] == ["as stored"]


def test_readings_that_are_the_same_matrix_are_tried_once() -> None:
    depthwise = weight("w", values(64, 1, 3, 3), canonical=True)
    assert [reading.shape(depthwise) for reading in tried(depthwise)] == [(64, 9), (64, 9)]
    square = weight("w", values(64, 64, 1, 1), canonical=True)
    assert [reading.name for reading in tried(square)] == ["as stored", "output last"]
    for mute in (weight("w", values(2, 3, 4, 5, 6)), weight("w", values(6, 5, 4))):
        found = [(reading.axes, reading.shape(mute)) for reading in tried(mute)]
        assert len({axes for axes, _ in found}) == len(found)
        assert all(prod(shape) == mute.size for _, shape in found)


def test_a_model_whose_channels_changed_places_is_found_by_the_second_code() -> None:
    array = values(64, 32, 3, 3) * np.random.default_rng(1).gamma(2, size=(1, 32, 3, 3))
    array = array.astype(np.float32)
    random = np.random.default_rng(2)
    other = array[random.permutation(64)][:, random.permutation(32)]
    a, b = suspect_of(other).tensors[0], sketch_of(array).tensors[0]
    assert a.code and b.code and a.invariant and b.invariant  # noqa: PT018
    assert log10_tail(distance(a.code, b.code), *a.shape) > -6
    assert log10_tail_invariant(distance(a.invariant, b.invariant)) < -12


def test_a_file_is_sketched_through_its_format(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(
        {"w": values(64, 64), "h": values(32, 300).astype(np.float16)}, tmp_path / "m.safetensors"
    )
    found = sketch(read(tmp_path / "m.safetensors").weights.values(), PUBLIC)
    assert {tensor.name: tensor.shape for tensor in found.tensors} == {
        "w": (64, 64),
        "h": (32, 300),
    }
    assert found == sketch(read(tmp_path / "m.safetensors").weights.values(), PUBLIC)


def test_importing_sketches_loads_no_format_and_no_operator() -> None:
    program = "import sys, assay.sketches; print(*sys.modules)"
    src = str(Path(assay.__file__).parents[1])
    loaded = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": src}, capture_output=True, text=True
    ).stdout.split()
    assert "assay.sketches.projections" in loaded
    assert not {"onnx", "torch", "assay.formats"} & set(loaded)
