"""Weights of which more and more are looked up in a codebook that learns."""

from __future__ import annotations

from math import ceil
from typing import Literal

import torch
from torch import Tensor, nn

from assay.derivations._codebooks import best_means, step_of

EXTRA = "torch"

Kind = Literal["levels", "means"]


class Nearest:
    """Projects a tensor: its numbers under a mask to the best values of a kind, others to zero."""

    def __init__(self, kind: Kind, bits: int, mask: Tensor) -> None:
        self.kind, self.bits, self.mask = kind, bits, mask

    def __repr__(self) -> str:
        return f"Nearest({self.kind}, {self.bits} bits, {int(self.mask.sum())} weights)"

    def __call__(self, weight: Tensor) -> Tensor:
        codebook = self.codebook(weight)
        near = codebook().detach()[codebook.nearest(weight)]
        return torch.where(self.mask, near, 0)

    def codebook(self, weight: Tensor) -> Codebook:
        """The one whose values have the least squared distance to the numbers under the mask."""
        numbers = weight.detach()[self.mask].double().numpy(force=True)
        if self.kind == "levels":
            most = 2 ** (self.bits - 1)
            return Levels(weight.new_tensor(step_of(numbers, most)), most)
        return Means(weight.new_tensor(best_means(numbers, 2**self.bits)))


class Codebook(nn.Module):
    """A few values, ascending when it is made, that learn."""

    def nearest(self, numbers: Tensor) -> Tensor:
        """(…): which value is nearest to each number."""
        with torch.no_grad():
            values = self().double()
            order = values.argsort()
            values = values[order]
            middles = (values[1:] + values[:-1]) / 2
            return order[torch.searchsorted(middles, numbers.double().contiguous(), right=True)]


class Levels(Codebook):
    """Multiples ±1 … ±most of one step; the step learns."""

    def __init__(self, step: Tensor, most: int) -> None:
        super().__init__()
        self.step = nn.Parameter(step)
        multiples = torch.tensor([n for n in range(-most, most + 1) if n], dtype=step.dtype)
        self.register_buffer("multiples", multiples.to(step.device))  # (2·most,)

    def forward(self) -> Tensor:
        return self.step * self.multiples


class Means(Codebook):
    """Values (k,) that learn one by one, each from the sum over its weights."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values)

    def forward(self) -> Tensor:
        return self.values


class Snapped(nn.Module):
    """Free weights (…), of which some are a codebook's values, and pruned ones zero."""

    def __init__(self, mask: Tensor, codebook: Codebook) -> None:
        super().__init__()
        self.codebook = codebook
        self.register_buffer("mask", mask)
        self.register_buffer("which", torch.zeros_like(mask, dtype=torch.int64))
        self.register_buffer("taken", torch.zeros_like(mask))

    def forward(self, free: Tensor) -> Tensor:
        values = self.codebook()
        looked_up = values.index_select(0, self.which.flatten()).view(self.which.shape)
        zero = free.new_zeros(())  # no product: a negative zero is another number
        return torch.where(self.mask, torch.where(self.taken, looked_up, free), zero)

    def take(self, free: Tensor, share: float) -> None:
        """Of the free weights around each value, the nearest become it: this share, rounded up."""
        with torch.no_grad():
            values, which = self.codebook(), self.codebook.nearest(free)  # (k,), (…)
            distance = (free - values[which]).abs().flatten()
            chosen = torch.zeros_like(distance, dtype=torch.bool)
            for value in range(len(values)):
                around = (self.mask & ~self.taken & (which == value)).flatten()
                (places,) = around.nonzero(as_tuple=True)
                order = distance[places].argsort(stable=True)
                chosen[places[order[: ceil(share * len(places))]]] = True
            now = chosen.view(self.mask.shape)
            self.which[now] = which[now]
            self.taken |= now
