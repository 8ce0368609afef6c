"""MXNet files: counts that lie, nodes that read what comes later, arrays outside their shapes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from samples.mxnet import BY_ROWS, COMPRESSED, V2, Design, array, params, params_of, shape, sparse

from hostile.building import attack, write

ARRAYS, GRAPH = "hostile.params", "hostile-symbol.json"
HEAD = struct.pack("<QQ", 0x112, 0)
ROWS = np.float32([[1, 2], [3, 4]])


def _of_arrays(folder: Path, content: bytes) -> Path:
    return write(folder, HEAD + content, ARRAYS)


def _of_array(folder: Path, content: bytes) -> Path:
    return write(folder, params({"arg:w": content}), ARRAYS)


def _claimed(*dims: int) -> bytes:
    """The head of a dense array of floats, and four bytes of it."""
    return struct.pack("<Ii", V2, 0) + shape(dims) + struct.pack("<iii", 1, 0, 0) + bytes(4)


def _of_nodes(folder: Path, nodes: Any, **more: Any) -> Path:
    return write(folder, json.dumps({"nodes": nodes, **more}).encode(), GRAPH)


def _node(op: str, *inputs: Any, name: str = "n", **settings: str) -> dict[str, Any]:
    return {"op": op, "name": name, "inputs": list(inputs), "attrs": settings}


@attack("claims")
def mxnet_2_to_the_60_arrays(folder: Path) -> Path:
    return _of_arrays(folder, struct.pack("<Q", 2**60) + bytes(100))


@attack("names for")
def mxnet_2_to_the_60_names(folder: Path) -> Path:
    return _of_arrays(folder, struct.pack("<Q", 0) + struct.pack("<Q", 2**60))


@attack("a name of")
def mxnet_name_of_2_to_the_60(folder: Path) -> Path:
    content = struct.pack("<Q", 1) + array(ROWS) + struct.pack("<QQ", 1, 2**60)
    return _of_arrays(folder, content)


@attack("absurd shape")
def mxnet_array_of_2_to_the_60(folder: Path) -> Path:
    return _of_array(folder, _claimed(2**60))


@attack("behind the file")
def mxnet_array_of_more_than_the_file(folder: Path) -> Path:
    return _of_array(folder, _claimed(2**20, 2**10))


@attack("absurd shape")
def mxnet_array_of_negative_shape(folder: Path) -> Path:
    return _of_array(folder, _claimed(-5, -5))


@attack("axes")
def mxnet_array_of_a_billion_axes(folder: Path) -> Path:
    return _of_array(folder, struct.pack("<I", 10**9) + bytes(100))


@attack("unknown type")
def mxnet_array_of_no_type(folder: Path) -> Path:
    return _of_array(folder, array(ROWS).replace(struct.pack("<iii", 1, 0, 0), b"\1" * 12))


@attack("unknown storage")
def mxnet_array_of_no_storage(folder: Path) -> Path:
    return _of_array(folder, struct.pack("<Ii", V2, 9) + bytes(100))


@attack("twice")
def mxnet_one_name_for_two_arrays(folder: Path) -> Path:
    return write(folder, params_of([("w", array(ROWS)), ("w", array(ROWS))]), ARRAYS)


@attack("twice")
def mxnet_one_name_with_two_prefixes(folder: Path) -> Path:
    return write(folder, params({"arg:w": ROWS, "aux:w": ROWS}), ARRAYS)


@attack("no array's")
def mxnet_more_than_its_arrays(folder: Path) -> Path:
    return write(folder, params({"w": ROWS}) + bytes(9), ARRAYS)


@attack("too large to be read")
def mxnet_sparse_array_of_a_terabyte(folder: Path) -> Path:
    rows = sparse(ROWS, [np.int64([0, 1])], (2**31 - 1, 2), BY_ROWS)
    return _of_array(folder, rows)


@attack("outside its shape")
def mxnet_row_outside(folder: Path) -> Path:
    return _of_array(folder, sparse(ROWS, [np.int64([0, 99])], (5, 2), BY_ROWS))


@attack("do not fit")
def mxnet_rows_of_another_width(folder: Path) -> Path:
    return _of_array(folder, sparse(ROWS, [np.int64([0, 1])], (5, 7), BY_ROWS))


@attack("are wrong")
def mxnet_compressed_rows_that_go_back(folder: Path) -> Path:
    places = [np.int64([0, 9, 2]), np.int64([0, 1])]
    return _of_array(folder, sparse(np.float32([1, 2]), places, (2, 2), COMPRESSED))


@attack("no earlier node")
def mxnet_nodes_in_a_circle(folder: Path) -> Path:
    nodes = [_node("null", name="x"), _node("relu", [2, 0]), _node("relu", [1, 0], name="m")]
    return _of_nodes(folder, nodes)


@attack("no earlier node")
def mxnet_node_that_reads_outside(folder: Path) -> Path:
    return _of_nodes(folder, [_node("null", name="x"), _node("relu", [2**60, 0])])


@attack("is output")
def mxnet_output_that_is_none(folder: Path) -> Path:
    return _of_nodes(folder, [_node("null", name="x"), _node("relu", [0, 2**60])])


@attack("is not there")
def mxnet_output_of_a_variable(folder: Path) -> Path:
    return _of_nodes(folder, [_node("null", name="x"), _node("relu", [0, 5])])


@attack("not described")
def mxnet_nodes_of_numbers(folder: Path) -> Path:
    return _of_nodes(folder, [1, 2, {"op": 3}])


@attack("nodes")
def mxnet_symbol_of_a_hundred_thousand_nodes(folder: Path) -> Path:
    return _of_nodes(folder, [_node("null")] * 100_000)


@attack("describes no model")
def mxnet_symbol_nested_deep(folder: Path) -> Path:
    return write(folder, b'{"nodes": ' + b"[" * 10**5, GRAPH)


@attack("two variables")
def mxnet_variables_of_one_name(folder: Path) -> Path:
    nodes = [_node("null"), _node("null"), _node("_Plus", [0, 0], [1, 0], name="y")]
    return _of_nodes(folder, nodes)


@attack("parts")
def mxnet_tensor_cut_into_a_billion(folder: Path) -> Path:
    nodes = [_node("null", name="x"), _node("SliceChannel", [0, 0], num_outputs="1000000000")]
    return _of_nodes(folder, nodes)


@attack("")
def mxnet_settings_that_are_absurd(folder: Path) -> Path:
    x = _node("null", name="x", __shape__="(1, 3, 8, 8)")
    nodes = [
        x,
        _node("Pooling", [0, 0], kernel="(0, 0)", stride="(0, 0)", name="a"),
        _node("Reshape", [1, 0], shape="(-4, -4, 0, 1e400)", name="b"),
        _node("slice_axis", [2, 0], axis="99999999999999", begin="1", end="None", name="c"),
        _node("tile", [3, 0], reps="(99999999999, 9999999999)", name="d"),
        _node("transpose", [4, 0], axes="(7, 7, 7)", name="e"),
        _node("RNN", [5, 0], [0, 0], state_size="99999999999", mode="lstm", name="f"),
        _node("clip", [6, 0], a_min="-1e999", a_max="nan", name="g"),
    ]
    return _of_nodes(folder, nodes)


@attack("absurd shape")
def mxnet_convolution_of_2_to_the_40(folder: Path) -> Path:
    nodes = [_node("null", name="x"), _node("null", name="c_weight")]
    size = f"({2**40}, {2**40})"
    nodes += [_node("Convolution", [0, 0], [1, 0], kernel=size, num_filter="9", no_bias="True")]
    return _of_nodes(folder, nodes)


@attack("its reader wants")
def mxnet_arrays_of_another_network(folder: Path) -> Path:
    design = Design()
    x = design.variable("data", __shape__="(1, 3, 8, 8)")
    design.layer("Convolution", "c", x, "weight", kernel="(3, 3)", num_filter=9, no_bias=True)
    return design.save(folder, {"arg:c_weight": np.ones((9, 5, 3, 3), np.float32)})


@attack("outside its folder")
def mxnet_arrays_that_are_a_link_out(folder: Path) -> Path:
    inner = folder / "inner"
    inner.mkdir()
    (folder / "secret").write_bytes(params({"w": ROWS}))
    (inner / "hostile-0001.params").symlink_to(folder / "secret")
    return _of_nodes(inner, [_node("null", name="x"), _node("relu", [0, 0])])


@attack("")
def mxnet_arrays_that_are_no_numbers(folder: Path) -> Path:
    empty = np.zeros((0, 3), np.float32)
    content = params({"w": ROWS * np.nan, "v": ROWS * np.float32(np.inf), "e": empty})
    return write(folder, content, ARRAYS)
