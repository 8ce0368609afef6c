"""Hashes of exact values and where they are: what they outlive, and where there are none."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.sketches.fragments import KEPT, chosen, fragments, hashes_of
from assay.sketches.keys import PUBLIC
from assay.weights import Array, Weight

ROOT = Path(__file__).parents[1]
STORED = [3776384517696687, 4724395937723782]
SHAPES = [(64, 64), (300, 96), (32, 16, 3, 3), (64, 36), (10, 64), (1000, 40)]
SECRET = bytes(range(32))


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def kept(values: Array, key: bytes = SECRET) -> set[int]:
    return {*hashes_of(fragments(values, key))}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_order_of_rows_columns_and_axes_plays_no_part(shape: tuple[int, ...]) -> None:
    values, draw = drawn(*shape), np.random.default_rng(1)
    found = fragments(values, SECRET)
    assert found is not None
    assert len(found) == 8 * KEPT
    flat = values.reshape(len(values), -1)
    permuted = flat[draw.permutation(len(flat))][:, draw.permutation(flat.shape[1])]
    assert fragments(permuted, SECRET) == found
    turned = np.asfortranarray(np.moveaxis(values, 0, -1))
    assert fragments(np.moveaxis(turned, -1, 0), SECRET) == found


def test_hashes_are_those_that_were_stored_once() -> None:
    """Where they change, the scheme's version has to."""
    whole = np.frombuffer(hashlib.shake_128(b"values").digest(8 * 64 * 96), "<u4")
    values = np.subtract(*(whole.reshape(2, 64, 96) / 2.0**32)).astype(np.float32)
    found = hashes_of(fragments(values, PUBLIC))
    assert found == sorted(found)
    assert found[:2] == STORED
    assert kept(values).isdisjoint(found)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_values_are_known_again_where_other_rows_and_columns_are_gone(
    shape: tuple[int, ...],
) -> None:
    values, draw = drawn(*shape), np.random.default_rng(1)
    rows, columns = (draw.permutation(size)[: round(0.7 * size)] for size in shape[:2])
    assert len(kept(values) & kept(values[rows][:, columns])) >= KEPT // 8


