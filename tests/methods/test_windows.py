"""SAME padding of dilated kernels: as pads, since runtimes do not know it by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from onnx.reference import ReferenceEvaluator
from samples import saved_model as files
from samples.keras import functional, h5, layer, source
from samples.saved_model import const, ints, node, placeholder

from assay.formats import FORMATS, Model, read
from assay.vocabularies.windows import same

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.standard_normal((3, 4, 2, 5)).astype("f4")  # height, width, input, output
DILATIONS = (2, 3)


def of_keras(folder: Path) -> Model:
    options = {"padding": "same", "dilation_rate": list(DILATIONS)}
    entries = [source([None, 9, 8, 2]), layer("Conv2D", "it", ["x"], **options)]
    stored = {"model_weights/it/it/kernel:0": KERNEL}
    (folder / "model.h5").write_bytes(h5(stored, functional(entries, ["it"])))
    return read(folder / "model.h5")


def of_tensorflow(folder: Path) -> Model:
    options = {"strides": ints(1, 1, 1, 1), "dilations": ints(1, *DILATIONS, 1)}
    conv = node("y", "Conv2D", ["x", "w"], padding={2: "SAME"}, **options)
    return read(files.freeze(folder, placeholder("x", [1, 9, 8, 2]), const("w", KERNEL), conv))


@pytest.mark.parametrize("opened", [of_keras, of_tensorflow])
def test_a_dilated_convolution_computes_what_tensorflow_does(opened: Any, tmp_path: Path) -> None:
    """The padding is reach // 2 before the map, and the rest behind it."""
    model = opened(tmp_path)
    assert model.layers is not None
    (conv,) = (each for each in model.layers.operators if each.op == "Conv")
    assert "auto_pad" not in conv.attributes
    FORMATS["onnx"]().write(model, tmp_path / "model.onnx")
    x = RANDOM.standard_normal((1, 9, 8, 2)).astype("f4")
    (found,) = ReferenceEvaluator(str(tmp_path / "model.onnx")).run(None, {"x": x})
    padded = np.pad(x, [(0, 0), (2, 2), (4, 5), (0, 0)])
    windows = sliding_window_view(padded, (5, 10), axis=(1, 2))[..., ::2, ::3]
    np.testing.assert_allclose(found, np.einsum("bhwiyx,yxio->bhwo", windows, KERNEL), atol=1e-4)


@pytest.mark.parametrize(
    ("kernel", "strides", "dilations", "wanted"),
    [
        ((3, 3), (1, 1), (2, 1), {"pads": (2, 1, 2, 1)}),
        ((2, 4), (1, 1), (3, 1), {"pads": (1, 1, 2, 2)}),
        ((3, 3), (2, 1), (1, 1), {"auto_pad": "SAME_UPPER"}),
        ((3, 3), (2, 2), (2, 2), {"auto_pad": "SAME_UPPER"}),
        ((), (), (), {"auto_pad": "SAME_UPPER"}),
    ],
)
def test_same_is_said_by_name_where_a_runtime_knows_it(
    kernel: Any, strides: Any, dilations: Any, wanted: Any
) -> None:
    assert same(kernel, strides, dilations) == wanted
