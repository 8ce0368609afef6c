"""The code of a matrix: what it ignores, what it estimates, and that every machine finds it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.errors import BadOption
from assay.sketches import projections
from assay.sketches.keys import PUBLIC, scheme, signs
from assay.sketches.projections import (
    DENSE,
    Projection,
    angle,
    cosines,
    distance,
    grid,
    projected,
    projected_finely,
)
from assay.weights import Array

SECRET = bytes(range(32))
SHAPES = [(16, 16), (10, 205), (20, 103), (18, 115), (3, 700), (1100, 2), (64, 576), (333, 4099)]


def matrix(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def code(values: Array, key: bytes = SECRET) -> bytes:
    found = projected(values, key)
    assert found is not None
    return found


@pytest.mark.parametrize("shape", [(20, 40), (64, 576), (333, 4099)])
@pytest.mark.parametrize("amount", [0.0, 0.001, 0.01, 0.1])
def test_sums_tell_small_angles_that_bits_do_not(shape: tuple[int, int], amount: float) -> None:
    values, other = matrix(*shape), matrix(*shape, seed=1)
    found = [projected_finely(each, SECRET) for each in (values, values + amount * other)]
    one, two = (each.sums for each in found if each)
    assert len(one) == 64
    assert angle(one, two) == angle(two, one) == pytest.approx(amount, rel=0.4, abs=2e-4)


@pytest.mark.parametrize("shape", [(20, 40), (64, 576), (333, 4099)])
@pytest.mark.parametrize("cosine", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_cells_tell_weak_likeness(shape: tuple[int, int], cosine: float) -> None:
    values, other = matrix(*shape), matrix(*shape, seed=1)
    mixture = cosine * values + (1 - cosine**2) ** 0.5 * other
    found = [projected_finely(each.astype(np.float32), SECRET) for each in (values, mixture)]
    one, two = (np.frombuffer(each.cells, np.int8).reshape(1, 256) for each in found if each)
    (((told,),), ((counting,),)), back = cosines(one, two, shape), cosines(two, one, shape)
    assert told == pytest.approx(cosine, abs=4 / 16 * (1 - cosine**2) + 0.001)
    assert 200 < counting <= 256
    assert (told, counting) == (back[0].item(), back[1].item())


def test_where_few_columns_have_most_of_the_energy_fewer_cells_count() -> None:
    loud = np.where(np.arange(576) % 16 < 2, 100, 1).astype(np.float32)
    both, one = (
        [projected_finely(matrix(64, 576, seed=s) * scale, SECRET) for s, scale in enumerate(pair)]
        for pair in ((loud, loud), (loud, np.float32(1)))
    )

    def counting(pair: Sequence[Projection | None]) -> float:
        cells = (np.frombuffer(p.cells, np.int8).reshape(1, 256) for p in pair if p)
        return float(cosines(*cells, (64, 576))[1][0, 0])

    assert counting(both) < 100
    assert counting(one) > 200


def test_a_scheme_names_the_key_and_does_not_tell_it() -> None:
    assert scheme(PUBLIC) == "projection-256@public+s2"
    assert scheme(SECRET) == "projection-256@630dcd29+s2"
    with pytest.raises(BadOption, match="a key of 3 bytes: a sketch's key has 32"):
        scheme(b"abc")


def test_signs_are_those_of_the_key_the_purpose_and_the_sizes() -> None:
    drawn = signs(SECRET, "test", 100, 100)
    assert set(np.unique(drawn)) == {-1, 1}
    assert abs(int(drawn.sum())) < 500  # five standard deviations
    others = [signs(PUBLIC, "test", 100, 100), signs(SECRET, "other", 100, 100)]
    others.append(signs(SECRET, "test", 50, 200).reshape(100, 100))
    for other in others:
        assert abs(int((drawn * other).sum())) < 500


@pytest.mark.parametrize("shape", SHAPES)
def test_strangers_are_half_the_bits_away_and_another_key_gives_another_code(
    shape: tuple[int, int],
) -> None:
    first, second = matrix(*shape), matrix(*shape, seed=1)
    assert distance(code(first), code(first)) == 0
    assert 70 < distance(code(first), code(second)) < 186
    assert 70 < distance(code(first), code(first, PUBLIC)) < 186


@pytest.mark.parametrize("shape", SHAPES)
def test_scaled_rows_and_shifted_rows_and_columns_leave_the_code(shape: tuple[int, int]) -> None:
    values = matrix(*shape)
    random = np.random.default_rng(2)
    scaled = values * random.uniform(0.2, 5, (shape[0], 1)).astype(np.float32)
    assert distance(code(values), code(scaled)) <= 1  # a sum near 0 may round to the other side
    shifted = values + random.standard_normal((shape[0], 1), dtype=np.float32)
    assert distance(code(values), code(shifted)) <= 1
    unit = values - values.mean(1, keepdims=True)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    moved = unit + random.standard_normal((1, shape[1]), dtype=np.float32) * 1e-4
    assert distance(code(unit), code(moved)) <= 3


@pytest.mark.parametrize("exponent", [-100, 60])
def test_very_small_and_very_large_weights_have_the_code_of_usual_ones(exponent: int) -> None:
    for shape in SHAPES:
        values = matrix(*shape)
        assert code(np.ldexp(values, exponent)) == code(values)


@pytest.mark.parametrize("shape", [(20, 50), (64, 64), (300, 700)])
@pytest.mark.parametrize("cosine", [0.9, 0.5])
def test_the_distance_tells_the_angle(shape: tuple[int, int], cosine: float) -> None:
    found = []
    for seed in range(20):
        values, noise = matrix(*shape, seed=seed), matrix(*shape, seed=seed + 100)
        near = cosine * values + math.sqrt(1 - cosine**2) * noise
        found.append(distance(code(values), code(near)))
    expected = 256 * math.acos(cosine) / math.pi
    assert np.mean(found) == pytest.approx(expected, abs=5)


def naive(values: Array, key: bytes) -> bytes:
    """The sums of cells by loops, each with the signs of its pairs."""
    rows, columns = values.shape
    a, b = grid(rows, columns)
    half = (columns + 1) // 2
    across = signs(key, f"columns {rows}x{columns}", a, half)
    down = signs(key, f"rows {rows}x{columns}", -(-rows // (2 * a)), a, b)
    folded = np.zeros((rows + rows % 2, b))
    for row in range(len(folded)):
        for pair in range(half):
            left, right = values[row % rows, pair], values[row % rows, columns - half + pair]
            folded[row, pair % b] += across[row // 2 % a, pair] * (float(left) - float(right))
    unit = folded / np.linalg.norm(folded, axis=1, keepdims=True)
    sums = np.zeros((a, b))
    for pair in range(len(unit) // 2):
        group, block = pair % a, pair // a
        sums[group] += down[block, group] * (unit[2 * pair] - unit[2 * pair + 1])
    return np.packbits(sums.reshape(-1) > 0).tobytes()


@pytest.mark.parametrize("shape", [(18, 115), (3, 700), (700, 5), (33, 64), (101, 131)])
def test_the_fast_sums_are_the_naive_ones(shape: tuple[int, int]) -> None:
    values = matrix(*shape)
    assert distance(code(values), naive(values, SECRET)) <= 1


@pytest.mark.parametrize("rows", range(2, 60))
def test_no_cell_is_empty(rows: int) -> None:
    for columns in range(DENSE // rows + 1, DENSE // rows + 40):
        a, b = grid(rows, columns)
        assert a * b == 256
        assert a <= (rows + 1) // 2
        assert b <= (columns + 1) // 2


@pytest.mark.parametrize("at_once", [1, 1 << 12, 1 << 22])
def test_the_size_of_blocks_does_not_matter(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [code(matrix(*shape)) for shape in SHAPES]
    monkeypatch.setattr(projections, "_AT_ONCE", at_once)
    assert [code(matrix(*shape)) for shape in SHAPES] == codes


def test_the_order_in_memory_does_not_matter() -> None:
    values = matrix(96, 40, 3, 3)
    view = np.asfortranarray(values)
    assert code(view) == code(values) == code(values.reshape(96, -1))


@pytest.mark.parametrize("shape", [*SHAPES, (4097, 35), (515, 700), (34, 9001)])
def test_a_matrix_that_lies_by_columns_has_the_same_bits_and_sums(shape: tuple[int, int]) -> None:
    values = matrix(*shape)
    within = np.zeros((shape[1] + 4, shape[0] + 3), np.float32)
    within[2:-2, 1:-2] = values.T
    expected = projected_finely(values, SECRET)
    assert projected_finely(np.asfortranarray(values), SECRET) == expected
    assert projected_finely(within[2:-2, 1:-2].T, SECRET) == expected


def test_values_that_are_no_numbers_give_no_code() -> None:
    for shape in [(20, 20), (100, 300)]:
        for bad in (np.nan, np.inf, -np.inf):
            values = matrix(*shape)
            values[7, 11] = bad
            assert projected(values, SECRET) is None


def test_silent_cells_take_bits_that_differ_between_strangers() -> None:
    codes = []
    for seed in range(2):
        values = matrix(64, 576, seed=seed)
        values[:, 32:] = 0  # 9 of 10 columns are pruned
        codes.append(code(values))
    assert code(values) == codes[1]
    assert 80 < distance(*codes) < 176


KNOWN = {
    (20, 50): "484bcb6c2193819a43a7e62047955103ed3c855534eaa2d0392a74a4f54c653a",
    (64, 576): "bf79452f030e88fbe519e589a4a8ba35605b46a2e89d071870c76225e54e6c88",
}


def made(rows: int, columns: int) -> Array:
    """Values that need no random generator."""
    places = np.arange(rows * columns, dtype=np.int64)
    return ((places * 7919 % 10007) * (places % 13 - 6)).astype(np.float32).reshape(rows, columns)


@pytest.mark.parametrize(("shape", "known"), KNOWN.items())
def test_a_stored_code_keeps_its_meaning(shape: tuple[int, int], known: str) -> None:
    assert code(made(*shape), PUBLIC).hex() == known


PROGRAM = """
import numpy as np
from assay.sketches.invariants import invariant
from assay.sketches.keys import PUBLIC
from assay.sketches.projections import projected_finely
for shape in [(30, 60), (64, 576), (257, 4099), (3000, 24)]:
    values = np.random.default_rng(3).standard_normal(shape, dtype=np.float32)
    found = projected_finely(values, PUBLIC)
    print(found.code.hex(), found.cells.hex(), invariant(values, 1, PUBLIC).hex())
"""


def printed(**settings: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(assay.__file__).parents[1])} | settings
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_neither_threads_nor_instructions_of_the_processor_matter() -> None:
    one = printed(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    assert len(one) > 500
    assert printed(OMP_NUM_THREADS="4", OPENBLAS_NUM_THREADS="4") == one
    plain = {"OPENBLAS_CORETYPE": "Prescott"}
    dispatched = np._core._multiarray_umath.__cpu_dispatch__  # type: ignore[attr-defined]
    assert printed(NPY_DISABLE_CPU_FEATURES=" ".join(dispatched), **plain) == one


def test_a_large_weight_is_not_copied() -> None:
    values = matrix(2048, 8192)  # 64 MiB
    views = [values, values.reshape(32, 64, 16, 512).transpose(3, 2, 0, 1)]
    for view in views:
        tracemalloc.start()
        code(view)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 24 * 2**20
