"""Tasks made of a data set: parts of it, its pictures turned, inverted, shifted or joined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_data import labels, pixels

from assay.errors import BadData
from assay.running.examples import Examples
from assay.zoo import datasets


def sample(count: int = 8) -> Examples:
    return Examples(pixels(count, 1, 4, 4) / 255, labels(count, 4), name="sample")


def test_halves_share_no_example() -> None:
    first, second = datasets.halves(sample(), 1)
    rows = [row.tobytes() for half in (first, second) for row in half.inputs]
    assert (len(first), len(second), len(set(rows))) == (4, 4, 8)


def test_shuffled_labels_are_as_many_of_each_class() -> None:
    known, other = sample(40), datasets.shuffled_labels(sample(40), 1)
    assert sorted(other.known_labels) == sorted(known.known_labels)
    assert (other.known_labels != known.known_labels).any()
    assert np.array_equal(other.inputs, known.inputs)
    assert datasets.shuffled_labels(sample(40), 1).digest == other.digest


def test_inverted_pictures_keep_their_range_and_turn_back() -> None:
    known, other = sample(), datasets.inverted(sample())
    assert (known.inputs + other.inputs).std() < 1e-6
    assert [other.inputs.min(), other.inputs.max()] == [known.inputs.min(), known.inputs.max()]
    assert np.allclose(datasets.inverted(other).inputs, known.inputs)


def test_shifted_copies_are_the_picture_elsewhere() -> None:
    known = sample()
    more = datasets.shifted(known, 2, most=1)
    count, side = len(known), known.inputs.shape[2]
    assert len(more) == 3 * count
    assert np.array_equal(more.inputs[:count], known.inputs)
    assert np.array_equal(more.known_labels[count:], np.tile(known.known_labels, 2))
    for copy, picture in zip(more.inputs[count:], np.tile(known.inputs, (2, 1, 1, 1)), strict=True):
        places = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        inner = copy[:, 1:-1, 1:-1]
        assert any(
            np.array_equal(inner, picture[:, 1 + d : side - 1 + d, 1 + r : side - 1 + r])
            for d, r in places
        )
    assert datasets.shifted(known, 2, most=1).digest == more.digest


def test_rotated_pictures_are_turned() -> None:
    known = sample()
    assert np.array_equal(datasets.rotated(known).inputs[0, 0], np.rot90(known.inputs[0, 0]))
    assert datasets.rotated(known, 4).digest == known.digest


def test_only_some_classes_are_labelled_anew() -> None:
    chosen = datasets.only_classes(sample(), (3, 1))
    assert chosen.known_labels.tolist() == [1, 0, 1, 0]
    assert np.array_equal(chosen.inputs, sample().inputs[[1, 3, 5, 7]])
    for classes in ((1, 1), (1, 9)):
        with pytest.raises(BadData, match="classes"):
            datasets.only_classes(sample(), classes)


def test_half_turned_pictures_have_classes_of_their_own() -> None:
    known, other = sample(), datasets.half_turned(sample())
    assert np.array_equal(other.inputs[::2], known.inputs[::2])
    assert np.array_equal(other.inputs[1::2], datasets.rotated(known).inputs[1::2])
    assert (other.known_labels - known.known_labels).tolist() == [0, known.classes] * 4
    with pytest.raises(BadData, match="pictures of 2 x 4 do not fit when turned"):
        datasets.half_turned(replace(known, inputs=known.inputs[..., :2, :]))


def test_joined_tasks_keep_their_classes_apart() -> None:
    known = sample()
    other = datasets.only_classes(known, (3, 1))
    both = datasets.joined([known, other])
    assert both.classes == known.classes + 2
    assert both.known_labels[: len(known)].tolist() == known.known_labels.tolist()
    assert np.array_equal(both.inputs[len(known) :], other.inputs)
    with pytest.raises(BadData, match="inputs of different shapes"):
        datasets.joined([known, replace(known, inputs=known.inputs[..., :2])])
