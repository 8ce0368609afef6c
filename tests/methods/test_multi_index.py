"""Multi-index hashing where its tables are used, which the contract's small indexes never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.indexes.multi_index import MultiIndex
from assay.indexes.naive import Naive
from assay.indexes.scan import Scan
from assay.values import HashCode


@st.composite
def scenes(draw: st.DrawFn) -> tuple[int, list[tuple[int, bytes]], list[int], bytes]:
    """Bytes of a digest, codes by key, keys that go, a query: few values, so that ties abound."""
    size = draw(st.sampled_from([1, 2, 3, 8, 16]))
    digest = st.lists(st.sampled_from([0, 1, 3, 0xFF]), min_size=size, max_size=size).map(bytes)
    entries = draw(st.lists(st.tuples(st.integers(0, 40), digest), min_size=1, max_size=30))
    gone = draw(st.lists(st.integers(0, 40), max_size=5))
    return size, entries, gone, draw(digest)


@given(scene=scenes(), k=st.none() | st.integers(0, 12), radius=st.none() | st.integers(-1, 70))
def test_tables_answer_as_naive_does(
    scene: tuple[int, list[tuple[int, bytes]], list[int], bytes], k: int | None, radius: int | None
) -> None:
    _, entries, gone, query = scene
    index, naive = MultiIndex(fewest=0, share=1e9), Naive()
    half = len(entries) // 2
    for place, (key, digest) in enumerate(entries):
        if place == half:
            index.search(HashCode("s", query))  # makes tables; what follows is a change to them
        for one in (index, naive):
            one.add(key, HashCode("s", digest))
    for key in gone:
        for one in (index, naive):
            one.remove(key)
    code = HashCode("s", query)
    assert index.search(code, k, radius) == naive.search(code, k, radius)
    assert len(index) == len(naive)


@pytest.mark.parametrize("share", [0.0, 0.02, 1e9])
def test_many_codes_are_found_as_a_scan_finds_them(share: float) -> None:
    random = np.random.default_rng(0)
    words = random.integers(0, 2**64, (5_000, 1), np.uint64)
    words[100:120, 0] = words[7, 0] ^ (np.uint64(1) << np.arange(20, dtype=np.uint64))
    keys = np.arange(5_000, dtype=np.int64)
    index = MultiIndex.from_arrays("s", 64, keys, words)
    index.fewest, index.share = 0, share
    scan = Scan.from_arrays("s", 64, keys, words)
    for row in (7, 100, 4_999):
        code = HashCode("s", words[row].tobytes())
        for k in (1, 10, 30, None):
            for radius in (0, 2, 5, None):
                assert index.search(code, k, radius) == scan.search(code, k, radius)


def test_what_changes_after_the_tables_were_made_is_seen() -> None:
    index = MultiIndex(fewest=0, share=1e9)
    for key in range(100):
        index.add(key, HashCode("s", key.to_bytes(8, "big")))
    near = HashCode("s", (5).to_bytes(8, "big"))
    assert index.search(near, 1)[0].key == 5
    index.remove(5)
    assert index.search(near, 1)[0].key == 1  # 101 and 001 differ in one bit, as do 100 and 111
    index.add(500, near)
    assert index.search(near, 1)[0].key == 500
