"""Tensors with long axes: matched in bounded time and memory, and found as small ones are."""

from __future__ import annotations

import numpy as np
import pytest

import assay.alignment.assignment as assignment
from assay.alignment import align
from assay.alignment.assignment import Products, assigned, matched
from assay.alignment.candidates import candidates, completed, fits
from assay.alignment.matrices import Array, equilibrated

WORDS, STREAM, HIDDEN = 4_200, 64, 256  # words × words are more similarities than are held


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def network(seed: int) -> dict[str, Array]:
    shapes = {"embedding": (WORDS, STREAM), "up": (HIDDEN, STREAM), "down": (STREAM, HIDDEN)}
    return {
        f"layer.{name}": normal(seed + place, *shape)
        for place, (name, shape) in enumerate(shapes.items())
    }


def changed(source: dict[str, Array]) -> dict[str, Array]:
    """Noise, and all words and channels in another order."""
    draw = np.random.default_rng(9)
    words, stream, hidden = (draw.permutation(size) for size in (WORDS, STREAM, HIDDEN))
    orders = {"embedding": (words, stream), "up": (hidden, stream), "down": (stream, hidden)}
    return {
        f"layer.{name}": (source[f"layer.{name}"] + 0.2 * normal(8, *sizes))[np.ix_(*order)]
        for name, order in orders.items()
        if (sizes := source[f"layer.{name}"].shape)
    }


def test_products_are_matched_as_if_all_were_held(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = normal(0, 70, 8), normal(1, 60, 8)
    whole = assigned(ours @ theirs.T)
    monkeypatch.setattr(assignment, "_BLOCK", 500)
    np.testing.assert_array_equal(matched(ours, theirs), whole)
    np.testing.assert_array_equal(assigned(Products(ours, theirs)), whole)


@pytest.mark.parametrize("shape", [(60, 60), (60, 40), (40, 60)])
def test_channels_that_are_all_alike_are_each_given_one(shape: tuple[int, int]) -> None:
    similarity = normal(0, *shape)
    similarity[: shape[0] // 2] = 0.5
    found = assigned(similarity)
    given = found[found >= 0]
    assert len(given) == len({*given.tolist()}) == min(shape)


def test_rows_that_are_all_alike_ask_no_more_often_than_is_allowed() -> None:
    asked = 0

    class Counting(Products):
        def __getitem__(self, rows: np.ndarray) -> Array:
            nonlocal asked
            asked += len(rows)
            return super().__getitem__(rows)

    rows = np.ones((400, 2), np.float32)
    found = assigned(Counting(rows, rows))
    assert sorted(found) == [*range(400)]
    assert asked <= 8 * 400


def test_no_columns_are_nobodys() -> None:
    np.testing.assert_array_equal(assigned(np.empty((3, 0), np.float32)), [-1, -1, -1])


def test_many_words_and_their_channels_are_put_back() -> None:
    source = network(0)
    suspect = changed(source)
    found = {each.source: each for each in align(suspect, source).tensors}
    assert all(tensor.after > 0.9 for tensor in found.values())
    assert found["layer.up"].log10_false_alarm < -50
    assert found["layer.embedding"].log10_searched > 10_000  # so many orders of words
    restored = found["layer.embedding"].applied(suspect["layer.embedding"])
    assert np.corrcoef(restored.ravel(), source["layer.embedding"].ravel())[0, 1] > 0.9


def test_strangers_with_many_words_are_no_evidence() -> None:
    assert all(each.log10_false_alarm > -1 for each in align(network(0), network(50)).tensors)


def test_what_tells_an_order_of_strangers_does_not_judge_it() -> None:
    ours, theirs = (equilibrated(normal(seed, 600, 600, 1)) for seed in (0, 1))
    for rows, columns, _ in candidates(ours, theirs):
        assert abs(fits(ours, theirs, rows, columns)) < 0.15


def test_a_candidate_is_completed() -> None:
    theirs = equilibrated(normal(0, 700, 300, 1))
    order = np.random.default_rng(1).permutation(700)
    ours = theirs[order]
    first = next(candidates(ours, theirs))
    assert 0 < (first[0] >= 0).sum() < 700
    rows, columns, searched = completed(ours, theirs, first)
    np.testing.assert_array_equal(rows, np.argsort(order))
    np.testing.assert_array_equal(columns, np.arange(300))
    assert searched == (0,)
