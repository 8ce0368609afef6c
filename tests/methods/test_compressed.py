"""Compressed files: what is unpacked is what the standard library unpacks."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.containers.compressed import unpacked
from assay.containers.sources import InMemory
from assay.errors import UnreadableModel

KINDS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def whole(content: bytes) -> bytes:
    source = unpacked(InMemory(content))
    return source.read(0, source.size)


@pytest.mark.parametrize("compress", KINDS.values(), ids=KINDS)
@given(parts=st.lists(st.binary(max_size=100_000), min_size=1, max_size=5))
def test_streams_one_behind_the_other_are_one_file(
    compress: Callable[[bytes], bytes], parts: list[bytes]
) -> None:
    assert whole(b"".join(map(compress, parts))) == b"".join(parts)


def test_a_stream_that_ends_with_a_block_is_followed_by_the_next() -> None:
    sizes = chain(range(65_000, 66_000, 7), [2**16 - 18, 2**16 - 23, 2**16])
    for size in sizes:
        first = gzip.compress(bytes(size), compresslevel=0)
        assert len(whole(first + gzip.compress(b"end"))) == size + 3


def test_zeros_behind_the_last_stream_are_padding() -> None:
    assert whole(gzip.compress(b"weights") + bytes(512)) == b"weights"


def test_streams_without_end_are_refused() -> None:
    with pytest.raises(UnreadableModel, match="100,000 compressed streams"):
        whole(gzip.compress(b"") * 100_001)
