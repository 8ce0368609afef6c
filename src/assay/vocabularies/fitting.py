"""The size of images that a network was made for, where its files do not tell it.

A matrix behind convolutions fits images of one size only.  The usual size is tried first, then
those that networks are trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from assay.errors import UnreadableModel
from assay.graphs.operators import Shape

SIDES = (224, 227, 112, 299, 32, 28, 64, 96, 128, 160, 192, 300, 320, 331, 384, 416, 448, 512)
ANY = -1
MOST_TRIED = 5_000  # operators of a network that is read several times

Result = TypeVar("Result")


class Misfit(UnreadableModel):
    """A weight is not what its reader wants for images of this size, which was a guess."""


def fitting(read: Callable[[int], Result], size: int) -> Result:
    """What ``read`` gives for images of the first side that fits.

    0 stands for the usual side, and ANY for it where the weights need not fit: where no side does,
    or the network, of ``size`` operators, is too large to be read several times.
    """
    for side in (0, *(SIDES if size <= MOST_TRIED else ())):
        try:
            return read(side)
        except Misfit:
            continue
    return read(ANY)


@dataclass
class Images:
    """The side of images whose size is not known, and whether any network input is such."""

    side: int = 0
    guessed: bool = False

    def axes(self, count: int) -> list[int | str | None]:
        """So many sides."""
        self.guessed = True
        return [self.side if self.side > 0 else None] * count

    def check(self, what: str, shape: Shape, wanted: Sequence[int]) -> bool:
        """Whether a weight has as many numbers as its reader wants.

        Raises Misfit where it has not and the size was guessed, else UnreadableModel.
        """
        if prod(shape) == prod(wanted):
            return True
        if self.guessed and self.side == ANY:
            return False
        kind = Misfit if self.guessed else UnreadableModel
        raise kind(f"{what} is {list(shape[:8])}, its reader wants {list(wanted)[:8]}")
