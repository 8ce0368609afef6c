"""The scan: borders of blocks, ties at the bound, merges, arrays of the caller's, threads."""

import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assay.errors import BadOption
from assay.indexes.naive import Naive
from assay.indexes.scan import Scan
from assay.values import HashCode, Match

ZERO = HashCode("test", bytes(8))


def code(bits: int) -> HashCode:
    """The 64-bit code with the lowest ``bits`` bits set: that far from ZERO."""
    return HashCode("test", ((1 << bits) - 1).to_bytes(8))


def words_of(codes: list[HashCode]) -> np.ndarray:
    """Of 64-bit codes, (n, 1)."""
    return np.frombuffer(b"".join(code.digest for code in codes), np.uint64).reshape(-1, 1)


def scan_of(distances: list[int]) -> Scan:
    """Keys 0, 1, 2 … at these distances from ZERO, in the caller's arrays."""
    codes = [code(distance) for distance in distances]
    return Scan.from_arrays("test", 64, np.arange(len(codes)), words_of(codes))


def best(distances: list[int], k: int) -> list[Match]:
    return sorted(Match(distance, key) for key, distance in enumerate(distances))[:k]


events = st.lists(st.tuples(st.integers(0, 15), st.none() | st.integers(0, 4)), max_size=60)


@settings(max_examples=300)
@example(  # replacing the last old code merges just before the new one is put in its place
    events=[(1, 0), (0, 0), (1, 0)], before=[0], block=1, tail=3, k=9, where=None
)
@given(
    events=events,
    before=st.lists(st.integers(0, 4), max_size=16),
    block=st.integers(1, 20),
    tail=st.integers(1, 5),
    k=st.integers(0, 20),
    where=st.none() | st.sets(st.integers(0, 17)),
)
def test_small_blocks_and_many_merges_change_no_answer(events, before, block, tail, k, where):
    scan, judge = scan_of(before), Naive()
    scan.block, scan.tail = block, tail
    for key, distance in enumerate(before):
        judge.add(key, code(distance))
    for key, distance in events:
        for index in scan, judge:
            if distance is None:
                index.remove(key)
            else:
                index.add(key, code(distance))
        assert len(scan) == len(judge)
    assert scan.search(ZERO, k, where=where) == judge.search(ZERO, k, where=where)


@pytest.mark.parametrize("k", [1, 10, 999, 1000, 1001])
@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000, 1024, 1025])
def test_borders_of_blocks(n, k):
    distances = [(key * 37) % 64 for key in range(n)]
    scan = scan_of(distances)
    scan.block = 64
    assert scan.search(ZERO, k) == best(distances, k)


@pytest.mark.parametrize("block", [1, 7, 512, 65_536])
def test_among_equal_distances_the_smallest_keys_win(block):
    scan = scan_of([5] * 5000)
    scan.block = block
    assert scan.search(ZERO, k=10) == [Match(5, key) for key in range(10)]


