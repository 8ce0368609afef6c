"""One network in many formats: the same merged graph, the same weights, the same outputs.

``scripts/make_agree_fixtures.py`` made the files, in two frameworks, of the same numbers.  What
each format's graph computes is judged by onnx's reference evaluator, once it is written as ONNX.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from packed_fixtures import packed_fixture

from assay.formats import FORMATS, Model, read
from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint

FOLDER = Path(__file__).parent / "fixtures" / "agree"
PACKED = {  # those that are large
    *(f"attention.{suffix}" for suffix in ("h5", "keras", "saved_model")),
    *(f"cnn.{suffix}" for suffix in ("pt2", "saved_model")),
}
FILES = [
    pytest.param(name, marks=pytest.mark.torch) if name.endswith(".pt2") else name
    for name in sorted(PACKED | {path.name for path in FOLDER.iterdir()} - {"packed.tar.xz"})
]
GRAPHS = [name for name in FILES if not str(name).endswith((".safetensors", ".pt"))]
INPUTS = {"cnn": (1, 3, 16, 16), "attention": (1, 6, 12)}
# A dense layer of sequences is written as a product of all rows, and the bias behind the Reshape.
APART = {"attention.saved_model": Counter({"Add": 6})}
EPSILON = 1e-3  # of the normalizations
CLOSE = 2e-6


@cache
def opened(name: str) -> Model:
    """TorchScript does not tell how large its inputs are."""
    shapes = {"": INPUTS[name.partition(".")[0]]} if name.endswith(".torchscript") else {}
    is_packed = name in PACKED
    path = packed_fixture("agree/packed.tar.xz", name) if is_packed else FOLDER / name
    return read(path, shapes)


def truth(network: str) -> dict[str, Any]:
    """The numbers of both frameworks, in canonical layout."""
    return {name: w.read() for name, w in read(FOLDER / f"{network}.safetensors").weights.items()}


def folded(numbers: Mapping[str, Any], weight: str, norm: str) -> Any:
    """A convolution's weight with the normalization behind it multiplied in."""
    scale = numbers[f"{norm}.weight"] / np.sqrt(numbers[f"{norm}.running_var"] + EPSILON)
    return numbers[weight] * scale.reshape(-1, 1, 1, 1)


def matrices(network: str) -> dict[str, list[Any]]:
    """Each weight of more than one axis, as it may be stored."""
    numbers = truth(network)
    found = {name: [values] for name, values in numbers.items() if values.ndim > 1}
    for weight, norm in (("conv.weight", "norm1"), ("depthwise.weight", "norm2")):
        if weight in found:
            found[weight].append(folded(numbers, weight, norm))
    return found


def equal(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=CLOSE, atol=CLOSE))


@pytest.mark.parametrize("name", GRAPHS)
def test_the_merged_graph_is_that_of_the_onnx_file(name: str) -> None:
    layers, expected = opened(name).layers, opened(f"{name.partition('.')[0]}.onnx").layers
    assert layers is not None
    assert expected is not None
    found, wanted = layer_graph(layers), layer_graph(expected)
    assert found.parameters == wanted.parameters
    if name in APART:
        more = Counter(layer.op for layer in found.layers)
        more.subtract(layer.op for layer in wanted.layers)
        assert +more == APART[name]
        assert not -more
        return
    assert sorted(found.layers, key=repr) == sorted(wanted.layers, key=repr)
    assert fingerprint(found) == fingerprint(wanted)


@pytest.mark.parametrize("name", FILES)
def test_the_weights_are_the_numbers_that_were_drawn(name: str) -> None:
    weights = {key: weight.read() for key, weight in opened(name).weights.items()}
    stored = {key: w for key, w in weights.items() if sum(dim > 1 for dim in w.shape) > 1}
    for key, ways in matrices(name.partition(".")[0]).items():
        twins = [name for name, w in stored.items() if any(equal(w, way) for way in ways)]
        assert len(twins) == 1, (key, twins)
        del stored[twins[0]]
    assert not stored, "weights that nothing explains"


@pytest.mark.parametrize("name", [name for name in GRAPHS if not str(name).endswith(".onnx")])
def test_written_as_onnx_it_computes_what_the_onnx_file_does(name: str, tmp_path: Path) -> None:
    network, path = name.partition(".")[0], tmp_path / "model.onnx"
    FORMATS["onnx"]().write(opened(name), path)
    onnx.checker.check_model(str(path), full_check=True)
    values = np.random.default_rng(0).standard_normal(INPUTS[network]).astype(np.float32)
    (wanted,) = outputs(FOLDER / f"{network}.onnx", values)
    (found,) = outputs(path, values)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def outputs(path: Path, values: Any) -> Any:
    """For one input, which some formats have with channels last."""
    proto = onnx.load(str(path))
    (start,) = proto.graph.input
    shape = tuple(dim.dim_value for dim in start.type.tensor_type.shape.dim)
    given = values if shape == values.shape else np.moveaxis(values, 1, -1)
    return ReferenceEvaluator(proto).run(None, {start.name: given})
