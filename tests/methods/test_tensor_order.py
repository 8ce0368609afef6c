"""Runs of tensor shapes: a part is told from a version of other depth."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.comparisons import tensor_order
from assay.comparisons.tensor_order import TensorOrder, runs
from assay.values import Record, Relation

METHOD = TensorOrder()
SMALL = [(3, 64, 128), (3, 64, 64), (3, 128, 128), (8, 512), (128, 512), (16, 258), (9, 129)]
OTHER = [(3, 65, 128), (3, 64, 65), (3, 128, 130), (8, 513), (128, 513), (16, 130), (9, 65)]


def record(listed: list[tuple[int, ...]]) -> Record:
    shapes = sorted({*listed})
    counted = tuple((each, listed.count(each)) for each in shapes)
    return Record("a", "onnx", shapes=counted, order=tuple(map(shapes.index, listed)))


def named(a: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> Relation | None:
    found = METHOD.compare(record(a), record(b))
    back = METHOD.compare(record(b), record(a))
    assert (found is None) == (back is None)
    if found is None or back is None:
        return None
    assert found.score == back.score
    return METHOD.relation(found)


@pytest.mark.parametrize(
    ("a", "b", "score"),
    [(SMALL, SMALL, 1.0), (SMALL, SMALL + OTHER, 0.6667), (SMALL + OTHER, OTHER + SMALL, 1.0)],
)
def test_a_part_and_parts_in_another_order_are_found(
    a: list[tuple[int, ...]], b: list[tuple[int, ...]], score: float
) -> None:
    assert named(a, b) is Relation.SAME_ARCHITECTURE
    evidence = METHOD.compare(record(a), record(b))
    assert evidence is not None
    assert evidence.score == score
    assert evidence.log10_false_alarm is None


def test_a_version_of_another_depth_is_no_part() -> None:
    """VGG-11 and VGG-19: all shapes of one are in the other, but not in a row."""
    ends = [(4096, 25088), (4096, 4096), (1000, 4096)]
    eleven = [(3, 64), (64, 128), (128, 256), (256, 256), (256, 512), *[(512, 512)] * 3]
    nineteen = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), *[(256, 256)] * 3]
    nineteen += [(256, 512), *[(512, 512)] * 7]
    eleven, nineteen = ([*((3, 3, *each) for each in both), *ends] for both in (eleven, nineteen))
    assert named(eleven, nineteen) is Relation.UNRELATED


def test_few_tensors_and_few_shapes_prove_nothing() -> None:
    assert named(SMALL[:5], SMALL) is None
    assert named(SMALL[:6], SMALL) is Relation.SAME_ARCHITECTURE
    assert named([(64, 64)] * 9, [(64, 64)] * 9) is Relation.UNRELATED
    assert named([*SMALL[:3]] * 3, [*SMALL[:3]] * 3) is Relation.UNRELATED
    assert named([*SMALL[:4]] * 2, [*SMALL[:4]] * 2) is Relation.SAME_ARCHITECTURE


def longest(a: str, b: str) -> int:
    """In plain Python."""
    parts = ((a[i:j], b) for i, j in product(range(len(a)), range(1, len(a) + 1)) if i < j)
    return max((len(part) for part, whole in parts if part in whole), default=0)


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_first_run_is_the_longest_and_none_overlap(a: str, b: str) -> None:
    found = runs(a, b, 1)
    assert (len(found[0]) if found else 0) == longest(a, b)
    assert all(run in a and run in b for run in found)
    for letter in "abc":
        used = sum(run.count(letter) for run in found)
        assert used == min(a.count(letter), b.count(letter))


def test_files_that_were_made_to_take_long_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_order, "_MOST_RUNS", 3)
    assert len(runs("abcdef", "fedcba", 1)) == 3
