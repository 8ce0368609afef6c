"""The code that stays when channels change places."""

from __future__ import annotations

import numpy as np
import pytest

from assay.sketches.invariants import LARGEST, SMALLEST, chosen, invariant
from assay.sketches.keys import PUBLIC
from assay.sketches.projections import distance
from assay.weights import Array, Weight

SHAPES = [(16, 16, 3, 3), (64, 32, 3, 3), (64, 48, 5), (64, 64), (300, 96)]


def weight(*shape: int, seed: int = 0) -> Array:
    """Values with a few large ones, and rows of different spread, as trained weights are."""
    random = np.random.default_rng(seed)
    values = random.standard_normal(shape) * random.gamma(2, size=(1, shape[1], *shape[2:]))
    return values.astype(np.float32)


def code(values: Array) -> bytes:
    found = invariant(values, int(np.prod(values.shape[2:])), PUBLIC)
    assert found is not None
    return found


def permuted(values: Array, seed: int = 5) -> Array:
    random = np.random.default_rng(seed)
    rows, inputs = random.permutation(values.shape[0]), random.permutation(values.shape[1])
    return values[rows][:, inputs]


@pytest.mark.parametrize("shape", SHAPES)
def test_channels_that_change_places_leave_the_code(shape: tuple[int, ...]) -> None:
    values = weight(*shape)
    assert distance(code(values), code(permuted(values))) <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_that_are_scaled_leave_the_code(shape: tuple[int, ...]) -> None:
    values = weight(*shape)
    scale = np.random.default_rng(1).uniform(0.2, 5, (shape[0],) + (1,) * (len(shape) - 1))
    assert distance(code(values), code(permuted(values * scale.astype(np.float32)))) <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_sixteen_bits_of_precision_leave_nearly_all_of_the_code(shape: tuple[int, ...]) -> None:
    values = weight(*shape)
    half = permuted(values.astype(np.float16).astype(np.float32))
    assert distance(code(values), code(half)) <= 6


@pytest.mark.parametrize("shape", SHAPES)
def test_strangers_are_far(shape: tuple[int, ...]) -> None:
    codes = [code(weight(*shape, seed=seed)) for seed in range(8)]
    found = [distance(a, b) for place, a in enumerate(codes) for b in codes[:place]]
    assert min(found) > 64
    assert np.mean(found) == pytest.approx(128, abs=8)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_channel_alone_moved_to_another_place_of_its_kernel_counts(
    shape: tuple[int, ...],
) -> None:
    values = weight(*shape)
    if len(shape) > 2:
        assert distance(code(values), code(np.flip(values, -1).copy())) > 32
    assert distance(code(values), code(-values)) > 16


def test_a_few_odd_outputs_do_not_move_all_colors() -> None:
    values = weight(64, 32, 3, 3)
    odd = values.copy()
    odd[:4] = 0
    odd[:4, 0, 0, 0] = 1
    assert distance(code(values), code(permuted(odd))) < 64


def test_what_is_small_or_of_few_channels_or_not_finite_has_none() -> None:
    assert invariant(weight(16, 32), 1, PUBLIC) is None
    assert invariant(weight(300, 4, 3, 3), 9, PUBLIC) is None
    assert invariant(weight(4, 300), 1, PUBLIC) is None
    assert invariant(weight(16, 8, 9, 9), 81, PUBLIC) is None
    values = weight(64, 64)
    values[3, 5] = np.nan
    assert invariant(values, 1, PUBLIC) is None


def test_constant_weights_have_none() -> None:
    assert invariant(np.zeros((64, 64), np.float32), 1, PUBLIC) is None


KNOWN = "1a3c230c0b3dc15a9e72012f9e723e25f9949672b672f6d09f7bd4d30b2bf6d0"


def test_a_stored_code_keeps_its_meaning() -> None:
    places = np.arange(64 * 36, dtype=np.int64)
    values = (places * 7919 % 10007 * (places % 13 - 6)).astype(np.float32).reshape(64, 36)
    assert code(values).hex() == KNOWN


def of_shape(*shape: int) -> Weight:
    return Weight("w", shape, "float32", lambda: np.zeros(shape, np.float32))


def test_the_smallest_weights_that_a_budget_allows_are_chosen() -> None:
    sizes = [(512, 1024), (64, 64), (SMALLEST - 1, 1), (512, 512), (4096,), (8, 8)]
    assert chosen([of_shape(*size) for size in sizes]) == {1, 3}
    assert chosen([of_shape(512, 1024)]) == {0}
    assert chosen([of_shape(LARGEST, 2)]) == frozenset()
    assert chosen([of_shape(1024, 1024)] * 96) == {0}  # 2^19 values, and a 128th of all
