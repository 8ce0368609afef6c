"""A network for memristor crossbars: whole groups of weights go, the rest lies on cells' states.

[Yuan et al., ISLPED 2019.]  By ADMM weights are drawn to few groups that a crossbar can leave out,
cut and retrained; by ADMM again, to levels that cells can hold, of which none is zero.  Then a part
of them is mapped to the nearest level, the rest is retrained, until all are mapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from assay.crossbars import Counts, Crossbar, dense, largest_level, matrix, slices, tiled_mask
from assay.crossbars.cells import Cell
from assay.derivations import Derivation, Needs, Work
from assay.derivations._admm import Admm, Alternation
from assay.derivations._codebooks import step_of
from assay.derivations._masks import Largest, Masked, left_of
from assay.derivations._shared_values import Levels, Nearest
from assay.derivations._snapping import snap
from assay.derivations._teaching import taught
from assay.errors import BadOption
from assay.running.modules import WEIGHTED, untied, weighted
from assay.training import Objective, Optimizer, Training

EXTRA = "torch"

Group = Literal["column", "filter", "block"]
_RHO, _GROWTH = 1e-3, 200.0  # of the penalty: at first, and how much larger it is at the end


def _drawn() -> Training:
    return Training(10, optimizer=Optimizer("adam", 1e-3, weight_decay=0, schedule="constant"))


def _tuned() -> Training:
    return Training(5, optimizer=Optimizer("adam", 1e-3, weight_decay=0))


@dataclass(frozen=True, slots=True)
class Cut:
    """Which groups of weights stay."""

    keep: tuple[float, ...] = (0.1,)  # share of a layer's groups; one, or by layer
    group: Group = "column"  # of a layer's matrix; block: a column of as many filters as bit lines

    def __post_init__(self) -> None:
        if self.group not in get_args(Group):
            raise BadOption(f"cut.group must be one of {[*get_args(Group)]}, not {self.group!r}")
        if not self.keep or not all(0 < share <= 1 for share in self.keep):
            raise BadOption(f"cut.keep must be shares above 0 and up to 1: {self.keep}")


@dataclass(frozen=True)
class Memristor(Derivation):
    """The parent with whole groups of weights at zero, and the others on a crossbar's levels.

    Of convolutions and linear layers; transposed, recurrent and embedding layers stay as they are.
    """

    takes_teachers = True
    cut: Cut = field(default_factory=Cut)  # which groups of each layer stay
    bits: int = 5  # of a weight, with its sign; 0: weights are not mapped
    crossbar: Crossbar = field(default_factory=Crossbar)  # for blocks, and for the counts
    training: Training = field(default_factory=_drawn)  # while weights are drawn: twice
    retraining: Training = field(default_factory=_tuned)  # after the cut, and after each mapping
    soft_answers: float = 0.0  # their weight in the loss, beside labels: the parent's or teachers'

    def __post_init__(self) -> None:
        if not 0 <= self.soft_answers <= 1:
            raise BadOption(f"{self.method}: soft_answers must be 0 to 1, not {self.soft_answers}")
        if self.bits and not 2 <= self.bits <= 16:
            raise BadOption(f"{self.method}: bits must be 2 to 16, or 0, not {self.bits}")

    @property
    def needs(self) -> Needs:
        return "inputs" if self.soft_answers == 1 else "labels"

    def run(self, work: Work) -> nn.Module:
        child = work.parents[0]
        weighted(child)  # or refused, as is what is mapped in one layer and not its own
        found = untied(child)
        layers = {path: layer for path, (layer, _) in found.items() if isinstance(layer, WEIGHTED)}
        known = {path: layer.weight for path, layer in layers.items()}
        others = [path for path in found if path not in layers]
        if others:
            work.notes["not_on_crossbars"] = others
        before = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in known.items()}
        loss = taught(work, self.soft_answers)
        masks = self._prune(work, child, known, loss)
        work.notes |= left_of(child, masks)
        if self.bits:
            self._map(work, child, masks, loss)
        work.notes["arrays"] = {
            "9-bit before": self._arrays(before, layers, 9),
            f"{self.bits or 9}-bit after": self._arrays(masks, layers, self.bits or 9),
        }
        return child

    def _prune(
        self, work: Work, child: nn.Module, known: Mapping[str, Tensor], loss: Objective
    ) -> dict[str, Tensor]:
        """Draws weights to few groups, cuts and retrains; where they are left, by layer."""
        if len(self.cut.keep) not in (1, len(known)):
            raise BadOption(
                f"{self.method}: cut.keep has {len(self.cut.keep)} values for {len(known)} layers:"
                f" {', '.join(known)}"
            )
        shares = self.cut.keep * len(known) if len(self.cut.keep) == 1 else self.cut.keep
        if min(shares) == 1:  # nothing goes, and what a pruned parent has left out stays so
            return {name: weight.detach() != 0 for name, weight in known.items()}
        groups = {
            name: Groups(share, self.cut.group, self.crossbar.columns)
            for name, share in zip(known, shares, strict=True)
        }
        admm = Admm(child, groups, self._alternation(), loss)
        self._draw(work, child, admm, "drawing weights to groups")
        masks = {name: groups[name].mask(weight) for name, weight in known.items()}
        masked = Masked(masks, loss)
        masked.after_step(child)
        work.train(
            child, work.examples, self.retraining, objective=masked, stage="tuning what is left"
        )
        return masks

    def _map(
        self, work: Work, child: nn.Module, masks: Mapping[str, Tensor], loss: Objective
    ) -> None:
        """Draws weights to levels, then maps a part and retrains until all are mapped."""
        states = {name: States(self.bits, mask) for name, mask in masks.items()}
        admm = Admm(child, states, self._alternation(), Masked(masks, loss))
        self._draw(work, child, admm, "drawing weights to levels")
        found = snap(work, child, states, self.retraining, loss)
        steps = {name: float(book.get_parameter("step").detach()) for name, book in found.items()}
        work.notes["spacing"] = {name: abs(step) for name, step in steps.items()}

    def _alternation(self) -> Alternation:
        """However long it is drawn, weights end near to what they are drawn to."""
        return Alternation(_RHO, _GROWTH ** (1 / self.training.epochs))

    def _draw(self, work: Work, child: nn.Module, admm: Admm, stage: str) -> None:
        work.train(child, work.examples, self.training, objective=admm, stage=stage)
        work.notes.setdefault("residuals", {})[stage] = admm.noted()

    def _arrays(
        self, masks: Mapping[str, Tensor], layers: Mapping[str, nn.Module], bits: int
    ) -> dict[str, Any]:
        """Physical arrays: signs and digits count."""
        each = 2 * slices(bits, Cell())
        tiles = {name: each * self._tiles(mask, layers[name]) for name, mask in masks.items()}
        left = sum(int(mask.sum()) for mask in masks.values())
        return {
            "dense": round(each * dense(left, self.crossbar).tiles, 2),
            "tiled": sum(tiles.values()),
            "tiled_by_layer": tiles,
        }

    def _tiles(self, mask: Tensor, layer: nn.Module) -> int:
        """Of a layer; a convolution's groups read other inputs, and lie on arrays of their own."""
        parts = np.split(matrix(mask.cpu().numpy()), getattr(layer, "groups", 1))
        return int(sum((tiled_mask(part, self.crossbar) for part in parts), Counts()).tiles)


