"""The mean of several models' weights [model soups, Wortsman et al., 2022].

It is a model where the parents come from one base; of strangers it is none.  Running statistics of
normalization are averaged, too, or taken anew from examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from assay.derivations import Derivation, Work
from assay.errors import BadOption, UnfitModel
from assay.running.modules import answer, on

EXTRA = "torch"
_BATCH = 64


@dataclass(frozen=True)
class Average(Derivation):
    """The weighted mean of parents of one architecture."""

    parents = 2
    shares: tuple[float, ...] = ()  # of the parents; by default equal ones

    def __post_init__(self) -> None:
        if self.shares and not abs(sum(self.shares) - 1) <= 1e-6:
            raise BadOption(f"{self.method}: shares must add up to 1, not {sum(self.shares):g}")

    def run(self, work: Work) -> nn.Module:
        child = work.parents[0]
        shares = self.shares or (1 / len(work.parents),) * len(work.parents)
        if len(shares) != len(work.parents):
            raise BadOption(
                f"{self.method}: {len(shares)} shares for {len(work.parents)} models: give one each"
            )
        states = [module.state_dict() for module in work.parents]
        for number, state in enumerate(states[1:], 2):
            _check_alike(states[0], state, number)
        with torch.no_grad():
            means = {
                name: torch.stack(
                    [s * state[name] for s, state in zip(shares, states, strict=True)]
                ).sum(0)
                for name, tensor in states[0].items()
                if tensor.is_floating_point()
            }
            for name, mean in means.items():  # a tensor may have two names: first all, then these
                states[0][name].copy_(mean)
        if work.data is not None:
            _recalibrate(child, work)
        return child


def _check_alike(first: dict[str, Tensor], other: dict[str, Tensor], number: int) -> None:
    if first.keys() != other.keys():
        odd = min(first.keys() ^ other.keys())
        raise UnfitModel(f"model {number} has another architecture: only one of them has {odd!r}")
    for name, tensor in first.items():
        if tensor.shape != other[name].shape:
            raise UnfitModel(
                f"model {number} has another architecture: {name!r} is"
                f" {list(other[name].shape)} where the first has {list(tensor.shape)}"
            )


def _recalibrate(module: nn.Module, work: Work) -> None:
    """Running statistics are those of the parents' activations, not of their mean's: new ones."""
    norms = [p for p in module.modules() if isinstance(p, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    with torch.no_grad():
        for start in range(0, len(work.examples) - 1, _BATCH):  # no batch of a single example
            answer(module, on(module, work.examples.inputs[start : start + _BATCH]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
    work.notes["recalibrated"] = len(norms)
