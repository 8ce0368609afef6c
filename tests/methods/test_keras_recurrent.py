"""Keras' recurrent layers, written as ONNX: what they compute, by Keras' formulas step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator
from samples.keras import functional, h5, layer, source

from assay.formats import FORMATS, Model, read

RANDOM = np.random.default_rng(0)
HIDDEN, SHAPE = 270, (7, 2)  # a bias has more numbers than a graph keeps
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
NAMES = ("kernel", "recurrent_kernel", "bias")


def drawn(kind: str, rows: int = 1) -> list[Any]:
    """Kernels and a bias; ``rows``: 2 where the state has a bias of its own."""
    width = GATES[kind] * HIDDEN
    shapes = (SHAPE[1], width), (HIDDEN, width), (width,) if rows == 1 else (rows, width)
    return [RANDOM.uniform(-0.1, 0.1, shape).astype("f4") for shape in shapes]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def states(kind: str, x: Any, weights: Sequence[Any]) -> Any:
    """The state after each step, as Keras documents its cells: gates i f c o, and z r h."""
    kernel, recurrent, bias = weights
    own, back = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    h = cell = np.zeros((1, HIDDEN))
    found = []
    for step in x:
        a, b = step @ kernel + own, h @ recurrent + back
        if kind == "LSTM":
            i, f, c, o = np.split(a + b, 4, axis=1)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(c)
            h = sigmoid(o) * np.tanh(cell)
        elif kind == "GRU":
            (az, ar, ah), (bz, br, bh) = np.split(a, 3, axis=-1), np.split(b, 3, axis=-1)
            z, r = sigmoid(az + bz), sigmoid(ar + br)
            inner = r * bh if bias.ndim == 2 else (r * h) @ recurrent[:, 2 * HIDDEN :]
            h = z * h + (1 - z) * np.tanh(ah + inner)
        else:
            h = np.tanh(a + b)
        found.append(h)
    return np.stack(found, 1)  # batch, time, features


def opened(folder: Path, entry: Any, weights: Any) -> Model:
    path = folder / "model.h5"
    stored = {f"model_weights/it/{name}:0": value for name, value in weights.items()}
    path.write_bytes(h5(stored, functional([source([None, *SHAPE]), entry], ["it"])))
    return read(path)


def computed(folder: Path, model: Model, x: Any) -> Any:
    path = folder / "model.onnx"
    FORMATS["onnx"]().write(model, path)
    return ReferenceEvaluator(str(path)).run(None, {"x": x[None]})[0]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("LSTM", {}), ("SimpleRNN", {}), ("GRU", {"reset_after": False}), ("GRU", {"reset_after": 1})],
)
def test_a_layer_computes_what_keras_does(
    kind: str, options: Any, sequences: bool, backwards: bool, tmp_path: Path
) -> None:
    """Backwards, its steps stay in the order in which they were done."""
    weights = drawn(kind, 2 if options.get("reset_after") else 1)
    more = {"return_sequences": sequences, "go_backwards": backwards}
    stored = dict(zip(NAMES, weights, strict=True))
    model = opened(tmp_path, layer(kind, "it", ["x"], **options, **more), stored)
    x = RANDOM.standard_normal(SHAPE).astype("f4")
    wanted = states(kind, x[::-1] if backwards else x, weights)
    found = computed(tmp_path, model, x)
    np.testing.assert_allclose(found, wanted if sequences else wanted[:, -1], atol=1e-5)


@pytest.mark.parametrize("kind", GATES)
def test_both_directions_compute_what_keras_does(kind: str, tmp_path: Path) -> None:
    sides = {name: drawn(kind) for name in ("forward_layer", "backward_layer")}
    stored = {
        f"{side}/{name}": value
        for side, weights in sides.items()
        for name, value in zip(NAMES, weights, strict=True)
    }
    inner = {"class_name": kind, "config": {"return_sequences": True, "reset_after": False}}
    model = opened(tmp_path, layer("Bidirectional", "it", ["x"], layer=inner), stored)
    x = RANDOM.standard_normal(SHAPE).astype("f4")
    there = states(kind, x, sides["forward_layer"])
    back = states(kind, x[::-1], sides["backward_layer"])[:, ::-1]
    wanted = np.concatenate([there, back], axis=-1)
    np.testing.assert_allclose(computed(tmp_path, model, x), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "options", "wanted"),
    [
        ("LSTM", {"activation": "tanh", "recurrent_activation": "sigmoid"}, {}),
        ("LSTM", {"activation": "relu"}, {"activations": ("Sigmoid", "Relu", "Relu")}),
        ("GRU", {"recurrent_activation": "hard_sigmoid"}, {
            "activations": ("HardSigmoid", "Tanh"), "activation_alpha": (0.2,),
            "activation_beta": (0.5,)}),
        ("SimpleRNN", {"activation": "linear"}, {
            "activations": ("Affine",), "activation_alpha": (1.0,), "activation_beta": (0.0,)}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("both", [False, True])
def test_activations_are_told_where_they_are_not_the_usual_ones(
    kind: str, options: Any, wanted: Any, both: bool, tmp_path: Path
) -> None:
    names = ("forward_layer/", "backward_layer/") if both else ("",)
    stored = {f"{side}{n}": v for side in names for n, v in zip(NAMES, drawn(kind), strict=True)}
    entry = layer(kind, "it", ["x"], **options)
    if both:
        entry = layer("Bidirectional", "it", ["x"], layer={"class_name": kind, "config": options})
    model = opened(tmp_path, entry, stored)
    assert model.layers is not None
    (node,) = (each for each in model.layers.operators if each.op in ("LSTM", "GRU", "RNN"))
    found = {name: v for name, v in node.attributes.items() if name.startswith("activation")}
    assert found == {name: value * len(names) for name, value in wanted.items()}


@pytest.mark.parametrize("activation", ["gelu", {"class_name": "Custom", "config": {}}, ["relu"]])
def test_an_activation_that_onnx_does_not_have_leaves_the_layer_as_it_is(
    activation: Any, tmp_path: Path
) -> None:
    stored = dict(zip(NAMES, drawn("GRU"), strict=True))
    model = opened(tmp_path, layer("GRU", "it", ["x"], activation=activation), stored)
    assert model.layers is not None
    assert [node.op for node in model.layers.operators] == ["keras::GRU"]
    assert len(model.weights) == len(NAMES)


@pytest.mark.parametrize("missing", NAMES)
def test_directions_of_other_weights_are_left_as_they_are(missing: str, tmp_path: Path) -> None:
    """Also a bias that does not have as many numbers as the gates."""
    whole = dict(zip(NAMES, drawn("GRU"), strict=True))
    stored = {f"forward_layer/{name}": value for name, value in whole.items()}
    stored |= {f"backward_layer/{n}": value for n, value in whole.items() if n != missing}
    inner = {"class_name": "GRU", "config": {}}
    model = opened(tmp_path, layer("Bidirectional", "it", ["x"], layer=inner), stored)
    assert model.layers is not None
    assert model.layers.operators[-1].op == "keras::Bidirectional"
    model = opened(tmp_path, layer("GRU", "it", ["x"]), whole | {"bias": np.ones(7, "f4")})
    assert model.layers is not None
    assert [node.op for node in model.layers.operators] == ["keras::GRU"]