@dataclass(frozen=True, slots=True)
class Groups:
    """The nearest tensor with a share of its groups: those of the largest L2 norms stay."""

    keep: float  # share of the groups; one stays at least
    group: Group
    strip: int  # filters of a block; the last block of a column has what is left

    def __call__(self, weight: Tensor) -> Tensor:
        return weight * self.mask(weight)

    def mask(self, weight: Tensor) -> Tensor:
        """Where groups stay, in the weight's shape."""
        squares = weight.detach().flatten(1) ** 2  # (n, k)
        filters, columns = squares.shape
        height = {"column": filters, "filter": 1, "block": min(self.strip, filters)}[self.group]
        width = columns if self.group == "filter" else 1
        whole = nn.functional.pad(squares, (0, 0, 0, -filters % height))
        norms = whole.view(-1, height, columns // width, width).sum((1, 3))  # groups by place
        count = max(1, round(self.keep * norms.numel()))
        chosen = Largest(count).mask(norms)
        spread = chosen.repeat_interleave(height, 0)[:filters].repeat_interleave(width, 1)
        return spread.view_as(weight)


class States(Nearest):
    """The nearest tensor on a crossbar's levels: magnitudes of 1 to 2^(bits - 1) - 1 steps."""

    def __init__(self, bits: int, mask: Tensor) -> None:
        super().__init__("levels", bits, mask)

    def __repr__(self) -> str:
        return f"States({self.bits} bits, {int(self.mask.sum())} weights)"

    def codebook(self, weight: Tensor) -> Levels:
        """Its step is the one of least squares; a cell at its lowest is no level, but nothing."""
        numbers = weight.detach()[self.mask].double().numpy(force=True)
        most = largest_level(self.bits)
        return Levels(weight.new_tensor(step_of(numbers, most)), most)
