"""GGUF: each block type against a plain loop over ggml's formula, and headers that lie."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from assay.errors import UnreadableModel
from assay.formats import read

RNG = np.random.default_rng(0)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(
    path: Path, tensors: list[tuple[str, tuple[int, ...], int, bytes]], entries: bytes = b"",
    count: int = 0, version: int = 3,
) -> Path:  # fmt: skip
    """A file of tensors (name, shape with the fastest axis first, type, data)."""
    head, body = b"", b""
    for name, shape, kind, data in tensors:
        dims = struct.pack(f"<{len(shape)}Q", *shape)
        place = struct.pack("<IQ", kind, len(body))
        head += text(name) + struct.pack("<I", len(shape)) + dims + place
        body += data + bytes(-len(data) % 32)
    start = b"GGUF" + struct.pack("<IQQ", version, len(tensors), count) + entries + head
    path.write_bytes(start + bytes(-len(start) % 32) + body)
    return path


def half(*values: float) -> bytes:
    return np.array(values, "<f2").tobytes()


def test_shapes_are_reversed_and_metadata_kept(tmp_path: Path) -> None:
    values = RNG.standard_normal((3, 4)).astype("<f4")
    entries = text("general.name") + struct.pack("<I", 8) + text("x")
    entries += text("words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    entries += text("n") + struct.pack("<II", 4, 7)
    path = gguf(tmp_path / "m.gguf", [("w", (4, 3), 0, values.tobytes())], entries, 3)
    model = read(path)
    assert model.layers is None
    assert model.metadata == {"general.name": "x", "words": "2 values", "n": 7}
    weight = model.weights["w"]
    assert (weight.shape, weight.dtype, weight.canonical) == ((3, 4), "float32", True)
    np.testing.assert_array_equal(weight.read(), values)


def q4_0() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(0, 16, 32)
    data = half(0.5) + bytes(int(q[i] | q[i + 16] << 4) for i in range(16))
    return 2, data, [0.5 * (v - 8) for v in q]


def q5_1() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(0, 32, 32)
    high = sum(int(v >> 4) << i for i, v in enumerate(q))
    low = bytes(int(q[i] & 15 | (q[i + 16] & 15) << 4) for i in range(16))
    return 7, half(0.5, -3) + struct.pack("<I", high) + low, [0.5 * v - 3 for v in q]


def q8_0() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(-128, 128, 32)
    return 8, half(0.25) + q.astype("i1").tobytes(), [0.25 * v for v in q]


def q8_k() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(-128, 128, 256)
    data = struct.pack("<f", 0.25) + q.astype("i1").tobytes() + bytes(32)
    return 15, data, [0.25 * v for v in q]


def q4_k() -> tuple[int, bytes, list[float]]:
    q = RNG.integers(0, 16, 256)
    d, m = RNG.integers(0, 64, 8), RNG.integers(0, 64, 8)
    s = [int(d[i] | d[i + 4] >> 4 << 6) for i in range(4)]
    s += [int(m[i] | m[i + 4] >> 4 << 6) for i in range(4)]
    s += [int(d[i + 4] & 15 | (m[i + 4] & 15) << 4) for i in range(4)]
    codes = [int(q[64 * r + i] | q[64 * r + 32 + i] << 4) for r in range(4) for i in range(32)]
    real = [0.5 * d[i // 32] * v - 0.25 * m[i // 32] for i, v in enumerate(q)]
    return 12, half(0.5, 0.25) + bytes(s) + bytes(codes), real


def q6_k() -> tuple[int, bytes, list[float]]:
    q, d = RNG.integers(0, 64, 256), RNG.integers(-128, 128, 16)
    low, high = bytearray(128), bytearray(64)
    for i, v in enumerate(q):
        part, run, at = i // 128, i % 128 // 32, i % 32
        low[64 * part + 32 * (run % 2) + at] |= int(v & 15) << 4 * (run // 2)
        high[32 * part + at] |= int(v >> 4) << 2 * run
    data = bytes(low) + bytes(high) + d.astype("i1").tobytes() + half(0.5)
    return 14, data, [0.5 * d[i // 16] * (int(v) - 32) for i, v in enumerate(q)]


@pytest.mark.parametrize("make", [q4_0, q5_1, q8_0, q8_k, q4_k, q6_k])
def test_blocks_are_decoded(make: object, tmp_path: Path) -> None:
    kind, data, real = make()  # type: ignore[operator]
    path = gguf(tmp_path / "m.gguf", [("w", (len(real), 2), kind, data * 2)])
    found = read(path).weights["w"].read()
    np.testing.assert_allclose(found, np.float32([real, real]), rtol=1e-6, atol=1e-6)


def test_types_that_are_not_decoded_are_listed(tmp_path: Path) -> None:
    weight = read(gguf(tmp_path / "m.gguf", [("w", (256,), 19, bytes(50))])).weights["w"]
    assert (weight.dtype, weight.shape) == ("iq1_s", (256,))
    with pytest.raises(UnreadableModel, match="iq1_s is not read"):
        weight.read()


WRONG = {
    "past the end": [("w", (2**40,), 0, b"")],
    "unknown type": [("w", (1,), 99, bytes(4))],
    "whole blocks": [("w", (33,), 2, bytes(36))],
    "twice": [("w", (8,), 0, bytes(32)), ("w", (8,), 0, bytes(32))],
    "axes": [("w", (1,) * 9, 0, bytes(4))],
}


@pytest.mark.parametrize("error", WRONG)
def test_a_header_that_lies_is_refused(error: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel, match=error):
        read(gguf(tmp_path / "m.gguf", WRONG[error]))


@pytest.mark.parametrize(
    ("start", "error"),
    [
        (struct.pack("<IQQ", 3, 2**60, 0), "claims"),
        (struct.pack("<IQQ", 3, 0, 2**60), "claims"),
        (struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**60), "has 1,152,921"),
        (struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 0, 2**60), "values"),
        (struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 0, 2**20), "truncated"),
        (struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (struct.pack("<IQQ", 1, 0, 0), "version 1"),
    ],
)
def test_counts_are_not_believed(start: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + start + bytes(64))
    with pytest.raises(UnreadableModel, match=error):
        read(path)
