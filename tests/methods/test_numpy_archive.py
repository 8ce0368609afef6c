"""NumPy archives and pickles of arrays: values as NumPy loads them, hostile ones refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.archives import CANARY
from hostile.arrays import lz4
from hostile.pickles import canary_beside, plain_file, sound_legacy

from assay.errors import UnreadableModel
from assay.formats import Model
from assay.formats.numpy_archive import NumpyArchive

RANDOM = np.random.default_rng(0)
ARRAY = RANDOM.normal(size=(30, 40))
DTYPES = ["<f4", ">f4", "<f2", ">f8", "i1", "u2", ">i4", "<i8", "?", "<c8"]


def read(path: Path) -> Model:
    return NumpyArchive().read(path, {})


def only(path: Path) -> Any:
    (weight,) = read(path).weights.values()
    values = weight.read()
    assert values.shape == weight.shape
    return values


def as_float(array: Any) -> Any:
    parts = [array.real, array.imag]
    return np.stack(parts, -1) if array.dtype.kind == "c" else array.astype(np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_read_as_numpy_reads_it(dtype: str, order: Any, tmp_path: Path) -> None:
    array = np.asarray(ARRAY * 100, order=order).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(only(tmp_path / "a.npy"), as_float(array))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_gives_its_arrays_by_name(save: Callable[..., None], tmp_path: Path) -> None:
    held = {"a": ARRAY, "b.c": np.zeros((0, 3)), "d": np.float32(3), "label": np.array(["x"])}
    save(tmp_path / "a.npz", **held)
    weights = read(tmp_path / "a.npz").weights
    assert weights.keys() == {"a", "b.c", "d"}
    for name, weight in weights.items():
        assert np.array_equal(weight.read(), held[name].astype(np.float32))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("size", [3, 3000])
def test_pickled_arrays_are_read_by_their_places(protocol: int, size: int, tmp_path: Path) -> None:
    array = RANDOM.normal(size=size).astype(np.float32)
    value = {"net": [array, {"bias": array[::2].copy()}], "best": np.float64(3), "name": "x"}
    path = plain_file(tmp_path, pickle.dumps(value, protocol), "a.pkl")
    weights = read(path).weights
    assert list(weights) == ["0", "1.bias"]
    assert np.array_equal(weights["0"].read(), array)
    assert np.array_equal(weights["1.bias"].read(), array[::2])


def test_an_array_of_objects_gives_the_arrays_in_it(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array({"one": ARRAY, "two": [ARRAY[0]]}), allow_pickle=True)
    weights = read(tmp_path / "a.npy").weights
    assert list(weights) == ["one", "two.0"]
    assert np.array_equal(weights["one"].read(), ARRAY.astype(np.float32))


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, zlib.compress, bz2.compress, lzma.compress,
     lambda content: lzma.compress(content, lzma.FORMAT_ALONE)],
)  # fmt: skip
def test_a_compressed_pickle_is_unpacked(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    content = compress(pickle.dumps([ARRAY]))
    assert np.array_equal(only(plain_file(tmp_path, content, "a.pkl")), ARRAY.astype("f4"))
    with pytest.raises(UnreadableModel):
        read(plain_file(tmp_path, content[: len(content) // 2], "a.pkl"))


def test_an_lz4_block_repeats_what_lies_before_it(tmp_path: Path) -> None:
    content = pickle.dumps([np.full(100, 7, np.uint8)], 2)
    at = content.index(bytes([7] * 100))
    head, tail = content[: at + 1], content[at + 100 :]
    assert 15 <= len(head) < 270
    assert 15 <= len(tail) < 270
    first = bytes([0xFF, len(head) - 15]) + head + b"\1\0" + bytes([99 - 4 - 15])
    block = first + bytes([0xF0, len(tail) - 15]) + tail
    assert np.array_equal(only(plain_file(tmp_path, lz4(block), "a.lz4")), np.full(100, 7))


def test_joblib_writes_the_numbers_behind_the_description(tmp_path: Path) -> None:
    """As joblib 1.5 writes an array of three numbers: 16 bytes of alignment, then the numbers."""
    about = (
        b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}("
        b"X\5\0\0\0shapeK\3\x85X\5\0\0\0orderX\1\0\0\0CX\5\0\0\0dtypecnumpy\ndtype\n"
        b"X\2\0\0\0f4\x89\x88\x87R(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        b"X\x1b\0\0\0numpy_array_alignment_bytesK\x10ub"
    )
    numbers = np.arange(3, dtype="<f4").tobytes()
    path = plain_file(tmp_path, about + b"\2xx" + numbers + b".", "a.joblib")
    assert np.array_equal(only(path), [0, 1, 2])


def test_nothing_is_called_and_the_arrays_beside_it_are_read(tmp_path: Path) -> None:
    path = plain_file(tmp_path, canary_beside(tmp_path, ARRAY), "a.pkl")
    model = read(path)
    assert np.array_equal(only(path), ARRAY.astype(np.float32))
    assert model.metadata["inert_objects"] == ["io.open"]
    assert not (tmp_path / CANARY).exists()


def test_a_file_of_torch_is_another_format(tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match="PyTorch"):
        read(sound_legacy(tmp_path))
