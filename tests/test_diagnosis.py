"""What one tensor became: each change told by its kind and amount, and none that is not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from assay.diagnosis.numbers import stored_in, to_bfloat16
from assay.diagnosis.tensors import Change, change, low_rank
from assay.weights import Array

SHAPES = [(64, 200), (10, 64), (32, 16, 3, 3), (64, 1, 3, 3)]


def trained(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Values of many sizes, as weights have them."""
    draw = np.random.default_rng(seed)
    scale = draw.lognormal(sigma=0.5, size=(shape[0], *[1] * (len(shape) - 1)))
    return (0.05 * scale * draw.normal(size=shape)).astype(np.float32)


def on_grid(values: Array, bits: int, each: bool = True, signed: bool = True) -> Array:
    """Rounded to ``bits``, by a step for each output or one for all."""
    rows = values.reshape(len(values), -1)
    axis = 1 if each else None
    if signed:
        step = np.abs(rows).max(axis, keepdims=True) / (2 ** (bits - 1) - 1)
        return (np.rint(rows / step) * step).astype(np.float32).reshape(values.shape)
    low, high = (np.minimum(rows.min(axis, keepdims=True), 0), rows.max(axis, keepdims=True))
    step = (high - low) / (2**bits - 1)
    zero = np.rint(-low / step)
    return ((np.rint(rows / step + zero) - zero) * step).astype(np.float32).reshape(values.shape)


def pruned(values: Array, share: float) -> Array:
    limit = np.quantile(np.abs(values), share)
    return np.where(np.abs(values) > limit, values, 0).astype(np.float32)


def noisy(values: Array, amount: float, seed: int = 1) -> Array:
    draw = np.random.default_rng(seed)
    return (values + amount * values.std() * draw.normal(size=values.shape)).astype(np.float32)


# Numbers


@pytest.mark.parametrize("shape", SHAPES)
def test_values_that_lie_on_no_grid_are_what_they_are_stored_in(shape: tuple[int, ...]) -> None:
    values = trained(shape)
    assert str(stored_in(values)) == "float32"
    assert str(stored_in(values.astype(np.float16).astype(np.float32))) == "float16"
    assert str(stored_in(to_bfloat16(values))) == "bfloat16"


def test_bfloat16_is_rounded_half_to_even() -> None:
    torch = pytest.importorskip("torch")
    values = trained((100, 100))
    rounded = torch.from_numpy(values).to(torch.bfloat16).float().numpy()
    assert np.array_equal(to_bfloat16(values), rounded)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("signed", [True, False])
def test_a_grid_of_each_output_is_told_with_its_bits(
    shape: tuple[int, ...], bits: int, signed: bool
) -> None:
    found = stored_in(on_grid(trained(shape), bits, signed=signed))
    assert found.per == "output"
    assert int(found.name.removeprefix("int")) <= bits
    if np.prod(shape[1:]) > 100:
        assert found.name == f"int{bits}"


@pytest.mark.parametrize("bits", [4, 8])
def test_one_grid_of_all_values_is_told(bits: int) -> None:
    found = stored_in(on_grid(trained((64, 200)), bits, each=False))
    assert str(found) == f"int{bits} per tensor"


@pytest.mark.parametrize("group", [32, 128])
@pytest.mark.parametrize(("bits", "symmetric"), [(4, True), (4, False), (8, True)])
def test_a_grid_of_each_group_of_inputs_is_told(bits: int, symmetric: bool, group: int) -> None:
    values = trained((40, 256), 6).reshape(-1, group)
    low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
    step = np.maximum(-low, high) / 2 ** (bits - 1) if symmetric else (high - low) / (2**bits - 1)
    start = 0 if symmetric else low
    rounded = (np.rint((values - start) / step) * step + start).reshape(40, 256).astype(np.float32)
    found = stored_in(rounded)
    assert str(found) == f"int{bits} per group of {group}"
    assert change(values.reshape(40, 256), rounded).is_copy
    assert stored_in(values.reshape(40, 256)).name == "float32"


def test_clusters_lie_on_no_grid() -> None:
    values = trained((64, 200))
    centers = np.quantile(values, np.linspace(0.01, 0.99, 16)).astype(np.float32)
    near = centers[np.abs(values[..., None] - centers).argmin(-1)]
    assert str(stored_in(near)) == "16 clusters"
    few = pruned(trained((10, 64)), 0.95)  # 33 values are left, each of its own
    assert str(stored_in(few)) == "float32"


# What happened


ROUNDINGS: dict[str, tuple[Callable[[Array], Array], str]] = {
    "nothing": (lambda x: x, "float32"),
    "float16": (lambda x: x.astype(np.float16).astype(np.float32), "float16"),
    "bfloat16": (to_bfloat16, "bfloat16"),
    "int8": (lambda x: on_grid(x, 8), "int8 per output"),
    "int8, with zero points": (lambda x: on_grid(x, 8, signed=False), "int8 per output"),
    "int4": (lambda x: on_grid(x, 4), "int4 per output"),
    "folded and unfolded": (lambda x: (x * np.float32(1.7)) / np.float32(1.7), "float32"),
}


