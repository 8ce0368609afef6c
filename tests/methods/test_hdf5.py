"""HDF5: what h5py wrote in old and new ways is read as it was; hand-made files show the limits."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_fixtures import fixture
from samples.keras import FILTERS, SPACE, Writer, attribute, chunked, space

from assay.containers.hdf5.file import File, Object, walk
from assay.errors import UnreadableModel
from assay.weights import Array

ROWS = np.arange(13 * 11, dtype="f4").reshape(13, 11)
VERSIONS = pytest.mark.parametrize("name", ["earliest.hdf5", "latest.hdf5"])


def objects(content: bytes) -> tuple[File, dict[str, Object]]:
    file = File(content)
    return file, {found.path: found for found in walk(file)}


def fixed(name: str) -> tuple[File, dict[str, Object]]:
    return objects(fixture(name).read_bytes())


@VERSIONS
@pytest.mark.parametrize(
    "path",
    ["chunked", "packed", "checked", "single", "growing", "growing_twice", "limited"],
)
def test_data_are_read_however_they_are_stored(name: str, path: str) -> None:
    file, found = fixed(name)
    assert np.array_equal(found[path].layout().read(file), ROWS)


@VERSIONS
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i2", "u4", "u1"])
def test_numbers_of_any_width_and_byte_order_are_the_same_numbers(name: str, kind: str) -> None:
    file, found = fixed(name)
    values = found[f"kinds/{kind}"].layout().read(file)
    assert values.dtype == np.float32
    assert np.array_equal(values, ROWS % 100)


@VERSIONS
def test_what_was_never_written_is_the_fill_value(name: str) -> None:
    file, found = fixed(name)
    values = found["filled"].layout().read(file)
    assert values[0, 0] == 1.0
    assert (values.reshape(-1)[1:] == 2.5).all()


@VERSIONS
def test_groups_of_many_members_and_attributes_are_listed_whole(name: str) -> None:
    file, found = fixed(name)
    assert [found[f"many/{i:02}"].layout().read(file) for i in range(40)] == [*range(40)]
    texts = [found["many"].text(f"name {i:02}") for i in range(40)]
    assert texts == [f"text {i}" for i in range(40)]


@VERSIONS
def test_texts_are_read_and_links_are_not_followed_twice(name: str) -> None:
    _, found = fixed(name)
    root = found[""]
    assert root.text("fixed") == "of a fixed length"
    assert root.text("varied") == "of any length é"
    assert root.text("list") is None
    assert root.text("absent") is None
    assert len({"hard", "whole"} & found.keys()) == 1
    assert "soft" not in found


def tree(writer: Writer, entries: Any, level: int = 0, rank: int = 1) -> int:
    """A tree of chunks: (bytes, first element, address) each."""
    body = b"TREE\x01" + struct.pack("<BHQQ", level, len(entries), 2**64 - 1, 2**64 - 1)
    for size, first, address in entries:
        body += struct.pack(f"<II{rank + 1}QQ", size, 0, first, *([0] * rank), address)
    return writer.put(body)


def filtered(*numbers: int) -> tuple[int, bytes]:
    body = b"".join(struct.pack("<4H", number, 0, 0, 0) for number in numbers)
    return FILTERS, struct.pack("<BB6x", 1, len(numbers)) + body


def written(shape: Any, *chunks: bytes, size: int = 4, filters: Any = ()) -> bytes:
    """A file with one data set, whose chunks have four numbers each."""
    writer = Writer()
    entries = [(len(c), 4 * i, writer.put(c)) for i, c in enumerate(chunks)]
    messages = [chunked(tree(writer, entries), [size])] + ([filtered(*filters)] if filters else [])
    return writer.bytes(writer.group({"d": writer.odd_data(shape, *messages)}))


def values(content: bytes) -> Array:
    file, found = objects(content)
    return found["d"].layout().read(file)


def test_the_last_chunk_may_reach_beyond_the_shape() -> None:
    four = np.arange(4, dtype="<f4")
    content = written([6], four.tobytes(), (four + 4).tobytes())
    assert np.array_equal(values(content), np.arange(6))


def test_filters_are_undone_from_last_to_first() -> None:
    four = np.arange(4, dtype="<f4")
    planes = four.view(np.uint8).reshape(4, 4).T.tobytes()
    content = written([4], zlib.compress(planes) + bytes(4), filters=[2, 1, 3])
    assert np.array_equal(values(content), four)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (written([4], zlib.compress(bytes(2**20)), filters=[1]), "has 20 bytes"),
        (written([4], b"no zlib stream", filters=[1]), "damaged"),
        (written([4], bytes(15)), "has 15 bytes"),
        (written([4], bytes(15), filters=[2]), "cut"),
        (written([4], bytes(16), filters=[32000]), "filter LZF"),
        (written([4], bytes(16), filters=[999]), "filter number 999"),
        (written([4], bytes(16), bytes(16)), "outside its shape"),
        (written([4], bytes(16), size=0), "do not fit its shape"),
        (written([4, 4], bytes(16)), "do not fit its shape"),
    ],
)
def test_chunks_that_cannot_be_are_refused(content: bytes, error: str) -> None:
    with pytest.raises(UnreadableModel, match=error):
        values(content)


def test_the_file_s_own_length_tells_that_it_is_cut() -> None:
    content = fixture("latest.hdf5").read_bytes()
    with pytest.raises(UnreadableModel, match="truncated"):
        File(content[:-1])


def test_a_file_may_lie_within_another() -> None:
    content = written([4], bytes(16))
    file = File(b"before" + content + b"behind", 6, len(content))
    assert [found.path for found in walk(file)] == ["", "d"]


def test_a_group_that_holds_itself_is_visited_once() -> None:
    writer = Writer()
    root = writer.group({"me": 96, "also": 96})
    assert root == 96
    _, found = objects(writer.bytes(root))
    assert [*found] == [""]


def test_attributes_of_other_kinds_are_none() -> None:
    writer = Writer()
    number = attribute("it", "abc")
    assert isinstance(number[1], bytes)
    body = number[1].replace(b"\x13\0\0\0", b"\x10\0\0\0")  # the type is a whole number now
    _, found = objects(writer.bytes(writer.group({}, (number[0], body))))
    assert found[""].text("it") is None


def test_a_shape_of_an_unknown_version_is_refused() -> None:
    writer = Writer()
    data = writer.object((SPACE, b"\x09" + space([2])[1:]), chunked(2**64 - 1, [2]))
    _, found = objects(writer.bytes(writer.group({"d": data})))
    with pytest.raises(UnreadableModel, match="no type or no shape"):
        found["d"].layout()


@pytest.mark.parametrize("name", ["earliest.hdf5", "latest.hdf5"])
@settings(deadline=None)
@given(data=st.data())
def test_changed_bytes_are_read_or_refused(name: str, data: Any) -> None:
    content = bytearray(fixture(name).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        file, found = objects(bytes(content))
    except UnreadableModel:
        return
    for each in found.values():
        try:
            for attribute_name in ("fixed", "varied", "list"):
                each.text(attribute_name)
            if each.is_data and each.layout().kind.numpy:
                each.layout().read(file)
        except UnreadableModel:
            continue


def test_data_that_are_said_to_lie_in_their_header_and_do_not_are_cut() -> None:
    content = bytearray(fixture("latest.hdf5").read_bytes())
    content[15770] = 0  # the class of a layout: compact, of one piece before
    file, found = objects(bytes(content))
    with pytest.raises(UnreadableModel, match="the data of 'kinds/u4' are cut"):
        found["kinds/u4"].layout().read(file)


def test_a_file_of_many_groups_is_bounded(tmp_path: Path) -> None:
    writer = Writer()
    root = writer.group({f"g{i}": writer.group({}) for i in range(50)})
    file = File(writer.bytes(root), left=100)
    with pytest.raises(UnreadableModel, match="too many objects"):
        list(walk(file))