def test_every_block_may_be_better_than_the_last():
    distances = [64 - key // 100 for key in range(6400)]
    scan = scan_of(distances)
    scan.block = 100
    assert scan.search(ZERO, k=150) == best(distances, 150)


def test_recent_code_wins_a_tie_by_its_key():
    scan = Scan.from_arrays("test", 64, np.array([10, 20]), words_of([code(3), code(3)]))
    scan.add(15, code(3))
    assert scan.search(ZERO, k=2) == [Match(3, 10), Match(3, 15)]


@pytest.mark.parametrize("bits", [192, 256, 512])
def test_distances_of_long_codes_do_not_wrap(bits):
    scan = Scan()
    scan.add(1, HashCode("test", b"\xff" * (bits // 8)))
    assert scan.search(HashCode("test", bytes(bits // 8))) == [Match(bits, 1)]


@pytest.mark.parametrize("make", [list, set, np.array, lambda keys: np.array(keys, np.int32)])
def test_where_takes_any_collection(make):
    scan = scan_of([4, 3, 2, 1])
    assert scan.search(ZERO, where=make([2, 9, 0, 2])) == [Match(2, 2), Match(4, 0)]


def test_where_spans_all_keys():
    low, high = -(2**63), 2**63 - 1
    scan = Scan.from_arrays("test", 64, np.array([low, high]), words_of([code(1), code(2)]))
    assert scan.search(ZERO, where=[low, high]) == [Match(1, low), Match(2, high)]


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1])
def test_key_past_64_bits_is_refused_and_nothing_changes(key):
    scan = scan_of([1])
    scan.add(1, code(2))
    scan.add(2, code(3))
    with pytest.raises(OverflowError):
        scan.add(key, ZERO)
    assert scan.search(ZERO) == [Match(1, 0), Match(2, 1), Match(3, 2)]


def test_threads_search_at_once():
    random = np.random.default_rng(0)
    words = random.integers(0, 2**64, size=(300_000, 1), dtype=np.uint64)
    scan = Scan.from_arrays("test", 64, np.arange(len(words)), words)
    queries = [HashCode("test", random.bytes(8)) for _ in range(16)]
    alone = [scan.search(query, 10) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda query: scan.search(query, 10), queries)) == alone


# the caller's arrays


def test_arrays_are_used_in_place_and_may_be_read_only():
    keys, words = np.arange(3), words_of([code(3), code(2), code(1)])
    keys.flags.writeable = words.flags.writeable = False
    scan = Scan.from_arrays("test", 64, keys, words)
    assert np.shares_memory(scan.arrays()[0], keys)
    assert np.shares_memory(scan.arrays()[1], words)


def test_arrays_are_let_go_when_most_codes_were_removed():
    words = words_of([code(key) for key in range(10)]).copy()
    scan = Scan.from_arrays("test", 64, np.arange(10), words)
    memory = weakref.ref(words)
    del words
    for key in range(5):
        scan.remove(key)
    assert memory() is not None
    scan.remove(5)
    assert memory() is None
    assert scan.search(ZERO, k=1) == [Match(6, 6)]


def test_file_that_is_mapped_stays_as_it_is(tmp_path):
    path = tmp_path / "words.npy"
    np.save(path, words_of([code(3), code(2), code(1)]))
    before = path.read_bytes()
    scan = Scan.from_arrays("test", 64, np.arange(3), np.load(path, mmap_mode="r"))
    scan.remove(0)
    scan.add(1, code(9))
    scan.add(7, code(8))
    assert scan.search(ZERO) == [Match(1, 2), Match(8, 7), Match(9, 1)]
    assert path.read_bytes() == before


@given(st.data())
def test_what_is_exported_is_an_index_again(data):
    width = data.draw(st.sampled_from([2, 8, 12, 32]))
    digest = st.binary(min_size=width, max_size=width)
    codes = data.draw(st.dictionaries(st.integers(-9, 9), digest, min_size=1))
    scan = Scan(tail=3)
    for key, value in codes.items():
        scan.add(key, HashCode("test", value))
    keys, words = scan.arrays()
    assert keys.tolist() == sorted(codes)
    padded = [codes[key] + bytes(-width % 8) for key in sorted(codes)]
    assert [row.tobytes() for row in words] == padded
    query = HashCode("test", data.draw(digest))
    for layout in words, np.ascontiguousarray(words):
        again = Scan.from_arrays("test", 8 * width, keys, layout)
        assert again.search(query) == scan.search(query)


def test_removed_codes_are_not_exported():
    scan = scan_of([1, 2, 3, 4])
    scan.remove(2)
    keys, words = scan.arrays()
    assert keys.tolist() == [0, 1, 3]
    assert (words == words_of([code(1), code(2), code(4)])).all()


def test_exported_arrays_stay_as_they_were():
    scan = scan_of([1, 2, 3])
    keys, words = scan.arrays()
    scan.remove(0)
    scan.add(1, code(60))
    scan.add(9, code(61))
    assert scan.arrays()[0].tolist() == [1, 2, 9]
    assert keys.tolist() == [0, 1, 2]
    assert (words == words_of([code(1), code(2), code(3)])).all()
    assert not keys.flags.writeable
    assert not words.flags.writeable


def test_keys_in_any_order_are_sorted():
    keys, words = np.array([5, 3, 4]), words_of([code(5), code(3), code(4)])
    scan = Scan.from_arrays("test", 64, keys, words)
    assert scan.search(ZERO) == [Match(3, 3), Match(4, 4), Match(5, 5)]
    assert keys.tolist() == [5, 3, 4]


@pytest.mark.parametrize(
    ("bits", "keys", "words"),
    [
        (64, np.array([1, 1]), np.zeros((2, 1), np.uint64)),  # a key twice
        (64, np.array([2, 1, 2]), np.zeros((3, 1), np.uint64)),
        (64, np.array([1, 2]), np.zeros((3, 1), np.uint64)),  # not as many words as keys
        (64, np.array([1, 2]), np.zeros((2, 2), np.uint64)),  # too many words a code
        (72, np.array([1, 2]), np.zeros((2, 1), np.uint64)),  # too few
        (60, np.array([1, 2]), np.zeros((2, 1), np.uint64)),  # not whole bytes
        (0, np.array([1, 2]), np.zeros((2, 0), np.uint64)),
        (64, np.array([1, 2]), np.zeros((2, 1), np.int64)),
        (64, np.array([1, 2], np.int32), np.zeros((2, 1), np.uint64)),
    ],
)
def test_arrays_that_are_no_codes_are_refused(bits, keys, words):
    with pytest.raises(BadOption, match=r"key|word"):
        Scan.from_arrays("test", bits, keys, words)
