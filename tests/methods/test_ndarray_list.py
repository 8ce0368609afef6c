"""MXNet's lists of arrays: four generations, all types, sparse ones, and lists without names."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples.mxnet import BY_ROWS, COMPRESSED, V1, V2, V3, array, params, params_of, shape, sparse

from assay.containers.ndarray_list import MAGIC, arrays
from assay.errors import UnreadableModel

VALUES = np.arange(6, dtype="<f4").reshape(2, 3)
OLDEST = 0


def listed(folder: Path, content: bytes) -> dict[str, Any]:
    path = folder / "model.params"
    path.write_bytes(content)
    return {found.name: found.read() for found in arrays(path)}


@pytest.mark.parametrize("magic", [OLDEST, V1, V2, V3])
def test_all_generations_say_the_same(magic: int, tmp_path: Path) -> None:
    found = listed(tmp_path, params({"a": VALUES, "b": VALUES[0]}, magic))
    assert np.array_equal(found["a"], VALUES)
    assert np.array_equal(found["b"], VALUES[0])


def test_only_the_last_generation_has_scalars(tmp_path: Path) -> None:
    """In the others, no axes are an empty place."""
    scalar = array(np.array(7, "<f4"), V3)
    empty = struct.pack("<Ii", V2, 0) + shape([])
    found = listed(tmp_path, params_of([("s", scalar), ("e", empty), ("v", array(VALUES))]))
    assert found.keys() == {"s", "v"}
    assert found["s"] == 7
    assert np.array_equal(found["v"], VALUES)


@pytest.mark.parametrize("kind", ["f4", "f8", "f2", "u1", "i4", "i1", "i8", "b1"])
def test_every_type_is_read_as_real_numbers(kind: str, tmp_path: Path) -> None:
    values = np.array([[0, 1], [2, 3]], kind)
    found = listed(tmp_path, params({"a": values}))["a"]
    assert found.dtype == np.float32
    assert np.array_equal(found, values.astype("f4"))


def test_sparse_arrays_are_read_dense(tmp_path: Path) -> None:
    rows = sparse(VALUES, [np.array([3, 1])], (5, 3), BY_ROWS)
    places = [np.array([0, 2, 2, 3]), np.array([1, 3, 0])]
    compressed = sparse(np.float32([7, 8, 9]), places, (3, 4), COMPRESSED)
    found = listed(tmp_path, params({"r": rows, "c": compressed}))
    assert found["r"].tolist() == [[0, 0, 0], [3, 4, 5], [0, 0, 0], [0, 1, 2], [0, 0, 0]]
    assert found["c"].tolist() == [[0, 7, 0, 8], [0, 0, 0, 0], [9, 0, 0, 0]]


def test_arrays_without_names_are_numbered(tmp_path: Path) -> None:
    content = MAGIC + struct.pack("<Q", 2) + array(VALUES) + array(VALUES[0])
    assert list(listed(tmp_path, content + struct.pack("<Q", 0))) == ["0", "1"]


def test_a_part_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "model.params"
    path.write_bytes(params({"a": VALUES.astype("<f2")}))
    (found,) = arrays(path)
    assert found.cut(2, 3).tolist() == [2, 3, 4]


def test_heads_alone_are_read(tmp_path: Path) -> None:
    """The numbers of a long array are not there, and nobody has asked for them."""
    path = tmp_path / "model.params"
    head, tail = params({"a": np.zeros((2**10, 2**10), "<f4")}).split(bytes(2**22))
    with path.open("wb") as file:
        file.write(head)
        file.seek(2**22, 1)
        file.write(tail)
    (found,) = arrays(path)
    assert (found.name, found.shape) == ("a", (2**10, 2**10))


def test_what_ends_before_its_last_byte_is_refused(tmp_path: Path) -> None:
    content = params({"a": VALUES, "b": VALUES[0]})
    for end in range(len(content)):
        with pytest.raises(UnreadableModel):
            listed(tmp_path, content[:end] or b"x")
