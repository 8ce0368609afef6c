"""FlatBuffers: what a writer wrote comes back, and no offset or length leads outside the file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import tflite as files

from assay.containers import flatbuffer as _flatbuffer
from assay.containers.flatbuffer import FlatBuffer, FlatBufferError, Table

EVERYTHING = {
    0: files.i8(-3), 1: files.u32(2**32 - 1), 3: files.f32(0.5), 4: files.u64(2**63),
    5: "naïve", 6: files.ints([1, -2, 3]), 7: {0: files.i32(7)}, 8: [{0: "a"}, {0: "b"}],
    9: b"bytes", 10: files.u8(1),
}  # fmt: skip


def root(content: bytes) -> Table:
    return FlatBuffer(memoryview(content), b"TFL3").root()


def read_all(table: Table) -> None:
    """Follows every field of ``EVERYTHING`` as what it was written as."""
    table.integer(0, "i8")
    table.integer(4, "u64")
    table.real(3)
    table.text(5)
    table.integers(6)
    inner = table.table(7)
    if inner is not None:
        inner.integer(0)
    for part in table.tables(8, 10, "parts"):
        part.text(0)
    table.span(9)


def test_every_kind_of_field_comes_back() -> None:
    table = root(files.flatbuffer(EVERYTHING))
    assert table.integer(0, "i8") == -3
    assert table.integer(1, "u32") == 2**32 - 1
    assert table.real(3) == 0.5
    assert table.integer(4, "u64") == 2**63
    assert table.text(5) == "naïve"
    assert table.integers(6) == (1, -2, 3)
    inner = table.table(7)
    assert inner is not None
    assert inner.integer(0) == 7
    assert [part.text(0) for part in table.tables(8, 2, "parts")] == ["a", "b"]
    start, count = table.span(9)
    assert bytes(table.buffer.content[start : start + count]) == b"bytes"
    assert table.flag(10)


def test_absent_fields_have_their_default() -> None:
    table = root(files.flatbuffer({0: files.i8(1)}))
    assert table.integer(5, default=4) == 4
    assert table.real(5, 0.25) == 0.25
    assert table.text(5) == ""
    assert table.table(5) is None
    assert table.tables(5, 1, "parts") == []
    assert table.numbers(5) is None
    assert table.integers(5) == ()
    assert table.span(5) == (0, 0)
    assert not table.flag(5)


def test_a_vector_is_a_copy() -> None:
    content = bytearray(files.flatbuffer({0: files.ints([5])}))
    numbers = root(bytes(content)).numbers(0)
    assert numbers is not None
    assert numbers.flags.owndata
    assert numbers.tolist() == [5]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x08\0\0\0TFL2" + bytes(16)])
def test_what_has_another_identifier_is_refused(content: bytes) -> None:
    with pytest.raises(FlatBufferError, match="identifier"):
        FlatBuffer(memoryview(content), b"TFL3")


@given(at=st.integers(8, 300), value=st.integers(0, 2**32 - 1))
def test_any_damaged_number_is_refused_or_read_within_the_file(at: int, value: int) -> None:
    content = bytearray(files.flatbuffer(EVERYTHING))
    struct.pack_into("<I", content, min(at, len(content) - 4), value)
    try:
        read_all(root(bytes(content)))
    except FlatBufferError as error:
        assert str(error)  # noqa: PT017 - reading on is right too


@given(end=st.integers(0, 300))
def test_any_cut_is_refused_or_read_within_the_file(end: int) -> None:
    content = files.flatbuffer(EVERYTHING)[:end]
    try:
        read_all(root(content))
    except FlatBufferError as error:
        assert str(error)  # noqa: PT017 - only padding may be missing


def test_a_vector_longer_than_the_file_is_refused_before_it_is_read() -> None:
    content = bytearray(files.flatbuffer({0: np.zeros(4, np.int32)}))
    table = root(bytes(content))
    at = table.buffer.offset(table.place(0))
    struct.pack_into("<I", content, at, 2**32 - 1)
    with pytest.raises(FlatBufferError, match="longer than the file"):
        root(bytes(content)).numbers(0)


@pytest.mark.parametrize(
    ("limit", "read", "message"),
    [
        ("tables_left", lambda table: table.tables(8, 10, "parts"), "tables"),
        ("numbers_left", lambda table: table.integers(6), "numbers"),
        ("text_left", lambda table: table.text(5), "text"),
    ],
)
def test_what_one_reading_may_follow_is_bounded(
    limit: str, read: Callable[[Table], Any], message: str
) -> None:
    table = root(files.flatbuffer(EVERYTHING))
    setattr(table.buffer, limit, 1)
    with pytest.raises(FlatBufferError, match=message):
        read(table)


def test_a_vector_of_too_many_tables_and_a_long_text_are_refused() -> None:
    table = root(files.flatbuffer({0: [{}, {}, {}], 1: "x" * (_flatbuffer.LONGEST_TEXT + 1)}))
    with pytest.raises(FlatBufferError, match="more than 2 parts"):
        table.tables(0, 2, "parts")
    with pytest.raises(FlatBufferError, match="characters"):
        table.text(1)
