"""safetensors: every type as the reference library reads it, sets of shards, writing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from assay.errors import UnreadableModel
from assay.formats import FORMATS, read

RNG = np.random.default_rng(0)
TYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]


def built(path: Path, header: dict[str, object] | bytes, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_all_types_are_read_as_the_reference_library_reads_them(tmp_path: Path) -> None:
    arrays = {f"t{c}": RNG.integers(0, 2 if c == "?" else 99, (3, 5)).astype(c) for c in TYPES}
    arrays |= {"scalar": np.array(7, "f4"), "empty": np.zeros((0, 4), "f4")}
    arrays["odd"] = np.array([np.nan, np.inf, -np.inf, -0.0], "f4")
    save_file(arrays, tmp_path / "m.safetensors", {"format": "np"})
    model = read(tmp_path / "m.safetensors")
    assert (model.layers, model.metadata) == (None, {"metadata": {"format": "np"}})
    assert model.weights.keys() == arrays.keys()
    for name, array in arrays.items():
        weight = model.weights[name]
        assert (weight.shape, weight.read().shape) == (array.shape, array.shape)
        np.testing.assert_array_equal(weight.read(), array.astype(np.float32))


@pytest.mark.parametrize(
    ("dtype", "codes", "expected"),
    [
        ("BF16", b"\x80\x3f\x00\xc0", [1.0, -2.0]),
        ("F8_E4M3", b"\x38\x7e\x01\xff", [1.0, 448.0, 2.0**-9, np.nan]),
        ("F8_E5M2", b"\x3c\x7b\x01\x7c", [1.0, 57344.0, 2.0**-16, np.inf]),
        ("F8_E8M0", b"\x7f\x80\x00\xff", [1.0, 2.0, 2.0**-127, np.nan]),
        ("F4", b"\x72\x9f", [1.0, 6.0, -6.0, -0.5]),
    ],
)
def test_small_floats_are_what_their_standard_says(
    dtype: str, codes: bytes, expected: list[float], tmp_path: Path
) -> None:
    header = {"w": entry(dtype, [len(expected)], 0, len(codes))}
    path = built(tmp_path / "m.safetensors", header, codes)
    np.testing.assert_array_equal(read(path).weights["w"].read(), np.float32(expected))


def sharded(folder: Path, places: dict[str, str]) -> Path:
    for shard in set(places.values()):
        names = [name for name in places if places[name] == shard]
        save_file({name: np.full((2, 3), ord(name), "f4") for name in names}, folder / shard)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 48}, "weight_map": places}))
    return index


def test_a_set_is_one_model(tmp_path: Path) -> None:
    index = sharded(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"})
    model = FORMATS["safetensors"]().read(index, {})
    assert model.files == (index, tmp_path / "1.safetensors", tmp_path / "2.safetensors")
    assert {n: w.read()[0, 0] for n, w in model.weights.items()} == {"a": 97, "b": 98}
    assert model.metadata["metadata"] == {"total_size": "48"}


def test_a_shard_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    index = sharded(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"})
    (tmp_path / "2.safetensors").unlink()
    model = FORMATS["safetensors"]().read(index, {})
    assert model.metadata["missing_external_data"] == ["2.safetensors"]
    assert set(model.weights) == {"a"}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    arrays = {"a": RNG.standard_normal((3, 4)).astype("f4"), "b": np.float16([1, np.nan])}
    save_file(arrays, tmp_path / "m.safetensors", {"who": "me"})
    model = read(tmp_path / "m.safetensors")
    FORMATS["safetensors"]().write(model, tmp_path / "n.safetensors")
    written = load_file(tmp_path / "n.safetensors")
    for name, array in arrays.items():
        np.testing.assert_array_equal(written[name], array.astype("f4"))
    assert read(tmp_path / "n.safetensors").metadata == model.metadata


ONE = entry("F32", [2], 0, 8)
WRONG = {
    "overlaps": {"a": ONE, "b": entry("F32", [2], 4, 12)},
    "are no tensor's": {"a": ONE, "b": entry("F32", [1], 12, 16)},
    "past the end": {"a": entry("F32", [8], 0, 32)},
    "does not hold its shape": {"a": entry("F32", [2**40, 2**20], 0, 8)},
    "absurd shape": {"a": entry("F32", [2**62, 4], 0, 16)},
    "at no place": {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, True]}},
    "unknown type": {"a": entry("Q7", [2], 0, 16)},
    "not described": {"a": 7},
    "twice": b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{}}',
    "nested too deep": b'{"a":' + b"[" * 99_999,
    "more than 1,000,000 parts": b'{"a":[' + b"[]," * 1_000_001,
    "not JSON": b'{"a" 7}',
}


@pytest.mark.parametrize("error", WRONG)
def test_a_header_that_lies_is_refused(error: str, tmp_path: Path) -> None:
    path = built(tmp_path / "m.safetensors", WRONG[error], bytes(16))  # type: ignore[arg-type]
    with pytest.raises(UnreadableModel, match=error):
        read(path)


@pytest.mark.parametrize("place", ["../1.safetensors", "/etc/passwd", "a\\b", "", "link"])
def test_a_set_stays_in_its_folder(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    save_file({"a": np.zeros(2, "f4")}, tmp_path / "1.safetensors")
    (folder / "link").symlink_to(tmp_path / "1.safetensors")
    index = folder / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": place}}))
    with pytest.raises(UnreadableModel, match="outside the folder"):
        FORMATS["safetensors"]().read(index, {})


def test_a_set_of_seventy_billion_parameters_is_listed(tmp_path: Path) -> None:
    places, shapes = {}, {"q": (8192, 8192), "up": (28672, 8192), "gate": (28672, 8192)}
    shapes |= {"down": (8192, 28672), "o": (8192, 8192), "kv": (2048, 8192)}
    for layer in range(80):
        header, at = {}, 0
        for name, shape in shapes.items():
            end = at + 2 * shape[0] * shape[1]
            header[f"{layer}.{name}"] = entry("BF16", list(shape), at, end)
            places[f"{layer}.{name}"] = f"{layer}.safetensors"
            at = end
        path = built(tmp_path / f"{layer}.safetensors", header)
        with path.open("r+b") as file:  # sparse: it takes no room
            file.truncate(path.stat().st_size + at)
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    model = FORMATS["safetensors"]().read(index, {})
    assert sum(weight.size for weight in model.weights.values()) > 68e9
    assert model.weights["79.kv"].read().shape == (2048, 8192)
