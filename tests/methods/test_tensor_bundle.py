"""TensorFlow checkpoints: shards, types, names, and links."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import saved_model as files
from samples.protobuf import message, varint
from samples.saved_model import BFLOAT16, TEXT, VALUE, checkpoint

from assay.containers.tensor_bundle import OBJECT_GRAPH, Bundle
from assay.errors import UnreadableModel

FIXTURES = Path(__file__).parents[1] / "fixtures" / "tensorflow"


def values(index: Path) -> dict[str, Any]:
    return {name: tensor.read() for name, tensor in Bundle(index).stored().items()}


def test_what_tensorflow_wrote_is_read_as_it_reads_it() -> None:
    """Two shards, seven types, a tensor in parts, keys that share their beginnings."""
    truth = np.load(FIXTURES / "truth.npz")
    found = values(FIXTURES / "shards" / "variables.index")
    wanted = {k.removeprefix("shards|"): truth[k] for k in truth.files if k.startswith("shards|")}
    assert len(wanted) == 9
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], value.astype(np.float32)), name


def test_the_files_are_the_index_and_the_shards() -> None:
    bundle = Bundle(FIXTURES / "shards" / "variables.index")
    bundle.stored()
    names = [f"variables.data-{i:05d}-of-00002" for i in range(2)]
    assert [path.name for path in bundle.files] == ["variables.index", *names]


def test_tensors_say_their_types_and_are_read_one_by_one(tmp_path: Path) -> None:
    one, two = np.arange(3, dtype="<f4"), np.arange(4, dtype="<f2").reshape(2, 2)
    stored = Bundle(checkpoint(tmp_path, [{"b": one}, {"a": two}])).stored()
    assert {name: (t.shape, t.dtype) for name, t in stored.items()} == {
        "a": ((2, 2), "float16"),
        "b": ((3,), "float32"),
    }
    assert np.array_equal(stored["a"].read(), two)


def test_bfloat16_is_the_upper_half_of_a_float(tmp_path: Path) -> None:
    bits = np.array([1.5, -2.0], "<f4").view("<u4") >> 16
    raw = bits.astype("<u2")
    entry = files.entry(raw, 0, 0, dtype=BFLOAT16)
    index = checkpoint(tmp_path, [{}], {"x": entry})
    index.with_name("variables.data-00000-of-00001").write_bytes(raw.tobytes())
    assert values(index)["x"].tolist() == [1.5, -2.0]


def test_keys_are_spelled_by_what_they_share(tmp_path: Path) -> None:
    index = checkpoint(tmp_path, [{"layer/a": np.zeros(2, "<f4")}])
    entry = message(files.entry(np.zeros(2, "<f4"), 0, 0))
    rest = varint(6) + varint(1) + varint(len(entry)) + b"b" + entry  # "layer/" and "b"
    first = b"\0" + varint(7) + varint(len(entry)) + b"layer/a" + entry
    head = b"\0\0" + varint(2) + message({1: 1})
    data = head + first + rest + bytes(4) + (1).to_bytes(4, "little")
    listed = files.block([(b"z", varint(0) + varint(len(data)))])
    footer = bytes(2) + varint(len(data) + 5) + varint(len(listed) - 5)
    tail = footer.ljust(40, b"\0") + files.MAGIC.to_bytes(8, "little")
    index.write_bytes(data + bytes(5) + listed + tail)
    assert list(Bundle(index).entries) == ["layer/a", "layer/b"]


def test_texts_are_left_out(tmp_path: Path) -> None:
    index = checkpoint(tmp_path, [{"x": np.zeros(2, "<f4")}], {"name": {1: TEXT, 5: 4}})
    assert list(Bundle(index).stored()) == ["x"]


def named(folder: Path, *objects: tuple[str, str]) -> Bundle:
    """A checkpoint whose object graph gives variables names."""
    nodes = [{2: {1: "VARIABLE_VALUE", 2: name, 3: key + VALUE}} for name, key in objects]
    graph = message({1: nodes})
    text = varint(len(graph)) + bytes(4) + graph
    entry = {1: TEXT, 3: 0, 4: 0, 5: len(text)}
    index = checkpoint(folder, [{}], {OBJECT_GRAPH: entry})
    index.with_name("variables.data-00000-of-00001").write_bytes(text)
    return Bundle(index)


def test_the_object_graph_tells_what_variables_were_called(tmp_path: Path) -> None:
    bundle = named(tmp_path, ("dense/kernel", "_a"), ("dense/bias", "_b"), ("dense/kernel", "_c"))
    assert bundle.names() == {"dense/kernel": "_a", "dense/bias": "_b", "dense/kernel_1": "_c"}


def test_a_cut_object_graph_is_refused(tmp_path: Path) -> None:
    bundle = named(tmp_path, ("dense/kernel", "_a"))
    shard = tmp_path / "variables" / "variables.data-00000-of-00001"
    shard.write_bytes(b"\x7f" + shard.read_bytes()[1:])
    with pytest.raises(UnreadableModel, match="is cut"):
        bundle.names()


def test_big_endian_numbers_and_too_many_shards_are_refused(tmp_path: Path) -> None:
    index = checkpoint(tmp_path, [{}])
    for header, error in (({1: 1, 2: 1}, "big-endian"), ({1: 10**6}, "1,000,000 shards")):
        index.write_bytes(files.table([(b"", message(header))]))
        with pytest.raises(UnreadableModel, match=error):
            Bundle(index)


def test_in_a_download_cache_shards_are_links_to_one_other_folder(tmp_path: Path) -> None:
    index = checkpoint(tmp_path, [{"x": np.ones(2, "<f4")}])
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for path in list(index.parent.iterdir()):
        path.rename(blobs / path.name)
        path.symlink_to(blobs / path.name)
    assert values(index)["x"].tolist() == [1, 1]
