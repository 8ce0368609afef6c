"""Several models' weights merged into one: their mean [model soups, Wortsman et al., 2022].

It is a model where the parents come from one base; of strangers it is none.  Slerp keeps to the arc
between two models, tensor by tensor [Shoemake, SIGGRAPH 1985].  Ties adds to the base the largest
differences from it whose signs agree [Yadav et al., NeurIPS 2023].  Running statistics of
normalization are averaged in any case, or taken anew from examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from assay.derivations import Derivation, Work
from assay.errors import BadOption, UnfitModel
from assay.running.normalization import recalibrate

EXTRA = "torch"
_PARALLEL = 0.9995  # cosine from which an arc is a straight line
_LITTLE = 1e-9  # so that a bound counts

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Average(Derivation):
    """The weighted mean of parents of one architecture, or another way between them."""

    parents = 2
    shares: tuple[float, ...] = ()  # of the models that are merged; by default equal ones
    kind: Literal["mean", "slerp", "ties"] = "mean"  # ties: the first parent is the others' base
    density: float = 0.2  # share of the differences from the base that ties keeps
    scale: float = 1.0  # of the merged differences that ties adds to the base

    def __post_init__(self) -> None:
        self.one_of("kind", ("mean", "slerp", "ties"))
        self.within("density", 0, 1 + _LITTLE)
        self.at_least("scale", 0)
        if self.shares and not abs(sum(self.shares) - 1) <= 1e-6:
            raise BadOption(f"{self.method}: shares must add up to 1, not {sum(self.shares):g}")
        if self.kind != "mean" and min(self.shares, default=0) < 0:
            raise BadOption(f"{self.method}: shares of {self.kind} must be 0 or more")

    def run(self, work: Work) -> nn.Module:
        child = work.parents[0]
        merged = work.parents[1:] if self.kind == "ties" else work.parents
        shares = self._shares(len(merged))
        own, *others = (module.state_dict(keep_vars=True) for module in work.parents)
        for number, state in enumerate(others, 2):
            _check_alike(own, state, number)
        # A tensor may have two names: one of them.
        numbers = {id(each): name for name, each in own.items() if each.is_floating_point()}
        learned = [name for name in numbers.values() if isinstance(own[name], nn.Parameter)]
        states = others if self.kind == "ties" else [own, *others]
        with torch.no_grad():
            found = {name: _mean([s[name] for s in states], shares) for name in numbers.values()}
            if self.kind == "slerp":
                first, second = states
                found |= {name: _slerp(first[name], second[name], shares[1]) for name in learned}
            elif self.kind == "ties":
                found |= self._ties(own, states, learned, shares)
            for name, tensor in found.items():
                own[name].copy_(tensor)
        if work.data is not None:
            norms = recalibrate(child, work.examples.inputs)
            if norms:  # theirs were those of the parents' activations, not of their mean's
                work.notes["recalibrated"] = norms
        return child

    def _shares(self, count: int) -> tuple[float, ...]:
        """One for each of ``count`` models.  Raises BadOption where these are too few or many."""
        if self.kind == "slerp" and count != 2:
            raise BadOption(f"{self.method}: slerp is between 2 models, not {count}")
        if self.kind == "ties" and count < 2:
            raise BadOption(f"{self.method}: ties is made from the base and 2 or more of its kind")
        shares = self.shares or (1 / count,) * count
        if len(shares) != count:
            raise BadOption(
                f"{self.method}: {len(shares)} shares for {count} models: give one each"
            )
        return shares

    def _ties(
        self, base: State, states: Sequence[State], names: Sequence[str], shares: Sequence[float]
    ) -> dict[str, Tensor]:
        """Trim each model's differences, elect signs place by place, average what has them."""
        start = torch.cat([base[name].flatten() for name in names])  # (n)
        ends = [torch.cat([state[name].flatten() for name in names]) for state in states]
        trimmed = torch.stack([_largest(end - start, self.density) for end in ends])  # (m, n)
        weights = torch.tensor(shares).to(start)[:, None]  # (m, 1)
        elected = (weights * trimmed).sum(0).sign()  # (n)
        weights = weights * ((trimmed.sign() == elected) & (trimmed != 0))  # (m, n)
        total = weights.sum(0)
        mean = (weights * trimmed).sum(0) / torch.where(total > 0, total, 1)
        parts = (start + self.scale * mean).split([base[name].numel() for name in names])
        return {name: part.view_as(base[name]) for name, part in zip(names, parts, strict=True)}


def _mean(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    return torch.stack([s * each for s, each in zip(shares, tensors, strict=True)]).sum(0)


def _slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """The point of the arc from one to the other; their lengths need not be equal."""
    cosine = nn.functional.cosine_similarity(first.flatten().double(), second.flatten(), 0)
    if cosine.abs() > _PARALLEL:  # or opposite: there is no one arc
        return _mean([first, second], [1 - share, share])
    angle = cosine.acos()
    parts = ((1 - share) * angle).sin() * first + (share * angle).sin() * second
    return parts / angle.sin()


def _largest(differences: Tensor, density: float) -> Tensor:  # (n) -> (n)
    """Those of the largest magnitude; 0 in the other places."""
    kept = differences.abs().topk(round(density * len(differences))).indices
    return torch.zeros_like(differences).index_copy(0, kept, differences[kept])


def _check_alike(first: State, other: State, number: int) -> None:
    if first.keys() != other.keys():
        odd = min(first.keys() ^ other.keys())
        raise UnfitModel(f"model {number} has another architecture: only one of them has {odd!r}")
    for name, tensor in first.items():
        if tensor.shape != other[name].shape:
            raise UnfitModel(
                f"model {number} has another architecture: {name!r} is"
                f" {list(other[name].shape)} where the first has {list(tensor.shape)}"
            )
