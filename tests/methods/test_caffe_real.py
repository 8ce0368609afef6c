"""Caffe's files held against what torch exported of the same: see make_caffe_fixtures.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from assay.formats import FORMATS, Model, read
from assay.graphs import layer_graph
from assay.graphs.neighborhoods import fingerprint
from assay.values import LayerGraph

FOLDER = Path(__file__).parents[1] / "fixtures" / "caffe"
NAMES = ("residual", "mixed")


def merged(model: Model) -> LayerGraph:
    assert model.layers is not None
    return layer_graph(model.layers)


@pytest.mark.parametrize("suffix", ["prototxt", "caffemodel"])
@pytest.mark.parametrize("name", NAMES)
def test_the_merged_graph_is_that_of_the_onnx_file(name: str, suffix: str) -> None:
    found, wanted = merged(read(FOLDER / f"{name}.{suffix}")), merged(read(FOLDER / f"{name}.onnx"))
    assert sorted(found.layers, key=repr) == sorted(wanted.layers, key=repr)
    assert fingerprint(found) == fingerprint(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_those_of_the_onnx_file(name: str) -> None:
    """Running means are kept as sums, so dividing them rounds."""
    model = read(FOLDER / f"{name}.caffemodel")
    theirs = {key: weight.read() for key, weight in read(FOLDER / f"{name}.onnx").weights.items()}
    for key, weight in model.weights.items():
        assert weight.canonical
        values = weight.read()
        twins = [n for n, v in theirs.items() if v.shape == values.shape and np.allclose(v, values)]
        assert len(twins) == 1, key
        del theirs[twins[0]]
    assert not theirs


def test_written_as_onnx_it_computes_what_the_onnx_file_does(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    FORMATS["onnx"]().write(read(FOLDER / "residual.caffemodel"), path)
    values = np.random.default_rng(0).standard_normal((1, 3, 17, 17)).astype(np.float32)
    results = []
    for file in (path, FOLDER / "residual.onnx"):
        judge = ReferenceEvaluator(onnx.load(str(file)))
        results += judge.run(None, {judge.input_names[0]: values})
    np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-6)


def test_either_file_alone_is_read_with_the_other() -> None:
    files = [FOLDER / f"mixed.{suffix}" for suffix in ("prototxt", "caffemodel")]
    for path in files:
        assert list(read(path).files) == files
