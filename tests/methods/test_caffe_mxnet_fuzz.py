"""Files of Caffe and of MXNet that are damaged, or put together at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import caffe, mxnet
from samples.caffe import Word, layer, net

from assay.errors import UnreadableModel
from assay.formats import FORMATS
from assay.graphs import layer_graph

fuzzed = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FLIPS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=4)


def is_read_or_refused(name: str, path: Path) -> None:
    """Nothing but an UnreadableModel comes out."""
    refused = "not at all"
    try:
        model = FORMATS[name]().read(path, {})
        if model.layers is not None:
            layer_graph(model.layers)
        for weight in model.weights.values():
            assert weight.read().shape == weight.shape
    except UnreadableModel as error:
        refused = str(error)
    assert refused


def flip(path: Path, flips: list[tuple[int, int]]) -> None:
    content = bytearray(path.read_bytes())
    for place, value in flips:
        content[place % len(content)] = value
    path.write_bytes(content)


@fuzzed
@given(flips=FLIPS, is_text=st.booleans())
def test_a_damaged_caffe_file_is_refused_or_read(
    flips: list[tuple[int, int]], is_text: bool, tmp_path: Path
) -> None:
    ones = np.ones(4, np.float32)
    layers = [
        caffe.convolution("c", "data", 4),
        layer("b", "BatchNorm", "c", "c"),
        layer("p", "Pooling", "c", "p", pooling_param={"pool": Word("AVE"), "kernel_size": 2}),
        layer("f", "InnerProduct", "p", "f", inner_product_param={"num_output": 2}),
    ]
    kernel, matrix = np.ones((4, 3, 3, 3), np.float32), np.ones((2, 100), np.float32)
    blobs = {"c": [kernel, ones], "b": [ones, ones, ones[:1]], "f": [matrix, ones[:2]]}
    path = caffe.save(tmp_path, net(layers), blobs)
    flip(path.with_suffix(".prototxt") if is_text else path, flips)
    is_read_or_refused("caffe", path)


LAYERS = (
    "Convolution Deconvolution InnerProduct Pooling BatchNorm Scale Bias PReLU LRN Concat Slice "
    "Eltwise Flatten Reshape Permute Crop Tile Upsample ShuffleChannel Reduction ArgMax "
    "Normalize LSTM Embed Parameter Split Axpy MVN Power Exp Log Softmax Input Dropout Python "
)
KINDS = st.sampled_from(LAYERS.split())
FIELDS = (
    "num_output kernel_size stride pad group dilation axis end_axis num_axes offset order tiles "
    "dim slice_point scale coeff operation pool top_k global_pooling transpose bias_term "
)
NAMES = st.sampled_from(FIELDS.split())
VALUES = st.one_of(st.integers(-3, 9), st.sampled_from([2**31, 2**62, Word("MAX"), Word("true")]))
TENSORS = "data a b c"
BLOBS = st.sampled_from(TENSORS.split())


@fuzzed
@given(
    parts=st.lists(
        st.tuples(KINDS, st.lists(BLOBS, max_size=3), st.lists(BLOBS, max_size=2),
                  st.dictionaries(NAMES, VALUES, max_size=4)),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_any_caffe_network_is_refused_or_read(parts: list[Any], tmp_path: Path) -> None:
    layers = []
    for place, (kind, bottoms, tops, values) in enumerate(parts):
        name = {"InnerProduct": "inner_product", "BatchNorm": "batch_norm", "LSTM": "recurrent"}
        section = f"{name.get(kind, kind.lower())}_param"
        shape = (
            {"shape": {"dim": list(values.values())}} if kind in ("Reshape", "Parameter") else {}
        )
        layers.append(layer(f"l{place}", kind, bottoms, tops, **{section: {**values, **shape}}))
    path = tmp_path / "model.prototxt"
    path.write_text(caffe.text(net(layers)))
    is_read_or_refused("caffe", path)


@fuzzed
@given(flips=FLIPS, is_symbol=st.booleans())
def test_a_damaged_mxnet_file_is_refused_or_read(
    flips: list[tuple[int, int]], is_symbol: bool, tmp_path: Path
) -> None:
    design = mxnet.Design()
    x = design.variable("data", __shape__="(1, 3, 8, 8)")
    x = design.layer("Convolution", "c", x, "weight bias", kernel="(3, 3)", num_filter=4)
    x = design.layer("BatchNorm", "b", x, "gamma beta moving_mean moving_var")
    design.layer("FullyConnected", "f", x, "weight bias", num_hidden=2)
    ones = np.ones(4, np.float32)
    held = {f"arg:b_{name}": ones for name in ("gamma", "beta", "moving_mean", "moving_var")}
    held |= {"arg:c_weight": np.ones((4, 3, 3, 3), np.float32), "arg:c_bias": ones}
    held |= {"arg:f_weight": np.ones((2, 144), np.float32), "arg:f_bias": ones[:2]}
    path = design.save(tmp_path, held)
    flip(path if is_symbol else tmp_path / "model-0000.params", flips)
    is_read_or_refused("mxnet", path)


RULES = (
    "Convolution Deconvolution FullyConnected Pooling BatchNorm LeakyReLU LayerNorm "
    "InstanceNorm RNN GroupNorm Embedding UpSampling Concat stack Flatten Reshape transpose "
    "SwapAxis expand_dims pad squeeze slice slice_axis slice_like Crop SliceChannel tile dot "
    "batch_dot take where _zeros norm depth_to_space sum argmax softmax SoftmaxOutput "
    "L2Normalization clip _mul_scalar mean "
)
OPERATORS = st.sampled_from(RULES.split())
SETTINGS = (
    "kernel stride pad num_filter num_group num_hidden axis axes shape begin end step dim dim1 "
    "dim2 num_outputs reps pad_width mode scale block_size state_size num_layers act_type a_min "
)
KEYS = st.sampled_from(SETTINGS.split())
TEXTS = st.sampled_from(
    ["1", "-1", "0", "3", "(2, 2)", "(3,)", "(0, -1)", "(-2, -3, -4)", "(None, 1)", "True", "None",
     "99999999999999999999", "prelu", "lstm", "constant", "nan", ""]
)  # fmt: skip


@fuzzed
@given(
    parts=st.lists(
        st.tuples(OPERATORS, st.lists(st.integers(0, 3), max_size=3),
                  st.dictionaries(KEYS, TEXTS, max_size=4)),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_any_symbol_is_refused_or_read(parts: list[Any], tmp_path: Path) -> None:
    design = mxnet.Design()
    for name, size in (("data", "(1, 4, 8, 8)"), ("w", "(4, 4, 3, 3)")):
        design.variable(name, __shape__=size)
    for place, (op, inputs, values) in enumerate(parts):
        design.add(op, f"n{place}", [min(i, place + 1) for i in inputs], **values)
    held = {"arg:w": np.ones((4, 4, 3, 3), np.float32)}
    is_read_or_refused("mxnet", design.save(tmp_path, held))
