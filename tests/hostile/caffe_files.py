"""Caffe files: shapes that lie, texts that do not end, layers without number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from samples.caffe import binary, convolution, field, layer, net, save, text, whole

from hostile.building import attack, write

GRAPH, WEIGHTS = "hostile.prototxt", "hostile.caffemodel"
KERNEL = np.ones((2, 3, 3, 3), np.float32)


def _of_blob(folder: Path, content: bytes) -> Path:
    """A network whose only layer has a blob of these bytes."""
    part = field(1, b"conv") + field(2, b"Convolution") + field(3, b"data") + field(4, b"conv")
    return write(folder, field(1, b"net") + field(100, part + field(7, content)), WEIGHTS)


def _of_text(folder: Path, content: str) -> Path:
    return write(folder, content.encode(), GRAPH)


def _dims(*sizes: int) -> bytes:
    return field(7, b"".join(whole(1, size) for size in sizes))


@attack("absurd shape")
def caffe_blob_of_2_to_the_60(folder: Path) -> Path:
    return _of_blob(folder, _dims(2**60) + field(5, bytes(4)))


@attack("absurd shape")
def caffe_blob_of_2_to_the_124(folder: Path) -> Path:
    return _of_blob(folder, _dims(*[2**31 - 1] * 4) + field(5, bytes(4)))


@attack("absurd shape")
def caffe_blob_of_negative_shape(folder: Path) -> Path:
    return _of_blob(folder, _dims(2**64 - 2, 2**64 - 2) + field(5, bytes(16)))


@attack("absurd shape")
def caffe_blob_of_a_million_axes(folder: Path) -> Path:
    return _of_blob(folder, field(7, field(1, bytes([1]) * 10**6)) + field(5, bytes(4)))


@attack("bytes, not the")
def caffe_blob_shorter_than_its_shape(folder: Path) -> Path:
    return _of_blob(folder, _dims(9) + field(5, bytes(8)))


@attack("too many")
def caffe_blob_of_a_million_pieces(folder: Path) -> Path:
    return _of_blob(folder, _dims(3 * 10**6) + b"\x2d\0\0\0\0" * (3 * 10**6))


@attack("unknown type")
def caffe_blob_of_no_type(folder: Path) -> Path:
    return _of_blob(folder, _dims(1) + whole(10, 77) + field(12, bytes(4)))


@attack("not a Caffe model")
def caffe_layer_past_the_end(folder: Path) -> Path:
    return write(folder, field(1, b"net") + b"\xa2\x06\xff\xff\xff\xff\x7f" + bytes(50), WEIGHTS)


@attack("layers")
def caffe_network_of_a_million_layers(folder: Path) -> Path:
    return write(folder, field(1, b"net") + field(100, field(2, b"ReLU")) * 10**6, WEIGHTS)


@attack("MiB")
def caffe_text_of_a_million_layers(folder: Path) -> Path:
    return _of_text(folder, 'layer { type: "ReLU" }\n' * 10**6)


@attack("fields")
def caffe_text_of_a_million_fields(folder: Path) -> Path:
    return _of_text(folder, "layer{}" * 500_000)


@attack("nested more than")
def caffe_text_nested_a_hundred_thousand_deep(folder: Path) -> Path:
    return _of_text(folder, "layer { " * 10**5)


@attack("a value should be")
def caffe_text_of_lists_in_lists(folder: Path) -> Path:
    return _of_text(folder, "layer { bottom: " + "[" * 10**5)


@attack("no protobuf text")
def caffe_text_that_does_not_end(folder: Path) -> Path:
    return _of_text(folder, 'layer { name: "' + "x" * 10**6)


@attack("a field's name should be")
def caffe_message_that_does_not_end(folder: Path) -> Path:
    return _of_text(folder, 'layer { name: "x" type: "ReLU"')


@attack("characters")
def caffe_number_of_a_million_digits(folder: Path) -> Path:
    return _of_text(folder, "layer { phase: " + "9" * 10**6 + " }")


@attack("is no integer of 64 bits")
def caffe_number_past_64_bits(folder: Path) -> Path:
    reshaped = layer("r", "Reshape", "data", "r", reshape_param={"shape": {"dim": [2**63, -1]}})
    return _of_text(folder, text(net([reshaped])))


@attack("is no integer")
def caffe_kernel_that_is_a_text(folder: Path) -> Path:
    return _of_text(folder, text(net([convolution("c", "data", 2, kernel_size="three")])))


@attack("absurd shape")
def caffe_kernel_of_2_to_the_40(folder: Path) -> Path:
    return _of_text(folder, text(net([convolution("c", "data", 2**40, kernel_size=2**40)])))


@attack("absurd shape")
def caffe_input_of_2_to_the_60(folder: Path) -> Path:
    return _of_text(folder, text(net([layer("r", "ReLU", "data", "r")], (1, 2**60, 8, 8))))


@attack("")
def caffe_windows_of_nothing(folder: Path) -> Path:
    pooling = {"kernel_size": 0, "stride": 0, "pad": 2**40}
    layers = [
        layer("p", "Pooling", "data", "p", pooling_param=pooling),
        convolution("c", "p", 2, kernel_size=0, stride=0, group=0),
        layer("s", "Slice", "c", ["s", "t"], slice_param={"axis": 99, "slice_point": 2**60}),
        layer("r", "Reshape", "s", "r", reshape_param={"shape": {"dim": [2**63 - 1, -7, 0]}}),
        layer("t", "Tile", "r", "u", tile_param={"tiles": 2**60}),
        layer("f", "Flatten", "t", "v", flatten_param={"axis": -9, "end_axis": 4}),
    ]
    return _of_text(folder, text(net(layers)))


@attack("")
def caffe_layers_that_read_each_other(folder: Path) -> Path:
    """What is read before it is written is an input of the network."""
    one, two = layer("a", "Eltwise", ["data", "y"], "x"), layer("b", "ReLU", "x", "y")
    return _of_text(folder, text(net([one, two, layer("c", "Eltwise", ["y", "y"], "y")])))


@attack("its reader wants")
def caffe_weights_of_another_network(folder: Path) -> Path:
    return save(folder, net([convolution("c", "data", 7)]), {"c": [KERNEL]})


@attack("outside its folder")
def caffe_weights_that_are_a_link_out(folder: Path) -> Path:
    inner = folder / "inner"
    inner.mkdir()
    (folder / "secret").write_bytes(b"secret")
    (inner / WEIGHTS).symlink_to(folder / "secret")
    return _of_text(inner, text(net([convolution("c", "data", 2)])))


@attack("")
def caffe_weights_that_are_no_numbers(folder: Path) -> Path:
    kernel = np.full((2, 3, 3, 3), np.nan, np.float32)
    kernel[0] = np.inf
    return write(folder, binary(net([convolution("c", "data", 2)]), {"c": [kernel]}), WEIGHTS)


@attack("")
def caffe_blobs_of_nothing(folder: Path) -> Path:
    empty = np.zeros((0, 4), np.float32)
    design = net([layer("c", "Unheard", "data", "c")])
    return write(folder, binary(design, {"c": [empty, empty]}), WEIGHTS)


@attack("")
def caffe_mean_divided_by_zero(folder: Path) -> Path:
    ones = np.ones(3, np.float32)
    design = net([layer("c", "BatchNorm", "data", "c")])
    return write(folder, binary(design, {"c": [ones, ones, ones[:1] * 0]}), WEIGHTS)


@attack("without layers")
def caffe_solver(folder: Path) -> Path:
    return _of_text(folder, 'net: "train.prototxt"\nbase_lr: 0.01\n')
