"""Protobuf text: read as protobuf's own parser reads it, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import text_format

from assay.containers.prototxt import MOST_DEPTH, Section, Word, parse
from assay.errors import UnreadableModel

FIXTURES = Path(__file__).parents[1] / "fixtures"


def same(section: Section, message: Any) -> None:
    """Every field of the message is in the section, and nothing else."""
    listed = {descriptor.name: value for descriptor, value in message.ListFields()}
    assert section.fields.keys() == listed.keys()
    for name, value in listed.items():
        descriptor = message.DESCRIPTOR.fields_by_name[name]
        values = list(value) if descriptor.is_repeated else [value]
        found = section.fields[name]
        assert len(found) == len(values), name
        for mine, theirs in zip(found, values, strict=True):
            if isinstance(mine, Section):
                same(mine, theirs)
            elif descriptor.enum_type is not None:
                assert mine == descriptor.enum_type.values_by_number[theirs].name
            elif isinstance(theirs, bytes):
                assert mine == theirs.decode("utf-8", "replace")
            elif isinstance(theirs, float):
                assert np.float32(str(mine)) == np.float32(theirs)
            else:
                assert mine == theirs


@pytest.mark.parametrize(
    "way", [{}, {"as_one_line": True}, {"use_short_repeated_primitives": True}]
)
def test_what_protobuf_writes_is_read_as_protobuf_reads_it(way: dict[str, bool]) -> None:
    model = onnx.load(str(FIXTURES / "caffe" / "residual.onnx"))
    same(parse(text_format.MessageToString(model, **way).encode()), model)


def test_numbers_are_whole_or_real_in_every_spelling() -> None:
    found = parse(b"a: 12 a: -0x1F a: 017 b: 1.5 b: -.5 b: 2e3 b: 3f b: inf b: -inf b: nan")
    assert found.integers("a") == [12, -31, 15]
    reals = found.reals("b")
    assert reals[:6] == [1.5, -0.5, 2000, 3, float("inf"), float("-inf")]
    assert np.isnan(reals[6])


def test_texts_have_escapes_and_are_joined() -> None:
    found = parse(b"""a: "x\\n\\x41\\101\\"" 'y' b: 'it"s' c: true c: False c: 0 d: MAX""")
    assert found.texts("a") == ['x\nAA"y']
    assert found.text("b") == 'it"s'
    assert [Section({"c": [value]}).flag("c") for value in found.fields["c"]] == [
        True,
        False,
        False,
    ]
    assert isinstance(found.fields["d"][0], Word)


def test_messages_are_written_in_four_ways_with_comments_between() -> None:
    found = parse(b"a { x: 1 } # one { \n a: { x: 2; } a < x: 3, > a: [1, 2] b: []")
    assert [each.integer("x") for each in found.sections("a")] == [1, 2, 3]
    assert found.fields["a"][3:] == [1, 2]
    assert found.section("nothing").integer("x", 7) == 7


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"a: {", "the text ends where a field's name"),
        (b"a: }", "'}' where a value"),
        (b"a { x: 1 >", "'>' where a field's name"),
        (b"a: 'x", "line 1 is no protobuf text"),
        (b"\n\na: @", "line 3 is no protobuf text"),
        (b"[ext]: 1", "' where a field's name"),
        (b"a: -'x'", "where a value should be"),
        (b"a: \xff", "no UTF-8"),
        (b"a{" * (MOST_DEPTH + 1), "nested more than"),
    ],
)
def test_what_is_no_message_is_refused(text: bytes, error: str) -> None:
    with pytest.raises(UnreadableModel, match=error):
        parse(text)


def test_a_field_of_another_kind_is_refused() -> None:
    found = parse(b"a: 'x' b: 1.5 c: 9223372036854775808")
    for name, read in (
        ("a", found.real),
        ("a", found.flag),
        ("b", found.integer),
        ("c", found.integer),
    ):
        with pytest.raises(UnreadableModel, match=f"'{name}' is no"):
            read(name)
