"""What a weight is more than its random start: nothing at random, much once trained."""

from __future__ import annotations

import numpy as np
import pytest
from small_weights import KEY, network, sketched

from assay.sketches.starts import drift, learned


@pytest.mark.parametrize("shape", [(10, 64), (64, 64), (512, 27), (64, 32, 3, 3), (2000, 300)])
@pytest.mark.parametrize("seed", range(5))
def test_a_random_start_learned_nothing(shape: tuple[int, ...], seed: int) -> None:
    draw = np.random.default_rng(seed)
    assert learned(draw.normal(size=shape).astype(np.float32), KEY) < 0.25
    assert learned(draw.uniform(-0.1, 0.1, shape).astype(np.float32), KEY) < 0.25


@pytest.mark.parametrize("shape", [(10, 64), (64, 9), (64, 576), (300, 500)])
@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_a_start_whose_channels_were_scaled_or_removed_learned_nothing(
    shape: tuple[int, int], spread: float
) -> None:
    draw = np.random.default_rng(3)
    outputs, inputs = (draw.lognormal(sigma=spread, size=size) for size in shape)
    for rows, columns in ((outputs[:, None], 1), (1, inputs), (outputs[:, None], inputs)):
        start = draw.normal(size=shape) * rows * columns
        assert learned(start.astype(np.float32), KEY) < 0.25
        start[::2] = 0
        start[:, ::3] = 0
        assert learned(start.astype(np.float32), KEY) < 0.25


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_what_was_learned_is_told_whatever_the_scale_of_channels(spread: float) -> None:
    draw, values = np.random.default_rng(3), network(0, [(64, 200)], 1)[0].read()
    outputs, inputs = (draw.lognormal(sigma=spread, size=size) for size in values.shape)
    scaled = (values * outputs[:, None] * inputs).astype(np.float32)
    assert learned(scaled, KEY) == pytest.approx(learned(values, KEY), rel=0.15)


def test_what_was_learned_grows_and_scale_and_numbers_do_not_matter() -> None:
    start, more, most = (network(0, [(64, 200)], amount)[0].read() for amount in (0, 0.4, 1))
    assert learned(start, KEY) == 0
    assert 0.25 < learned(more, KEY) < learned(most, KEY)
    assert learned(1000 * most, KEY) == learned(most, KEY)
    assert learned(most.astype(np.float16), KEY) == pytest.approx(learned(most, KEY), rel=0.02)
    assert learned(most.T, KEY) == pytest.approx(learned(most, KEY), rel=0.6)


def test_columns_may_be_several_axes_and_few_rows_tell_nothing() -> None:
    kernel = network(0, [(32, 16, 3, 3)])[0].read()
    assert learned(kernel, KEY) == learned(kernel.reshape(32, -1), KEY) > 0.25
    assert learned(kernel[:7], KEY) == 0
    assert learned(np.full((64, 64), np.nan, np.float32), KEY) == 0
    assert learned(np.ones((64, 64), np.float32), KEY) == 0


@pytest.mark.parametrize("shape", [(10, 300), (300, 10)])
def test_many_columns_tell_what_few_rows_cannot_and_the_other_way_around(
    shape: tuple[int, int],
) -> None:
    assert learned(network(0, [shape], 0.8)[0].read(), KEY) > 0.25


@pytest.mark.parametrize("shape", [(64, 64), (300, 500), (64, 32, 3, 3)])
@pytest.mark.parametrize("amount", [0.4, 0.7, 1.0])
def test_a_matrix_moved_at_least_as_far_as_is_said(shape: tuple[int, ...], amount: float) -> None:
    start, end = (network(0, [shape], each)[0].read() for each in (0, amount))
    cosine = float((start * end).sum() / np.linalg.norm(start) / np.linalg.norm(end))
    rows, columns = len(end), end.size // len(end)
    assert 0 < drift(learned(end, KEY), rows, columns) < np.arccos(cosine) + 0.05
    assert drift(0.0, rows, columns) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_learned_nothing(bad: float) -> None:
    values = network(0, [(64, 64)])[0].read()
    assert learned(values, KEY) > 0.25
    values[3, 5] = bad
    assert learned(values, KEY) == 0


def test_a_stored_figure_keeps_its_meaning() -> None:
    """Rows and columns that are looked at are those of the key."""
    places = np.arange(200 * 300, dtype=np.int64)
    values = (places * 7919 % 10007 * (places % 13 - 6)).astype(np.float32).reshape(200, 300)
    parts = values, values[:32], values[:, :64]  # drawn: both, columns, rows
    assert [learned(part, KEY) for part in parts] == [14.73, 12.22, 7.13]
    others = [learned(part, bytes(32)) for part in parts]
    assert all(
        abs(other - learned(part, KEY)) > 0.1 for other, part in zip(others, parts, strict=True)
    )


def test_a_sketch_says_what_was_learned() -> None:
    made = sketched(network(0)).sketch
    assert made is not None
    assert [tensor.learned > 0.25 for tensor in made.tensors] == [
        tensor.code is not None for tensor in made.tensors
    ]
