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


NAMED = [
    f"c{module}\n{name}\n".encode()
    for module, _, name in (n.rpartition(".") for n in [*sorted(CONSTRUCTORS), "builtins.open"])
]
PLAIN_STEPS = [bytes([code]) for code in b"()]}.NR0129abdelostu\x81\x85\x86\x87\x88\x90\x92"]
STEPS = st.one_of(
    st.sampled_from(PLAIN_STEPS),
    st.sampled_from(NAMED),
    st.sampled_from([b"q\0", b"q\1", b"h\0", b"h\1"]),
    st.integers(0, 255).map(lambda value: bytes([ord("K"), value])),
    st.binary(max_size=9).map(lambda text: b"X" + len(text).to_bytes(4, "little") + text),
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=500)
@given(steps=st.lists(STEPS, max_size=40))
def test_any_steps_are_a_value_or_refused(steps: list[bytes]) -> None:
    try:
        loaded(whole(b"".join(steps)))
    except UnreadableModel as error:
        assert str(error)  # noqa: PT017 - both outcomes are right, and a third is none


CALLS_OF_KNOWN = st.tuples(
    st.sampled_from(NAMED),
    st.lists(
        st.sampled_from([b"N", b"K\3", b")", b"]", b"}", b"(K\2K\3t", b"X\1\0\0\0f"]), max_size=8
    ),
    st.sampled_from([b"", b"}b", b"Nb", b"(K\1K\2tb", b"(K\1K\2K\3K\4K\5K\6tb"]),
).map(lambda call: call[0] + b"(" + b"".join(call[1]) + b"tR" + call[2])


@given(body=CALLS_OF_KNOWN)
def test_a_known_constructor_takes_any_arguments_or_refuses_them(body: bytes) -> None:
    try:
        loaded(whole(body))
    except UnreadableModel as error:
        assert str(error)  # noqa: PT017 - as above


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
