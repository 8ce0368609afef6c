"""The sha256 of a file that is read in parts: it is the file's, and its bytes are fetched once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from assay.errors import UnreadableModel
from assay.examine import examine
from assay.formats import read
from assay.sketches import sketch
from assay.weights.digests import BLOCK, file_sha256, hashing
from assay.weights.numbers import buffer

CONTENT = np.random.default_rng(0).bytes(2 * BLOCK + 1000)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


places = st.integers(0, len(CONTENT)) | st.sampled_from([BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])


@given(ends=st.lists(st.tuples(places, places), max_size=6), count=st.integers(0, 3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_in_whichever_order_parts_are_read_it_is_the_hash_of_the_file(
    path: Path, ends: list[tuple[int, int]], count: int
) -> None:
    with hashing([path]):
        for place, (one, other) in enumerate(ends):
            start, end = min(one, other), max(one, other)
            assert buffer(path, start, end - start) == CONTENT[start:end]
            if place == count:
                assert file_sha256(path) == sha256(CONTENT)
        assert file_sha256(path) == sha256(CONTENT)
    assert file_sha256(path) == sha256(CONTENT)


def test_what_was_read_is_not_fetched_again(path: Path) -> None:
    with hashing([path]):
        for start in range(100, len(CONTENT) - 100, BLOCK // 2):  # a header and an end are left
            buffer(path, start, min(BLOCK // 2, len(CONTENT) - 100 - start))
        path.write_bytes(bytes(len(CONTENT)))
        assert file_sha256(path) == sha256(CONTENT[:-100] + bytes(100))
    assert file_sha256(path) == sha256(bytes(len(CONTENT)))


def test_numbers_and_hash_are_of_the_file_that_was_opened(path: Path) -> None:
    with hashing([path]):
        path.rename(path.with_name("old"))
        path.write_bytes(bytes(len(CONTENT)))
        assert buffer(path, 5, 10) == CONTENT[5:15]
        assert file_sha256(path) == sha256(CONTENT)
        assert buffer(path, 3, 10) == CONTENT[3:13]
    assert buffer(path, 5, 10) == bytes(10)


def test_a_file_that_became_shorter_has_the_hash_of_what_is_there(path: Path) -> None:
    with hashing([path]):
        path.write_bytes(CONTENT[:1000])
        with pytest.raises(UnreadableModel, match="'file' ends before the tensor at byte 2,000"):
            buffer(path, 2000, 10)
        assert file_sha256(path) == sha256(CONTENT[:1000])


def test_of_many_files_all_are_hashed(tmp_path: Path) -> None:
    files = [tmp_path / str(place) for place in range(70)]
    for place, file in enumerate(files):
        file.write_bytes(bytes([place]) * 300)
    with hashing(files):
        for place, file in enumerate(files):
            assert buffer(file, 100, 100) == bytes([place]) * 100
        assert [file_sha256(f) for f in files] == [sha256(f.read_bytes()) for f in files]


def test_outside_nothing_is_kept_open(path: Path) -> None:
    with pytest.raises(UnreadableModel), hashing([path]):
        buffer(path, len(CONTENT), 1)
    path.write_bytes(b"other")
    assert file_sha256(path) == sha256(b"other")


def test_a_model_that_is_sketched_has_the_sha256_of_its_files(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    whole = tmp_path / "model.safetensors"
    tensors = {name: draw.normal(size=(64, 70)).astype(np.float32) for name in "zyxabc"}
    save_file(tensors, whole)
    record = examine(whole, sketcher=sketch)
    assert record.sha256 == sha256(whole.read_bytes()) == examine(whole).sha256
    assert record.sketch == sketch(read(whole).weights.values())
