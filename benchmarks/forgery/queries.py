"""The signs of a secret key, learned from what checks answer.

Of a matrix of more than 2,048 values, each belongs to one of 256 cells: which one is no secret, its
sign is.  The forger registers a matrix of his own in which one pair of columns rules each cell, and
checks others that differ in who rules some cells.  The distance says how many of these have another
sign; halving says which.  A verdict alone says as much of one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import attacks
import numpy as np
from numpy.typing import NDArray

from assay.sketches import projections
from assay.sketches.keys import signs

Cell = tuple[int, int, int]  # group of rows, cell of it, pair of columns or block of rows


@dataclass
class Forger:
    """Who may register and check, and sees a distance; he does not see the key."""

    key: bytes = field(repr=False)
    shape: tuple[int, int]
    asked: int = 0

    @cached_property
    def grid(self) -> tuple[int, int]:
        return projections.grid(*self.shape)

    @cached_property
    def half(self) -> int:
        return (self.shape[1] + 1) // 2

    @cached_property
    def ruled(self) -> NDArray[np.float64]:
        """The first pair of columns rules each cell, (a, half)."""
        random, first = np.random.default_rng(0), (self.grid[0], self.grid[1])
        found = 0.01 * random.normal(size=(self.grid[0], self.half))
        found[:, : self.grid[1]] = random.choice([-1, 1], first) * random.uniform(0.8, 1.2, first)
        return found

    @cached_property
    def registered(self) -> Any:
        return attacks.sketched({"w": self.matrix(self.ruled), **self.anchor}, self.key)

    @cached_property
    def anchor(self) -> dict[str, Any]:
        """A layer that both have: one alone would prove nothing."""
        return {"v": np.random.default_rng(1).standard_normal((48, 96), np.float32)}

    def matrix(self, first: Any, block: int = 0, second: Any = None) -> Any:
        """Rows of the first block, and of another one; all others are empty."""
        a, columns = self.grid[0], self.shape[1]
        found = np.zeros(self.shape, np.float32)
        for number, rows in ((0, first), (block, second)):
            if rows is not None:
                start = 2 * a * number
                halves = np.concatenate([rows, np.zeros((a, columns - self.half))], 1)
                halves[:, columns - self.half :] -= rows
                found[start : start + 2 * a : 2] = halves
                found[start + 1 : start + 2 * a : 2] = -halves
        return found

    def distance(self, matrix: Any) -> int:
        self.asked += 1
        told = attacks.said({"w": matrix, **self.anchor}, self.registered, self.key)
        assert told["relation"] != "unrelated"
        return int(told["median"])  # of two layers, the larger distance

    def columns(self, cells: Sequence[Cell]) -> int:
        """In how many cells another pair of columns has the other sign than the first."""
        rows = self.ruled.copy()
        for group, place, pair in cells:
            rows[group, pair] = 3 * np.sign(rows[group, place])
        return self.distance(self.matrix(rows))

    def blocks(self, cells: Sequence[Cell]) -> int:
        """In how many cells another block of rows has the other sign than the first."""
        block, second = cells[0][2], np.zeros_like(self.ruled)
        for group, place, _ in cells:
            second[group] = 0.01 * self.ruled[group]
            second[group, place] = np.sign(self.ruled[group, place])
        return self.distance(self.matrix(self.ruled, block, second))


def differ(cells: Sequence[Cell], count: Callable[[Sequence[Cell]], int]) -> set[Cell]:
    """Those cells of which ``count`` tells the number, found by halving."""

    def among(some: Sequence[Cell], number: int) -> set[Cell]:
        if number in (0, len(some)):  # none of them, or all
            return set(some[:number])
        left, right = some[: len(some) // 2], some[len(some) // 2 :]
        known = count(left)
        return among(left, known) | among(right, number - known)

    return among(cells, count(cells))


def learned_signs(key: bytes, shape: tuple[int, int]) -> dict[str, Any]:
    """How many questions it takes, and how many of the signs are right."""
    forger = Forger(key, shape)
    (a, b), half = forger.grid, forger.half
    pairs = np.arange(b, half)
    other = np.zeros((a, half), bool)
    for group in range(a):
        for turn in range(0, len(pairs), b):  # one pair of columns for each cell
            cells = [(group, int(pair) % b, int(pair)) for pair in pairs[turn : turn + b]]
            for found, _, pair in differ(cells, forger.columns):
                other[found, pair] = True
    of_blocks = np.zeros((-(-shape[0] // (2 * a)), a, b), bool)
    for block in range(1, len(of_blocks)):
        for place in range(b):
            cells = [(group, place, block) for group in range(a)]
            for group, _, _ in differ(cells, forger.blocks):
                of_blocks[block, group, place] = True
    across = signs(key, f"columns {shape[0]}x{shape[1]}", a, half)
    down = signs(key, f"rows {shape[0]}x{shape[1]}", len(of_blocks), a, b)
    right = other == (across != across[:, np.arange(half) % b])
    right_blocks = of_blocks == (down != down[0])
    return {
        "shape": list(shape),
        "questions": forger.asked,
        "signs": int(other[:, b:].size + of_blocks[1:].size),
        "right": int(right[:, b:].sum() + right_blocks[1:].sum()),
    }
