"""What every index owes, found by its file: it answers exactly as the naive one does."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay.errors import BadOption, SchemeMismatch
from assay.indexes import INDEXES
from assay.indexes.naive import Naive
from assay.values import HashCode, Match

WIDTHS = [2, 3, 8, 9, 12, 16, 20, 32]  # bytes of a digest: 16 to 256 bits, also broken words
KEYS = st.integers(-3, 12) | st.sampled_from([-(2**63), 2**63 - 1])


def code(digest: bytes) -> HashCode:
    return HashCode("test", digest)


def digests(width: int) -> st.SearchStrategy[bytes]:
    """Of few different bytes, so that many distances are equal, 0 and the largest among them."""
    return st.lists(st.sampled_from([0, 1, 255]), min_size=width, max_size=width).map(bytes)


@st.composite
def histories(draw):
    """A width, and what happens to an index: (key, digest) is added, (key, None) removed."""
    width = draw(st.sampled_from(WIDTHS))
    return width, draw(st.lists(st.tuples(KEYS, digests(width) | st.none()), max_size=30))


def live_through(index, history):
    for key, digest in history:
        if digest is None:
            index.remove(key)
        else:
            index.add(key, code(digest))
    return index


@pytest.mark.parametrize("name", INDEXES)
@given(
    history=histories(),
    query=digests(max(WIDTHS)),
    k=st.none() | st.integers(0, 35),
    radius=st.none() | st.integers(-1, 300),
    where=st.none() | st.lists(KEYS) | st.sets(KEYS),
)
@example((2, [(1, b"\0\0"), (0, b"\0\0")]), bytes(32), 1, None, None)  # a tie: the smaller key
@example((32, [(1, b"\xff" * 32)]), bytes(32), None, None, None)  # 256 bits apart
def test_answers_exactly_as_the_naive_index(name, history, query, k, radius, where):
    width, events = history
    index, judge = live_through(INDEXES[name](), events), live_through(Naive(), events)
    answer = index.search(code(query[:width]), k, radius, where)
    assert answer == judge.search(code(query[:width]), k, radius, where)
    assert len(index) == len(judge)


@pytest.mark.parametrize("name", INDEXES)
def test_nearest_come_first_and_ties_by_key(name):
    index = live_through(INDEXES[name](), [(9, b"\x03"), (7, b"\x01"), (4, b"\x02"), (5, b"\xff")])
    assert index.search(code(b"\0"), k=3) == [Match(1, 4), Match(1, 7), Match(2, 9)]


@pytest.mark.parametrize("name", INDEXES)
def test_radius_counts_its_own_distance(name):
    index = live_through(INDEXES[name](), [(1, b"\x01"), (2, b"\x03"), (3, b"\x07")])
    assert index.search(code(b"\0"), radius=2) == [Match(1, 1), Match(2, 2)]
    assert index.search(code(b"\x07"), radius=0) == [Match(0, 3)]
    assert index.search(code(b"\0"), radius=-1) == []


@pytest.mark.parametrize("name", INDEXES)
def test_only_keys_of_where_are_looked_at(name):
    index = live_through(INDEXES[name](), [(key, bytes([key])) for key in range(5)])
    assert index.search(code(b"\0"), k=1, where={3, 4, 99}) == [Match(1, 4)]
    assert index.search(code(b"\0"), where=[]) == []


@pytest.mark.parametrize("name", INDEXES)
def test_second_code_of_a_key_replaces_the_first(name):
    index = live_through(INDEXES[name](), [(1, b"\0"), (1, b"\xff")])
    assert len(index) == 1
    assert index.search(code(b"\0")) == [Match(8, 1)]


@pytest.mark.parametrize("name", INDEXES)
def test_removed_key_is_found_no_more_and_may_come_back(name):
    index = live_through(INDEXES[name](), [(1, b"\0"), (2, b"\x01"), (1, None), (3, None)])
    assert index.search(code(b"\0")) == [Match(1, 2)]
    index.add(1, code(b"\xff"))
    assert index.search(code(b"\0")) == [Match(1, 2), Match(8, 1)]


@pytest.mark.parametrize("name", INDEXES)
def test_empty_index_finds_nothing(name):
    index = INDEXES[name]()
    index.remove(1)
    assert len(index) == 0
    assert index.search(code(b"\0"), k=10, radius=3, where=[1]) == []


@pytest.mark.parametrize("other", [HashCode("other", b"\0"), HashCode("test", b"\0\0")])
@pytest.mark.parametrize("name", INDEXES)
def test_code_of_another_scheme_or_length_is_refused(name, other):
    index = live_through(INDEXES[name](), [(1, b"\0")])
    with pytest.raises(SchemeMismatch, match="test"):
        index.add(2, other)
    with pytest.raises(SchemeMismatch, match="test"):
        index.search(other)
    assert index.search(code(b"\0")) == [Match(0, 1)]
    index.remove(1)
    with pytest.raises(SchemeMismatch, match="test"):  # the scheme stays when nothing is left
        index.search(other)


@pytest.mark.parametrize("name", INDEXES)
def test_negative_k_is_refused(name):
    with pytest.raises(BadOption, match="-1"):
        INDEXES[name]().search(code(b"\0"), k=-1)
