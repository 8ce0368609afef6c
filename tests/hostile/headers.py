"""Headers that lie: safetensors, their indexes, snapshot folders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from samples import hugging_face, safetensors

from hostile.building import attack, write

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def headed(
    folder: Path, header: Mapping[str, Any] | bytes, data: bytes = b"", longer: int = 0
) -> Path:
    """A safetensors file of this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = (len(text) + longer).to_bytes(8, "little")
    return write(folder, length + text + data, "hostile.safetensors")


def place(shape: Sequence[Any], start: Any, end: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


@attack("has an absurd shape")
def safetensors_of_2_to_the_60(folder: Path) -> Path:
    return headed(folder, {"a": place([2**40, 2**40], 0, 2**62)}, bytes(8))


@attack("has an absurd shape")
def safetensors_of_2_to_the_60_times_nothing(folder: Path) -> Path:
    return headed(folder, {"a": place([0, 2**30, 2**30], 0, 0)})


@attack("past the end of the file")
def safetensors_of_a_petabyte(folder: Path) -> Path:
    return headed(folder, {"a": place([2**40, 2**8], 0, 2**50)}, bytes(8))


@attack("overlaps another")
def safetensors_that_overlap(folder: Path) -> Path:
    return headed(folder, {"a": ONE, "b": place([2], 4, 12)}, bytes(12))


@attack("overlaps another")
def safetensors_before_its_beginning(folder: Path) -> Path:
    return headed(folder, {"a": place([2], -8, 0)}, bytes(8))


@attack("are no tensor's")
def safetensors_with_a_gap(folder: Path) -> Path:
    return headed(folder, {"a": ONE, "b": place([2], 16, 24)}, bytes(24))


@attack("does not hold its shape")
def safetensors_whose_end_is_before_its_start(folder: Path) -> Path:
    return headed(folder, {"a": place([2], 8, 0)}, bytes(8))


@attack("at no place of the file")
def safetensors_of_fractions(folder: Path) -> Path:
    return headed(folder, {"a": place([2], 0.0, 8.0)}, bytes(8))


@attack("at no place of the file")
def safetensors_with_nan(folder: Path) -> Path:
    return headed(folder, b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[NaN,8]}}', bytes(8))


@attack("is not described")
def safetensors_with_a_number_of_a_million_digits(folder: Path) -> Path:
    return headed(folder, b'{"a":' + b"9" * 10**6 + b"}")


@attack("nested too deep")
def safetensors_of_nested_lists(folder: Path) -> Path:
    return headed(folder, b'{"a":' + b"[" * 900_000 + b"]" * 900_000 + b"}")


@attack("names 'a' twice")
def safetensors_with_two_of_one_name(folder: Path) -> Path:
    one = json.dumps(ONE).encode()
    return headed(folder, b'{"a":' + one + b',"a":' + one + b"}", bytes(8))


@attack("no header of the length it says")
def safetensors_whose_header_is_longer_than_the_file(folder: Path) -> Path:
    return headed(folder, {"a": ONE}, b"", longer=2**40)


@attack("more than 1,000,000 parts")
def safetensors_of_a_million_descriptions(folder: Path) -> Path:
    return headed(folder, b'{"a":[' + b"[]," * 1_000_001 + b"[]]}")


@attack("more than 200,000 tensors")
def safetensors_of_many_empty_tensors(folder: Path) -> Path:
    empty = place([0], 0, 0)
    return headed(folder, {f"t{number}": empty for number in range(200_001)})


@attack("")
def safetensors_of_nan_and_nothing(folder: Path) -> Path:
    arrays = {"a": np.array([np.nan, np.inf], "f4"), "b": np.zeros((0, 3), "f4")}
    return safetensors.written(folder / "hostile.safetensors", arrays)


def indexed(folder: Path, places: Any) -> Path:
    safetensors.written(folder / "a.safetensors", {"a": np.zeros(2, "f4")})
    text = json.dumps({"metadata": {}, "weight_map": places})
    return write(folder, text.encode(), "model.safetensors.index.json")


@attack("outside the folder")
def index_of_another_folder(folder: Path) -> Path:
    return indexed(folder, {"a": "../../etc/passwd"})


@attack("outside the folder")
def index_of_an_absolute_path(folder: Path) -> Path:
    return indexed(folder, {"a": "/etc/passwd"})


@attack("outside the folder")
def index_of_a_link(folder: Path) -> Path:
    (folder / "link").symlink_to("/etc/passwd")
    return indexed(folder, {"a": "link"})


@attack("outside the folder")
def index_that_is_itself_a_link(folder: Path) -> Path:
    """What lies beside the file that it links to is none of the set's."""
    elsewhere, home = folder / "elsewhere", folder / "home"
    elsewhere.mkdir()
    home.mkdir()
    path = home / "model.safetensors.index.json"
    path.symlink_to(indexed(elsewhere, {"a": "a.safetensors"}))
    (home / "a.safetensors").symlink_to(elsewhere / "a.safetensors")
    return path


@attack("is not in 'a.safetensors'")
def index_of_a_tensor_that_is_not_there(folder: Path) -> Path:
    return indexed(folder, {"a": "a.safetensors", "b": "a.safetensors"})


@attack("in two of its files")
def index_of_shards_that_hold_the_same(folder: Path) -> Path:
    safetensors.written(folder / "b.safetensors", {"a": np.ones(2, "f4"), "b": np.ones(2, "f4")})
    return indexed(folder, {"a": "a.safetensors", "b": "b.safetensors"})


@attack("")
def index_of_shards_that_are_not_there(folder: Path) -> Path:
    return indexed(folder, {"a": "a.safetensors", "b": "b.safetensors"})


@attack("names 2,001 files")
def index_of_many_files(folder: Path) -> Path:
    return indexed(folder, {f"t{n}": f"{n}.safetensors" for n in range(2001)})


@attack("no weight_map")
def index_of_numbers(folder: Path) -> Path:
    return indexed(folder, {"a": 7, "b": "x.safetensors"})


@attack("outside the folder")
def snapshot_whose_weights_lie_elsewhere(folder: Path) -> Path:
    elsewhere = hugging_face.small(folder)
    home = folder / "home"
    home.mkdir()
    for file in elsewhere.iterdir():
        (home / file.name).symlink_to(file)
    return home


@attack("nested too deep")
def snapshot_of_a_nested_configuration(folder: Path) -> Path:
    home = hugging_face.small(folder)
    write(home, b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "config.json")
    return home


@attack("")
def snapshot_that_brings_code(folder: Path) -> Path:
    """transformers would import it, where it is trusted."""
    more = {"model_type": "mine", "auto_map": {"AutoModel": "code.Mine"}}
    home = hugging_face.snapshot(folder / "home", hugging_face.llama(), more)
    write(home, b"open('canary', 'w')", "code.py")
    return home


@attack("")
def snapshot_of_a_million_blocks(folder: Path) -> Path:
    more = {**hugging_face.CONFIG, "num_hidden_layers": 10**6}
    return hugging_face.snapshot(folder / "home", hugging_face.llama(), more)


@attack("")
def snapshot_whose_values_do_not_split(folder: Path) -> Path:
    arrays = hugging_face.llama()
    arrays["model.layers.0.self_attn.k_proj.weight"] = np.zeros((3, 5), "f4")
    return hugging_face.snapshot(folder / "home", arrays, hugging_face.CONFIG)
