"""Large tensors are read once: into memory of their own, which no other process can take away."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hostile import building
from hostile.pickles import dictionary, storage, tensor, torch_file
from safetensors.numpy import save_file
from samples import gguf

from assay.errors import UnreadableModel
from assay.formats import read
from assay.weights import Weight
from assay.weights.numbers import buffer, decode

VALUES = np.random.default_rng(0).standard_normal((1024, 1536), np.float32)
SIZE = VALUES.nbytes


def of_safetensors(folder: Path) -> Path:
    save_file({"w": VALUES}, folder / "model.safetensors")
    return folder / "model.safetensors"


def of_onnx(folder: Path, is_outside: bool = False) -> Path:
    text = f"g (float[1, {VALUES.shape[1]}] x) => (float[1, {VALUES.shape[0]}] y)"
    proto = building.model(text + " { y = Gemm<transB=1>(x, w) }")
    proto.graph.initializer.append(onnx.numpy_helper.from_array(VALUES, "w"))
    path = folder / "model.onnx"
    onnx.save(proto, path, save_as_external_data=is_outside, location="model.data")
    return path


def of_onnx_outside(folder: Path) -> Path:
    return of_onnx(folder, is_outside=True)


def of_gguf(folder: Path) -> Path:
    return gguf.written(folder / "model.gguf", [("w", VALUES.shape[::-1], 0, VALUES.tobytes())])


def of_numpy(folder: Path) -> Path:
    np.savez(folder / "model.npz", w=VALUES)
    return folder / "model.npz"


def of_torch(folder: Path) -> Path:
    rows, columns = VALUES.shape
    held = tensor((rows, columns), (columns, 1), stored=storage("0", VALUES.size))
    return torch_file(folder, dictionary(("w", held)), {"0": VALUES.tobytes()}, name="model.pt")


FILES = [of_safetensors, of_onnx, of_onnx_outside, of_gguf, of_numpy, of_torch]
each_format = pytest.mark.parametrize("write", FILES)
Write = Callable[[Path], Path]


def only(path: Path) -> Weight:
    (weight,) = read(path).weights.values()
    return weight


@each_format
def test_a_large_tensor_is_in_memory_once_while_it_is_read(write: Write, tmp_path: Path) -> None:
    weight = only(write(tmp_path))
    tracemalloc.start()
    values = weight.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(values, VALUES)
    assert SIZE <= peak < 1.1 * SIZE


@each_format
def test_what_is_done_to_the_values_is_not_done_to_the_file(write: Write, tmp_path: Path) -> None:
    weight = only(write(tmp_path))
    values = weight.read()
    values[:] = 0
    np.testing.assert_array_equal(weight.read(), VALUES)


@each_format
def test_values_stay_when_the_file_is_cut_after_they_were_read(
    write: Write, tmp_path: Path
) -> None:
    weight = only(write(tmp_path))
    values = weight.read()
    for file in tmp_path.iterdir():
        file.write_bytes(b"")  # of a mapped file, this takes the memory away
    np.testing.assert_array_equal(values, VALUES)
    with pytest.raises(UnreadableModel, match="ends before the tensor"):
        weight.read()


def test_half_of_the_bytes_of_a_float_are_a_bfloat16() -> None:
    patterns = np.arange(2**16, dtype="<u2")
    values = decode(patterns.tobytes(), "bfloat16", len(patterns))
    np.testing.assert_array_equal(values.view(np.uint32) >> 16, patterns)
    assert not (values.view(np.uint32) & 0xFFFF).any()


def test_bytes_are_never_written_to() -> None:
    content = VALUES[0].tobytes()
    values = decode(content, "float32", len(VALUES[0]))
    values[:] = 0
    assert content == VALUES[0].tobytes()


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, -1), (3, 8), (11, 0)])
def test_a_part_that_is_not_in_the_file_is_refused(
    offset: int, length: int, tmp_path: Path
) -> None:
    path = tmp_path / "ten"
    path.write_bytes(bytes(range(10)))
    with pytest.raises(UnreadableModel, match="'ten' ends before the tensor"):
        buffer(path, offset, length)
    assert bytes(buffer(path, 3, 7)) == bytes(range(3, 10))
