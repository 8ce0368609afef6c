"""Memristor crossbars: counts, levels, conductances, flaws, converters, area and power."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.crossbars import (
    Cell,
    Components,
    Converters,
    Counts,
    Crossbar,
    Flaws,
    column_sums_of,
    cost,
    dense,
    effective,
    flawed,
    largest_level,
    mapped,
    matrix,
    multiply,
    slices,
    tiled,
    tiled_mask,
)
from assay.errors import BadOption

SMALL = Crossbar(32, 32)
FINE = Converters(adc_bits=20, dac_bits=8, input_bits=12)


def levels(shape: tuple[int, ...], bits: int, seed: int = 0) -> np.ndarray:
    most = largest_level(bits)
    return np.random.default_rng(seed).integers(-most, most + 1, shape).astype(float)


def test_a_convolution_is_a_matrix_of_filters_and_columns() -> None:
    weight = np.arange(2 * 3 * 5 * 5).reshape(2, 3, 5, 5)
    assert matrix(weight).shape == (2, 75)
    assert (matrix(weight)[1] == weight[1].ravel()).all()


def test_lenet_5_takes_449_arrays_of_32_x_32_and_420_dense() -> None:
    layers = [(20, 25), (50, 500), (500, 800), (10, 500)]
    built = sum((tiled(*layer, SMALL) for layer in layers), Counts())
    assert built.tiles == 1 + 2 * 16 + 16 * 25 + 16
    assert built.cells == 430_500
    packed = dense(430_500, SMALL)
    assert packed.tiles == pytest.approx(420.41, abs=0.01)
    assert packed.rows == pytest.approx(packed.tiles * 32)


@given(st.integers(1, 70), st.integers(1, 90))
def test_a_full_mask_takes_what_a_full_matrix_takes(filters: int, columns: int) -> None:
    assert tiled_mask(np.ones((filters, columns)), SMALL) == tiled(filters, columns, SMALL)


def test_what_is_empty_is_not_built() -> None:
    mask = np.zeros((64, 100))
    mask[:, :40] = 1
    assert tiled_mask(mask, SMALL).tiles == 4  # two strips of 40 columns
    mask[32:, 8:] = 0
    assert tiled_mask(mask, SMALL).tiles == 3  # the other strip has 8
    mask[1:32] = 0
    assert tiled_mask(mask, SMALL).tiles == 3  # 33 are left: the last is a strip
    assert tiled_mask(np.zeros((4, 4)), SMALL) == Counts()


@pytest.mark.parametrize(
    ("bits", "most", "cells"), [(2, 1, 1), (5, 15, 1), (6, 31, 2), (9, 255, 2)]
)
def test_a_weight_is_a_sign_and_a_magnitude_in_cells(bits: int, most: int, cells: int) -> None:
    assert largest_level(bits) == most
    assert slices(bits, Cell()) == cells
    with pytest.raises(BadOption, match="two bits or more"):
        largest_level(1)


@pytest.mark.parametrize("bits", [3, 5, 6, 9])
def test_weights_come_back_from_conductances_within_the_cells_range(bits: int) -> None:
    weights = levels((7, 11), bits) * 0.03
    found = mapped(weights, 0.03, bits, Cell())
    assert np.allclose(effective(found), weights, atol=1e-12)
    for side, other, sign in (
        (found.positive, found.negative, 1),
        (found.negative, found.positive, -1),
    ):
        assert side.min() >= 1e-7 * (1 - 1e-9)
        assert side.max() <= 1e-6 * (1 + 1e-9)
        assert np.allclose(other[:, sign * weights > 0], 1e-7)
    assert np.allclose(
        effective(mapped(weights * 1000, 0.03, bits, Cell())),
        np.sign(weights) * 0.03 * largest_level(bits),
    )


def test_programming_misses_as_much_as_is_said() -> None:
    found = mapped(levels((200, 200), 5), 1.0, 5, Cell())
    for shape in ("normal", "lognormal"):
        noisy = flawed(found, Flaws(0.05, shape), np.random.default_rng(1))
        error = noisy.positive / found.positive - 1
        assert error.std() == pytest.approx(0.05, rel=0.03)
        assert abs(error.mean()) < 0.003
    assert np.array_equal(flawed(found, Flaws(), np.random.default_rng(1)).positive, found.positive)
    assert flawed(found, Flaws(2.0), np.random.default_rng(1)).positive.min() == 0


def test_as_many_cells_are_stuck_as_is_said() -> None:
    found = mapped(np.full((200, 200), 7.0), 1.0, 5, Cell())
    stuck = flawed(found, Flaws(stuck_on=0.02, stuck_off=0.09), np.random.default_rng(1)).positive
    assert (np.isclose(stuck, 1e-6)).mean() == pytest.approx(0.02, abs=0.003)
    assert (np.isclose(stuck, 1e-7)).mean() == pytest.approx(0.09, abs=0.006)
    assert np.isclose(stuck, found.positive).mean() == pytest.approx(0.89, abs=0.007)


@pytest.mark.parametrize("bits", [5, 9])
@pytest.mark.parametrize("dac_bits", [1, 3, 8])
def test_fine_converters_give_the_product(bits: int, dac_bits: int) -> None:
    weights, inputs = levels((9, 70), bits) * 0.1, np.random.default_rng(2).normal(size=(30, 70))
    largest = float(np.abs(inputs).max())
    fine = replace(FINE, dac_bits=dac_bits)
    found = mapped(weights, 0.1, bits, Cell())
    scale = column_sums_of(inputs, found, SMALL, fine, largest=largest)
    given = multiply(inputs, found, SMALL, fine, largest=largest, full_scale=scale)
    wanted = inputs @ weights.T
    assert np.abs(given - wanted).max() < 2e-3 * np.abs(wanted).max()


@pytest.mark.parametrize(("bits", "dac_bits", "cell"), [(5, 1, 4), (9, 2, 4), (6, 3, 2)])
def test_a_product_is_what_loops_over_cells_and_reads_give(
    bits: int, dac_bits: int, cell: int
) -> None:
    """Of 7 inputs on 3 rows: each read of each array is rounded by itself."""
    weights, inputs = levels((3, 7), bits), np.random.default_rng(5).normal(size=(2, 7))
    device, converters = Cell(bits=cell), Converters(6, dac_bits, 5)
    found, most = mapped(weights, 1.0, bits, device), 31
    scale = column_sums_of(inputs, found, Crossbar(3, 2), converters, largest=2.0)
    given = multiply(inputs, found, Crossbar(3, 2), converters, largest=2.0, full_scale=scale)
    wanted, largest = np.zeros((2, 3)), 0.0
    whole = np.clip(np.rint(inputs / 2 * most), -most, most).astype(int)
    for p, n, start, shift in product(range(2), range(3), (0, 3, 6), range(0, 5, dac_bits)):
        for sign, side, digit in product((1, -1), (1, -1), range(slices(bits, device))):
            total = 0.0
            for k in range(start, min(start + 3, 7)):
                level = max(side * int(weights[n, k]), 0) // 2 ** (cell * digit) % 2**cell
                pulse = max(sign * whole[p, k], 0) // 2**shift % 2**dac_bits
                total += pulse * (device.lowest + level * device.step)
            largest = max(largest, total)
            read = min(round(total / scale * 63), 63) * scale / 63
            wanted[p, n] += sign * side * 2**shift * 2 ** (cell * digit) * read
    assert largest == pytest.approx(scale)
    assert given == pytest.approx(wanted * 2 / most / device.step, rel=1e-4, abs=1e-4)


def test_fewer_bits_of_the_adc_are_coarser_and_more_rows_need_more_of_them() -> None:
    weights, inputs = levels((9, 256), 5), np.random.default_rng(2).random((40, 256))
    found, wanted = mapped(weights, 1.0, 5, Cell()), inputs @ weights.T

    def error(bits: int, rows: int) -> float:
        crossbar, converters = Crossbar(rows, 64), Converters(adc_bits=bits)
        scale = column_sums_of(inputs, found, crossbar, converters, largest=1.0)
        given = multiply(inputs, found, crossbar, converters, largest=1.0, full_scale=scale)
        return float(np.abs(given - wanted).mean())

    assert error(10, 128) < error(8, 128) < error(5, 128)
    assert error(6, 32) < error(6, 128)
    exact = multiply(inputs, found, SMALL, FINE, largest=1.0, full_scale=None)
    assert np.abs(exact - wanted).max() < 1e-2 * np.abs(wanted).max()


def test_the_sums_of_positive_and_negative_inputs_are_apart() -> None:
    weights, inputs = levels((3, 10), 5), np.full((1, 10), -0.5)
    found = mapped(weights, 1.0, 5, Cell())
    given = multiply(inputs, found, SMALL, FINE, largest=1.0, full_scale=None)
    assert np.allclose(given, inputs @ weights.T, rtol=1e-3, atol=1e-2)


def test_half_the_bits_are_half_the_arrays_and_more_than_half_of_the_area() -> None:
    counts = tiled(512, 4608, Crossbar())
    nine, five = (cost(counts, Crossbar(), bits) for bits in (9, 5))
    assert nine.number["adc"] == 4 * counts.tiles == 2 * five.number["adc"]
    assert nine.number["input_register"] == five.number["input_register"]
    assert 0.5 < five.area / nine.area < 0.6
    assert 0.5 < five.power / nine.power < 0.6
    assert five.area / nine.area != pytest.approx(five.power / nine.power, abs=0.01)


def test_one_place_of_128_x_64_costs_the_sum_of_its_parts_by_hand() -> None:
    """5 bits: two arrays, with their ADCs one shift-and-add, and one set of registers."""
    found = cost(tiled(64, 128, Crossbar()), Crossbar(), 5)
    array = 8192 * 0.0243 + 128 * 0.166 + 64 * 0.039 + 1200
    assert found.area * 1e6 == pytest.approx(2 * array + 60 + 128 * 2.05 + 64 * 6.0)  # µm²
    array = 8192 * 9.925e-9 + 128 * 3.9e-6 + 64 * 9.8e-9 + 2e-3
    assert found.power == pytest.approx(2 * array + 5e-5 + 128 * 1.21e-6 + 64 * 1.8e-6)


def test_area_is_of_whole_arrays_and_power_of_lines_in_use() -> None:
    full, few = (
        cost(tiled(64, 128, Crossbar()), Crossbar(), 5),
        cost(tiled(3, 7, Crossbar()), Crossbar(), 5),
    )
    assert few.area == full.area
    assert few.power < 0.1 * full.power
    none = cost(Counts(), Crossbar(), 5)
    assert none.area == none.power == 0


def test_each_component_counts_and_says_where_its_value_is_from() -> None:
    counts, made = tiled(512, 4608, Crossbar()), Components()
    before = cost(counts, Crossbar(), 9)
    for field in fields(made):
        component = getattr(made, field.name)
        assert component.source
        twice = replace(made, **{field.name: component.times(2, 2)})
        after = cost(counts, Crossbar(), 9, components=twice)
        assert after.area == pytest.approx(before.area + before.areas[field.name])
        assert after.power == pytest.approx(before.power + before.powers[field.name])


def test_what_cannot_be_is_refused() -> None:
    for make, says in (
        (lambda: Crossbar(0, 4), "holds nothing"),
        (lambda: Cell(on=1e7, off=1e6), "resistance must fall"),
        (lambda: Cell(bits=9), "1 to 8 bits"),
        (lambda: Flaws(-1), "spread"),
        (lambda: Flaws(stuck_on=0.7, stuck_off=0.6), "1 together"),
        (lambda: Flaws(shape="even"), "normal or lognormal"),  # type: ignore[arg-type]
        (lambda: Converters(adc_bits=0), "adc_bits"),
        (lambda: mapped(np.ones((2, 2)), 0.0, 5, Cell()), "above 0"),
    ):
        with pytest.raises(BadOption, match=says):
            make()
