"""safetensors: every type as the reference library reads it, sets of shards, writing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from assay.errors import UnreadableModel
from assay.formats import FORMATS, read
from assay.formats.safetensors import DTYPES

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
    assert model.weights.keys() == arrays.keys() - {"ti8", "tu8", "t?"}, "those are indices"
    alone = {name: arrays[name] for name in ("ti8", "tu8", "t?")}
    save_file(alone, tmp_path / "indices.safetensors")
    read_all = {**model.weights, **read(tmp_path / "indices.safetensors").weights}
    for name, array in arrays.items():
        weight = read_all[name]
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


def test_a_file_may_be_written_in_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"a": np.arange(6, dtype="f2").reshape(2, 3)}, path)
    FORMATS["safetensors"]().write(read(path), path)
    np.testing.assert_array_equal(load_file(path)["a"], [[0, 1, 2], [3, 4, 5]])
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_folder_of_shards_is_one_model(tmp_path: Path) -> None:
    index = sharded(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"})
    assert read(tmp_path).weights.keys() == read(index).weights.keys() == {"a", "b"}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    arrays = {"a": RNG.standard_normal((3, 4)).astype("f4"), "b": np.float16([1, np.nan])}
    save_file(arrays, tmp_path / "m.safetensors", {"who": "me"})
    model = read(tmp_path / "m.safetensors")
    FORMATS["safetensors"]().write(model, tmp_path / "n.safetensors")
    written = load_file(tmp_path / "n.safetensors")
    for name, array in arrays.items():
        np.testing.assert_array_equal(written[name], array.astype("f4"))
    assert read(tmp_path / "n.safetensors").metadata == model.metadata


WRONG = {
    "unknown type": {"a": entry("Q7", [2], 0, 16)},
    "not described": {"a": 7},
    "not a JSON object": b"[1, 2]",
    "not JSON": b'{"a" 7}',
}


@pytest.mark.parametrize("error", WRONG)
def test_a_header_that_is_none_is_refused(error: str, tmp_path: Path) -> None:
    path = built(tmp_path / "m.safetensors", WRONG[error], bytes(16))  # type: ignore[arg-type]
    with pytest.raises(UnreadableModel, match=error):
        FORMATS["safetensors"]().read(path, {})


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


def test_tensors_far_behind_are_found(tmp_path: Path) -> None:
    """Shards of several gigabytes: sparse, so that this one takes no room."""
    size = 3 * 2**32
    header = {"a": entry("U8", [size], 0, size), "b": entry("F32", [2], size, size + 8)}
    path = built(tmp_path / "m.safetensors", header)
    begin = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(begin + size)
        file.write(np.float32([1, 2]).tobytes())
    weights = read(path).weights
    np.testing.assert_array_equal(weights["b"].read(), np.float32([1, 2]))
    with pytest.raises(UnreadableModel, match="too large to be read"):
        weights["a"].read()


def refusal(path: Path) -> str:
    """What is wrong with a file or one of its tensors, or nothing."""
    try:
        for weight in FORMATS["safetensors"]().read(path, {}).weights.values():
            weight.read()
    except UnreadableModel as error:
        return str(error)
    return ""


VALUES = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from([*DTYPES]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*DTYPES]) | VALUES,
        "shape": st.lists(st.integers(-1, 5), max_size=4) | VALUES,
        "data_offsets": st.lists(st.integers(-9, 40), max_size=3) | VALUES,
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(header=st.dictionaries(st.text(max_size=4), ENTRIES | VALUES), data=st.binary(max_size=40))
def test_any_header_is_read_or_refused(
    header: dict[str, object], data: bytes, tmp_path: Path
) -> None:
    refusal(built(tmp_path / "m.safetensors", header, data))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(flip=st.data())
def test_any_flipped_byte_is_read_or_refused(flip: st.DataObject, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"a": np.ones((2, 3), "f4"), "b": np.ones(4, "f2")}, path)
    content = bytearray(path.read_bytes())
    content[flip.draw(st.integers(0, len(content) - 1))] ^= flip.draw(st.integers(1, 255))
    path.write_bytes(content)
    refusal(path)
