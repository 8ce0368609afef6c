"""Every operator that a network may have: ONNX's own examples are the judge."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assay import formats
from assay.errors import UnfitModel

torch = pytest.importorskip("torch")
from onnx import ModelProto, save  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

from assay.running.network import network  # noqa: E402

pytestmark = pytest.mark.torch

Array = NDArray[np.float32]
# Of ONNX's examples: those of operators with bodies, of texts, of what no weights train with.
WITHOUT = {
    "AffineGrid", "Attention", "Bernoulli", "BitCast", "CausalConvWithState", "CenterCropPad",
    "Col2Im", "Compress", "DFT", "DeformConv", "Det", "If", "ImageDecoder", "LinearAttention",
    "Loop", "MaxUnpool", "NegativeLogLikelihoodLoss", "NonMaxSuppression", "NonZero",
    "OptionalGetElement", "OptionalHasElement", "RandomUniformLike", "RoiAlign", "RotaryEmbedding",
    "STFT", "Scan", "SoftmaxCrossEntropyLoss", "SwiGLU", "TensorScatter", "TfIdfVectorizer",
    "Unique",
}  # fmt: skip
TYPES = {"float32", "float16", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"}


ODD = {
    # ONNX Runtime answers these as the module does
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
    # places counted column by column: refused
    "test_maxpool_with_argmax_2d_precomputed_strides",
    # windows that are dilated and reach beyond the end: refused
    "test_averagepool_2d_dilations",
    "test_averagepool_3d_dilations_small",
    "test_averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True",
    "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
}


def examples() -> list[Any]:
    """ONNX's own examples of operators, as far as they are of numbers that torch has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are made anew, at the limits of their types
        cases = collect_testcases(None)
    return [
        case
        for case in cases
        if not WITHOUT & {node.op_type for node in case.model.graph.node}
        and not any(domain.domain for domain in case.model.opset_import)
        and case.name not in ODD
        and not case.name.endswith("_expanded")  # the same in simpler operators
        and all(
            isinstance(array, np.ndarray) and array.dtype.name in TYPES and array.size
            for arrays in case.data_sets[0]
            for array in arrays
        )
    ]


def test_examples_of_onnx(tmp_path: Path) -> None:
    wrong, right = [], set()
    for case in examples():
        inputs, outputs = case.data_sets[0]
        shapes = {v.name: a.shape for v, a in zip(case.model.graph.input, inputs, strict=True)}
        try:
            found = _run(case.model, tmp_path, shapes, inputs)
        except (UnfitModel, RuntimeError, KeyError, ValueError, TypeError) as error:
            wrong.append(f"{case.name}: {error}")
            continue
        if all(_alike(*pair) for pair in zip(outputs, found, strict=False)):
            right |= {node.op_type for node in case.model.graph.node}
        else:
            wrong.append(case.name)
    assert wrong == []
    assert len(right) > 100


def _run(
    proto: ModelProto, folder: Path, shapes: Mapping[str, tuple[int, ...]], inputs: Sequence[Array]
) -> tuple[Any, ...]:
    save(proto, folder / "model.onnx")
    read = formats.read(folder / "model.onnx", shapes)
    assert read.layers is not None
    made = network(read.layers, read.weights, opset=read.metadata["opset"])
    found = made(*map(torch.tensor, inputs))
    return found if isinstance(found, tuple) else (found,)


def _alike(wanted: Array, found: torch.Tensor) -> bool:
    within = 1e-3 if wanted.dtype == np.float16 else 1e-4
    got = found.detach().numpy()
    return wanted.shape == got.shape and np.allclose(
        wanted.astype(np.float64), got.astype(np.float64), within, within, equal_nan=True
    )