def test_values_are_known_again_among_added_ones_and_without_small_ones() -> None:
    values, draw = drawn(64, 64), np.random.default_rng(1)
    wider = np.concatenate([values, draw.choice(values.reshape(-1), (64, 16))], axis=1)
    longer = np.concatenate([wider, np.zeros((16, 80), np.float32)])
    assert len(kept(values) & kept(longer)) >= KEPT // 3
    small = np.where(np.abs(values) > np.quantile(np.abs(values), 0.6), values, 0)
    known = kept(small)
    assert sum(each <= max(kept(values)) for each in known) == len(known & kept(values)) >= 16
    halves = [kept(half) for half in np.split(values, 2)]
    assert all(len(kept(values) & half) >= KEPT // 8 for half in halves)


def test_one_that_has_a_rows_or_a_columns_values_in_any_order_shares_none() -> None:
    """Whoever sorts his rows as the victim's are sorted has all of their values for little."""
    values, draw = drawn(64, 64), np.random.default_rng(1)
    assert kept(values).isdisjoint(kept(draw.permuted(values, axis=1)))
    assert kept(values).isdisjoint(kept(draw.permuted(values, axis=0)))


def test_there_are_none_where_few_values_are_all_that_counts() -> None:
    """They could be exchanged for little."""
    values = drawn(64, 64)
    values[:2] *= 300
    assert fragments(values, SECRET) is None
    assert fragments(drawn(64, 64) ** 9, SECRET) is None


def by_rows(steps: int) -> Callable[[Array], Array]:
    def quantized(values: Array) -> Array:
        scale = np.abs(values).max(1, keepdims=True) / steps
        return np.rint(values / scale) * scale

    return quantized


def in_blocks(kind: str) -> Callable[[Array], Array]:
    """As 8-bit blocks of llama.cpp are: 32 values with a scale."""

    def quantized(values: Array) -> Array:
        parts = values.reshape(len(values), -1, 32)
        scale = (np.abs(parts).max(2, keepdims=True) / 127).astype(kind).astype(np.float32)
        whole: Array = np.rint(parts / scale) * scale
        return whole.reshape(values.shape)

    return quantized


TELL_NOTHING: dict[str, Callable[[Array], Array]] = {
    "16 bits": lambda x: x.astype(np.float16),
    "bfloat16": lambda x: (x.view(np.uint32) >> 16 << 16).view(np.float32),
    "whole numbers": np.rint,
    "decimals": lambda x: np.round(x, 3),
    "8 bits": lambda x: np.rint(x * 40) / np.float32(40.1),
    "8 bits by rows": by_rows(127),
    "8 bits, other steps": lambda x: by_rows(127)(x) + np.abs(x).max(1, keepdims=True) / 254,
    "4 bits by rows": by_rows(7),
    "8 bits in blocks": in_blocks("float16"),
    "8 bits in blocks, scales of 32": in_blocks("float32"),
    "three values": lambda x: np.sign(np.where(np.abs(x) > 0.7, x, 0)) * np.abs(x).mean(),
    "clusters": lambda x: np.sort(drawn(16))[np.digitize(x, np.linspace(-2, 2, 15))],
    "clipped": lambda x: np.clip(x, -1, 1),
    "one scale": lambda x: x / np.abs(x).max(1, keepdims=True),
    "equal rows": lambda x: np.repeat(x[:1], len(x), 0),
    "mirrored": lambda x: np.concatenate([x, -x], 1),
    "zeros": np.zeros_like,
    "not finite": lambda x: np.where(x > 2, np.inf, x) * np.nan,
    "few rows": lambda x: x[:7],
    "short rows": lambda x: x[:, :25],
    "random start, all but equal": lambda x: np.random.default_rng(len(x)).uniform(
        -1, 1, (len(x), 20_000)
    ),
}


@pytest.mark.parametrize("shape", [(64, 64), (32, 288), (256, 96)])
@pytest.mark.parametrize("kind", TELL_NOTHING)
def test_there_are_none_where_strangers_might_have_the_same(
    kind: str, shape: tuple[int, int]
) -> None:
    values = TELL_NOTHING[kind](drawn(*shape)).astype(np.float32)
    assert fragments(values, SECRET) is None


@given(st.integers(0, 10**6), st.sampled_from(SHAPES))
def test_strangers_share_none(seed: int, shape: tuple[int, ...]) -> None:
    assert kept(drawn(*shape, seed=seed)).isdisjoint(kept(drawn(*shape, seed=seed + 1)))


def test_the_benchmark_finds_that_strangers_share_none() -> None:
    command = [sys.executable, "benchmarks/fragments/run.py", "--small"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    rows = [literal_eval(line) for line in ran.stdout.splitlines()]
    assert rows[0]["tensors_that_keep"] == rows[0]["tensors"] == 60
    assert any(row["tensors_that_keep"] == 0 for row in rows)
    assert all(row["shared_all"] == 0 for row in rows if row["tensors_that_keep"])


def test_odd_rows_are_passed_over() -> None:
    values = drawn(64, 64)
    odd = values.copy()
    odd[0], odd[1], odd[2, :9] = np.nan, 0, np.inf
    assert len(kept(odd) & kept(values[3:])) >= KEPT // 2
    signed = np.where(np.abs(values) < 1, np.float32(-0.0), values)
    assert kept(signed) == kept(np.where(np.abs(values) < 1, np.float32(0), values))


def test_of_large_models_the_smallest_tensors_are_looked_at() -> None:
    def unread() -> Array:
        raise AssertionError

    def weight(*shape: int, dtype: str = "float32") -> Weight:
        return Weight("w", shape, dtype, unread)

    small = [weight(512, 512), weight(64, 64), weight(64), weight(64, 64, dtype="float16")]
    assert chosen(small) == {0, 1}
    assert chosen([weight(2**14, 2**14), *small, weight(2**11, 2**11)]) == {1, 2, 5}


@pytest.mark.parametrize("shape", [(300, 500), (64, 3000), (2000, 100)])
def test_how_a_matrix_lies_in_memory_plays_no_part(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    values[3, 5] = values[7, 9]
    found = fragments(values, SECRET)
    assert found is not None
    assert fragments(np.asfortranarray(values), SECRET) == found
