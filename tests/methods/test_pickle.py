"""The reader of pickles: the same plain values as Python's, and nothing that is executed."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any

import pytest
from hostile.archives import CANARY
from hostile.pickles import CALLS, call, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.containers.pickle_opcodes import Entries, Known, Name, Node, Pickled, Span
from assay.containers.pickled_tensors import CONSTRUCTORS
from assay.containers.sources import InMemory
from assay.errors import UnreadableModel

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.text(max_size=20)
    | st.floats(allow_nan=False) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def loaded(content: bytes) -> Any:
    return Pickled(InMemory(content), Known(CONSTRUCTORS)).load()


def plain(value: Any) -> Any:
    """What was read, with dictionaries for their pairs."""
    if isinstance(value, Entries):
        return {key: plain(inner) for key, inner in value}
    if isinstance(value, list | tuple):
        return type(value)(plain(inner) for inner in value)
    return value


@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    assert plain(loaded(pickle.dumps(value, protocol))) == value


def test_an_ordered_dictionary_keeps_its_order() -> None:
    value = collections.OrderedDict([("b", 1), ("a", 2)])
    assert loaded(pickle.dumps(value)) == [("b", 1), ("a", 2)]


@pytest.mark.parametrize("opcode", CALLS)
def test_what_would_be_called_stays_inert(opcode: bytes, tmp_path: Path) -> None:
    value = loaded(whole(call(tmp_path, opcode)))
    assert isinstance(value, Node)
    assert value.name == "builtins.open"
    assert value.parts[:2] == (str(tmp_path / CANARY), "w")
    assert not (tmp_path / CANARY).exists()


def test_the_canary_sings_where_it_is_executed(tmp_path: Path) -> None:
    pickle.loads(whole(call(tmp_path))).close()  # noqa: S301 - shows that the canary bites
    assert (tmp_path / CANARY).exists()


def test_a_class_is_a_name() -> None:
    assert loaded(pickle.dumps(Path)) == Name("pathlib.Path")


def test_a_long_text_stays_in_the_file() -> None:
    content = pickle.dumps(b"x" * 5000)
    value = loaded(content)
    assert isinstance(value, Span)
    assert content[value.start : value.start + value.length] == b"x" * 5000


def test_a_key_is_never_hashed() -> None:
    pair = b")"
    for _ in range(200):  # its hash would take 2^200 steps
        pair += b"2\x86"
    assert len(loaded(whole(b"}" + pair + b"Ns"))) == 1


def test_several_pickles_follow_each_other() -> None:
    stream = Pickled(InMemory(pickle.dumps("one") + pickle.dumps([2])), Known({}))
    assert [stream.load(), stream.load()] == ["one", [2]]


def test_state_of_an_object_is_kept() -> None:
    value = loaded(whole(b"cshop\nCounter\n)\x81}X\1\0\0\0nK\3sb"))
    assert (value.name, value.state) == ("shop.Counter", [("n", 3)])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(content: bytes) -> None:
    try:
        loaded(b"\x80\x04" + content)
    except UnreadableModel as error:
        assert str(error)  # noqa: PT017 - both outcomes are right, and a third is none


@given(data=st.data(), value=PLAIN)
def test_a_changed_byte_is_read_or_refused(data: st.DataObject, value: Any) -> None:
    content = bytearray(pickle.dumps({"a": [value], "b": (value, value)}))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    try:
        loaded(bytes(content))
    except UnreadableModel as error:
        assert str(error)  # noqa: PT017 - as above


@pytest.mark.parametrize(
    "content", [b"", b".", b"(", b"(.", b"N", b"e.", b"}Ns.", b"h\0.", b"\x86."]
)
def test_what_has_no_value_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableModel):
        loaded(content)
