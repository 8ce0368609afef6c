"""Apps that hold models, and small TensorFlow Lite classifiers of pictures."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from samples.tflite import FLOAT32, Design, ints

OTHERS = {  # what else an app holds; some begin as models may
    "AndroidManifest.xml": b"\3\0\x08\0" + bytes(60),
    "classes.dex": b"dex\n035\0" + bytes(200),
    "res/a.png": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "res/A.png": b"\x89PNG\r\n\x1a\n" + bytes(51),
    "assets/proto.pb": b"\x08\x07\x12\x04abcd\x1a\x02ef",  # a message, as an ONNX file is one
    "assets/list.bin": b"\x80\x04\x95\x0a\0\0\0\0\0\0\0]\x94(K\1K\2e.",  # a pickle of two numbers
    "assets/labels.json": b'{"0": "cat"}',
    "assets/song.mp3": b"ID3\4" + bytes(400),
    "kotlin/empty.bin": b"",
}


def packed(path: Path, members: dict[str, bytes], *, others: bool = True) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (OTHERS if others else {}).items():
            archive.writestr(name, content)
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_STORED)
    return path


def classifier(folder: Path, size: int, kind: int = FLOAT32, *, more: Any = None) -> Path:
    """Three scores of gray pictures: weighted means of their quarters, whatever their size."""
    design = Design()
    x = design.tensor((1, size, size, 1), kind, name="x", **(more or {}))
    real = x
    if kind != FLOAT32:
        real = design.tensor((1, size, size, 1), name="real")
        design.operator("DEQUANTIZE" if more else "CAST", [x], [real])
    flat, half = design.tensor((1, size * size)), size // 2
    shape = design.constant(ints([1, size * size]), name="shape")
    design.operator("RESHAPE", [real, shape], [flat], {})
    quarters = np.random.default_rng(1).normal(size=(3, 2, 2))
    weights = np.kron(quarters, np.ones((half, half))).reshape(3, -1) / half**2
    weight = design.constant(weights.astype(np.float32), name="w")
    y = design.tensor((1, 3), name="y")
    design.operator("FULLY_CONNECTED", [flat, weight], [y], {})
    folder.mkdir(exist_ok=True)
    return design.save(folder, [x], [y])
