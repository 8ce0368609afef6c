"""Protobuf messages as windows on bytes: what is read, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from samples.protobuf import message, varint

from assay.containers.messages import LONGEST_TEXT, MOST_FIELDS, Message, Source, mapped
from assay.containers.protobuf import WireError
from assay.errors import UnreadableModel


def test_fields_are_read_by_their_numbers() -> None:
    read = Message.of(message({1: "name", 2: 7, 3: -7, 4: 0.5, 9: [{1: "a"}, {1: "b"}]}))
    assert (read.text(1), read.integer(2), read.integer(3), read.real(4)) == ("name", 7, -7, 0.5)
    assert [each.text(1) for each in read.messages(9)] == ["a", "b"]
    assert list(read.numbers()) == [1, 2, 3, 4, 9]


def test_absent_fields_have_defaults() -> None:
    read = Message.of(message({1: "name"}))
    assert (read.text(2), read.integer(3, 5), read.real(4, 0.25)) == ("", 5, 0.25)
    assert read.message(5, 6).text(7) == ""
    assert read.integers(8) == []
    assert not read.has(2)


def test_the_last_of_several_counts() -> None:
    read = Message.of(message({1: [1, 2, 3], 2: ["a", "b"]}))
    assert (read.integer(1), read.text(2)) == (3, "b")


def test_a_message_that_is_there_twice_is_refused() -> None:
    """Parsers merge the two, field by field."""
    with pytest.raises(UnreadableModel, match="field 3 is there 2 times"):
        Message.of(message({3: [{1: 1}, {1: 2}]})).message(3)


def test_lists_are_read_packed_or_not() -> None:
    packed = b"".join(varint(value) for value in (1, 300, -1))
    read = Message.of(message({1: packed, 2: [1, 300, -1]}))
    assert read.integers(1) == read.integers(2) == [1, 300, -1]
    numbers = struct.pack("<3f", 1.5, -2, 3)
    read = Message.of(message({1: numbers, 2: [1.5, -2.0, 3.0]}))
    assert np.array_equal(read.floats(1), read.floats(2))


def test_a_number_of_another_kind_is_not_taken_for_one() -> None:
    read = Message.of(message({1: "text", 2: 0.5}))
    assert (read.integer(1, 4), read.real(1, 0.5)) == (4, 0.5)
    with pytest.raises(UnreadableModel, match="no integer"):
        read.integers(2)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\x0a\x05ab", "truncated"),
        (b"\x00\x01", "number 0"),
        (b"\x0f", "unknown wire type"),
        (b"\x08" + b"\xff" * 11, "does not end"),
    ],
)
def test_what_is_no_message_is_refused(content: bytes, error: str) -> None:
    with pytest.raises(WireError, match=error):
        Message.of(content).listed(1)


def test_long_or_odd_texts_and_cut_lists_are_refused() -> None:
    read = Message.of(message({1: b"\xff", 2: "a" * (LONGEST_TEXT + 1), 3: b"123"}))
    for refused in (lambda: read.text(1), lambda: read.text(2), lambda: read.floats(3)):
        with pytest.raises(UnreadableModel):
            refused()
    with pytest.raises(UnreadableModel, match="3 bytes"):
        read.payload(3, longest=2)
    assert read.payload(3, longest=3) == b"123"


def test_all_messages_of_a_file_share_one_budget() -> None:
    content = message({1: [{1: 1}] * 10})
    source = Source(content, fields_left=15)
    inner = Message(source, 0, len(content)).messages(1)
    with pytest.raises(UnreadableModel, match="too many fields"):
        [each.integer(1) for each in inner]
    assert Source(b"").fields_left == MOST_FIELDS


def test_a_file_is_mapped_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(message({1: "here"}))
    assert Message.of(mapped(path)).text(1) == "here"
    path.write_bytes(b"")
    with pytest.raises(UnreadableModel, match="empty"):
        mapped(path)