@pytest.mark.parametrize("name", ROUNDINGS)
def test_rounding_moves_nothing(name: str) -> None:
    rounding, numbers = ROUNDINGS[name]
    values = trained((64, 200))
    found = change(values, rounding(values))
    assert (found.numbers, found.is_copy, found.pruned) == (numbers, True, 0.0)
    assert found.unchanged > 0.99


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.95])
def test_pruning_is_told_with_its_share(shape: tuple[int, ...], share: float) -> None:
    values = trained(shape)
    found = change(values, pruned(values, share))
    assert found.is_copy
    assert found.of == "values"
    assert found.pruned == pytest.approx(share, abs=0.02)


def test_pruned_outputs_and_inputs_are_told_from_values() -> None:
    values = trained((64, 200))
    outputs, inputs = values.copy(), values.copy()
    outputs[::4] = 0
    inputs[:, ::5] = 0
    assert (change(values, outputs).of, change(values, outputs).pruned) == ("outputs", 0.25)
    assert (change(values, inputs).of, change(values, inputs).pruned) == ("inputs", 0.2)


def test_what_was_zero_before_was_not_pruned() -> None:
    values = pruned(trained((64, 200)), 0.5)
    assert change(values, values) == Change("float32", pytest.approx(1.0))
    assert change(values, pruned(values, 0.75)).pruned == pytest.approx(0.5, abs=0.01)


def test_pruned_and_rounded_are_both_told() -> None:
    values = trained((64, 200))
    found = change(values, on_grid(pruned(values, 0.5), 8))
    assert (found.numbers, found.of, found.is_copy) == ("int8 per output", "values", True)
    assert found.pruned == pytest.approx(0.5, abs=0.03)
    assert change(values, on_grid(values, 4)).pruned == 0.0  # zeros of rounding


@pytest.mark.parametrize("amount", [0.001, 0.1, 1.0])
def test_what_was_trained_on_has_moved_by_so_much(amount: float) -> None:
    values = trained((64, 200))
    found = change(values, noisy(values, amount))
    assert not found.is_copy
    assert found.rank is None
    assert found.moved == pytest.approx(amount, rel=0.1)
    assert found.cosine == pytest.approx(1 / (1 + amount**2) ** 0.5, abs=0.02)


def test_what_was_pruned_and_trained_on_is_both() -> None:
    values = trained((64, 200))
    mask = pruned(values, 0.7) != 0
    found = change(values, (noisy(values, 0.1) * mask).astype(np.float32))
    assert found.pruned == pytest.approx(0.7, abs=0.01)
    assert found.moved == pytest.approx(0.1, rel=0.5)


def test_what_was_trained_on_and_rounded_moved() -> None:
    values = trained((64, 200))
    found = change(values, on_grid(noisy(values, 0.2), 8))
    assert found.numbers == "int8 per output"
    assert found.moved == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize("rank", [1, 4, 8])
def test_a_merged_adapter_is_told_by_its_rank(rank: int) -> None:
    draw, values = np.random.default_rng(2), trained((64, 200))
    adapter = draw.normal(size=(64, rank)) @ draw.normal(size=(rank, 200))
    merged = values + 0.02 * adapter
    found = change(values, merged.astype(np.float32))
    assert found.rank == rank
    assert low_rank(draw.normal(size=(64, 200)).astype(np.float32)) is None
    assert low_rank(adapter[:8].astype(np.float32)) == (rank if rank <= 2 else None)


def test_a_stranger_has_moved_as_far_as_can_be() -> None:
    found = change(trained((64, 200)), trained((64, 200), seed=5))
    assert abs(found.cosine) < 0.05
    assert found.moved > 1.2
    assert found.unchanged < 0.01


@pytest.mark.parametrize("bits", [3, 4])
def test_a_twin_on_few_levels_is_no_copy(bits: int) -> None:
    """Where a step is wider than most values, 0 is where rounding puts them, whosever they are."""
    draw = np.random.default_rng(0)
    start, *apart = (draw.standard_t(4, size=(512, 512)) for _ in range(3))
    own, twin = ((start + 0.4 * each).astype(np.float32) for each in apart)
    rounded = on_grid(own, bits, each=False)
    assert change(own, rounded).is_copy
    assert change(rounded, own).is_copy  # the source may be the rounded one
    assert not change(twin, rounded).is_copy
    assert not change(rounded, twin).is_copy


def test_what_a_quantizer_cuts_off_is_a_copy() -> None:
    values = trained((64, 200))
    limit = np.quantile(np.abs(values), 0.995)
    assert change(values, on_grid(np.clip(values, -limit, limit), 8, each=False)).is_copy


def test_values_that_are_not_finite_are_said_and_nothing_breaks() -> None:
    values = trained((64, 200))
    wrong = values.copy()
    wrong[3, 5] = np.nan
    assert change(values, wrong).numbers == "not finite"
    assert not change(values, wrong).is_copy
    with pytest.raises(ValueError, match="tensors of shapes"):
        change(values, values[:5])


def test_json_has_only_what_happened() -> None:
    values = trained((64, 200))
    assert change(values, values).to_json() == {
        "numbers": "float32",
        "cosine": 1.0,
        "unchanged": 1.0,
    }
    told = change(values, pruned(values, 0.5)).to_json()
    assert (told["pruned"], told["of"]) == (0.5, "values")
