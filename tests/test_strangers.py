"""Files that are no models, and models under other names: what is said of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hostile import building

from assay.errors import UnreadableModel
from assay.formats import read

STRANGERS = {
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "a web page": b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html></html>",
    "compressed with zstd": b"\x28\xb5\x2f\xfd" + bytes(20),
}


@pytest.mark.parametrize(
    "name", ["model.onnx", "model.pt", "model.safetensors", "model.h5", "model"]
)
@pytest.mark.parametrize("said", STRANGERS)
def test_what_is_often_found_in_place_of_a_model_is_named(
    said: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(STRANGERS[said])
    with pytest.raises(UnreadableModel, match=said):
        read(path)


def test_a_compressed_model_is_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx.gz"
    path.write_bytes(gzip.compress(building.small(tmp_path).read_bytes()))
    with pytest.raises(UnreadableModel, match="compressed: unpack it"):
        read(path)


@pytest.mark.parametrize("name", ["blob", "model.bin"])
def test_a_header_of_any_length_is_known_as_safetensors(name: str, tmp_path: Path) -> None:
    """8 + 256 n bytes begin as an ONNX file does."""
    for rows in (1, 2, 3, 17):
        path = tmp_path / name
        entry = {"dtype": "F32", "shape": [rows], "data_offsets": [0, 4 * rows]}
        for length in (264, 520):
            header = json.dumps({"weight": entry}).ljust(length).encode()
            path.write_bytes(length.to_bytes(8, "little") + header + bytes(4 * rows))
            assert read(path).weights["weight"].shape == (rows,)


@pytest.mark.parametrize("producer", ["", "x", "pytorch", "tf2onnx", "a" * 40, "skl2onnx ü"])
def test_an_onnx_file_of_another_name_is_known(producer: str, tmp_path: Path) -> None:
    from onnx import load_model, save_model

    model = load_model(str(building.small(tmp_path)))
    model.producer_name = producer
    for name in ("model", "model.tflite", "model.mlmodel", "model.bin"):
        save_model(model, str(tmp_path / name), format="protobuf")
        assert read(tmp_path / name).format == "onnx", name
