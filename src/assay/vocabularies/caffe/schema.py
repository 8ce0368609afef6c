"""Caffe's messages as binary files number them [caffe.proto, BVLC Caffe 1.0 and its SSD branch].

Only what decides a network is listed.  ``section`` turns a binary message into what the text of the
same message is read as, so that all else knows one kind.  Blobs stay where they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay.containers.messages import Message
from assay.containers.protobuf import FIXED32
from assay.containers.prototxt import Section, Word
from assay.errors import UnreadableModel

Fields = Mapping[str, tuple[int, str]]  # name → its number, and what it holds


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS = {  # of enumerations, by number
    "phase": ("TRAIN", "TEST"),
    "pool": ("MAX", "AVE", "STOCHASTIC"),
    "eltwise": ("PROD", "SUM", "MAX"),
    "region": ("ACROSS_CHANNELS", "WITHIN_CHANNEL"),
    "reduction": ("", "SUM", "ASUM", "SUMSQ", "MEAN"),
    "v1": _words(
        "NONE ACCURACY BNLL CONCAT CONVOLUTION DATA DROPOUT EUCLIDEAN_LOSS FLATTEN HDF5_DATA"
        " HDF5_OUTPUT IM2COL IMAGE_DATA INFOGAIN_LOSS INNER_PRODUCT LRN MULTINOMIAL_LOGISTIC_LOSS"
        " POOLING RELU SIGMOID SOFTMAX SOFTMAX_LOSS SPLIT TANH WINDOW_DATA ELTWISE POWER"
        " SIGMOID_CROSS_ENTROPY_LOSS HINGE_LOSS MEMORY_DATA ARGMAX THRESHOLD DUMMY_DATA SLICE MVN"
        " ABSVAL SILENCE CONTRASTIVE_LOSS EXP DECONVOLUTION"
    ),
}


def _fields(text: str) -> Fields:
    """``name=number`` of an integer, ``name=number:kind`` of anything else."""
    found = {}
    for part in text.split():
        name, _, rest = part.partition("=")
        number, _, kind = rest.partition(":")
        found[name] = (int(number), kind or "integer")
    return found


_WINDOW = "stride_h={} stride_w={} pad_h=9 pad_w=10 kernel_h={} kernel_w={} "
_LOG = _fields("base=1:real scale=2:real shift=3:real")
# What layers are set to: section → its number in a layer of version 2, of version 1, its fields.
PARAMETERS: dict[str, tuple[int, int, Fields]] = {
    "transform_param": (100, 36, _fields("crop_size=3")),
    "argmax_param": (103, 23, _fields("out_max_val=1 top_k=2 axis=3")),
    "concat_param": (104, 9, _fields("concat_dim=1 axis=2")),
    "convolution_param": (106, 10, _fields(
        _WINDOW.format(13, 14, 11, 12)
        + "num_output=1 bias_term=2 pad=3 kernel_size=4 group=5 stride=6 axis=16 dilation=18"
    )),
    "data_param": (107, 11, _fields("crop_size=5")),
    "dummy_data_param": (109, 26, _fields("num=2 channels=3 height=4 width=5 shape=6:shape")),
    "eltwise_param": (110, 24, _fields("operation=1:eltwise coeff=2:real")),
    "exp_param": (111, 41, _LOG),
    "image_data_param": (115, 15, _fields("crop_size=5")),
    "inner_product_param": (117, 17, _fields("num_output=1 bias_term=2 axis=5 transpose=6")),
    "lrn_param": (118, 18, _fields(
        "local_size=1 alpha=2:real beta=3:real norm_region=4:region k=5:real"
    )),
    "memory_data_param": (119, 22, _fields("batch_size=1 channels=2 height=3 width=4")),
    "mvn_param": (120, 34, _fields("normalize_variance=1 across_channels=2 eps=3:real")),
    "pooling_param": (121, 19, _fields(  # 13 is read as the SSD branch and OpenCV do
        _WINDOW.format(7, 8, 5, 6)
        + "pool=1:pool kernel_size=2 stride=3 pad=4 global_pooling=12 ceil_mode=13"
    )),
    "power_param": (122, 21, _fields("power=1:real scale=2:real shift=3:real")),
    "relu_param": (123, 30, _fields("negative_slope=1:real")),
    "softmax_param": (125, 39, _fields("axis=2")),
    "slice_param": (126, 31, _fields("slice_dim=1 slice_point=2 axis=3")),
    "window_data_param": (129, 20, _fields("crop_size=5")),
    "prelu_param": (131, 0, _fields("channel_shared=2")),
    "reshape_param": (133, 0, _fields("shape=1:shape axis=2 num_axes=3")),
    "log_param": (134, 0, _LOG),
    "flatten_param": (135, 0, _fields("axis=1 end_axis=2")),
    "reduction_param": (136, 0, _fields("operation=1:reduction axis=2 coeff=3:real")),
    "embed_param": (137, 0, _fields("num_output=1 input_dim=2 bias_term=3")),
    "tile_param": (138, 0, _fields("axis=1 tiles=2")),
    "batch_norm_param": (139, 139, _fields("eps=3:real")),
    "elu_param": (140, 0, _fields("alpha=1:real")),
    "bias_param": (141, 0, _fields("axis=1 num_axes=2")),
    "scale_param": (142, 0, _fields("axis=1 num_axes=2 bias_term=4")),
    "input_param": (143, 0, _fields("shape=1:shape")),
    "crop_param": (144, 0, _fields("axis=1 offset=2")),
    "parameter_param": (145, 0, _fields("shape=1:shape")),
    "recurrent_param": (146, 0, _fields("num_output=1 expose_hidden=5")),
    "clip_param": (148, 0, _fields("min=1:real max=2:real")),
    "permute_param": (202, 0, _fields("order=1")),
    "norm_param": (206, 0, _fields("across_spatial=1 channel_shared=3")),
}  # fmt: skip
MESSAGES: dict[str, Fields] = {
    "net": _fields("name=1:text input=3:text input_dim=4 state=6:state input_shape=8:shape"),
    "shape": _fields("dim=1"),
    "state": _fields("phase=1:phase level=2 stage=3:text"),
    "rule": _fields("phase=1:phase min_level=2 max_level=3 stage=4:text not_stage=5:text"),
    "layer": {
        **_fields("name=1:text type=2:text bottom=3:text top=4:text"),
        **_fields("include=8:rule exclude=9:rule phase=10:phase"),
        **{name: (number, name) for name, (number, _, _) in PARAMETERS.items()},
    },
    "layers": {
        **_fields("layer=1:v0 bottom=2:text top=3:text name=4:text type=5:v1"),
        **_fields("include=32:rule exclude=33:rule"),
        **{name: (number, name) for name, (_, number, _) in PARAMETERS.items() if number},
    },
    "v0": _fields(
        "name=1:text type=2:text num_output=3 biasterm=4 pad=7 kernelsize=8 group=9 stride=10"
        " pool=11:pool local_size=13 alpha=14:real beta=15:real cropsize=20 k=22:real concat_dim=65"
    ),
    **{name: fields for name, (_, _, fields) in PARAMETERS.items()},
}
LAYERS = {"layer": (100, 7), "layers": (2, 6), "v0": (1, 50)}  # where they are, and their blobs


def section(message: Message, kind: str) -> Section:
    """What a binary message says, as its text would be read."""
    found = Section()
    for name, (number, holds) in MESSAGES[kind].items():
        if message.has(number):
            found.fields[name] = _values(message, number, holds)
    return found


def _values(message: Message, number: int, holds: str) -> list[int | float | str | Section]:
    if holds in WORDS:
        words = WORDS[holds]
        return [Word(words[n] if 0 <= n < len(words) else n) for n in message.integers(number)]
    if holds == "text":
        return list(message.texts(number))
    if holds == "integer":
        return list(message.integers(number))
    if holds == "real":
        if any(wire not in (FIXED32, 2) for wire, _, _ in message.listed(number)):
            raise UnreadableModel(f"field {number} is no number")
        return [float(value) for value in message.floats(number)]
    return [section(part, holds) for part in message.messages(number)]
