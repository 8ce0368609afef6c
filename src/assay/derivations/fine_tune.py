"""Training goes on with further examples: all layers, or the last one alone.

The most common way to reuse a model.  Of several learning rates the one is kept that does best on
examples held out of the data, as who fine-tunes would.  With a penalty, scales of channels become
sparse meanwhile: what is to be pruned by channels, or licensed, is trained like that before.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from torch import nn

from assay.derivations import FEW, Derivation, Needs, Work
from assay.errors import BadOption, Diverged
from assay.running.examples import Examples
from assay.running.modules import accuracy, copy_of, head
from assay.training import Optimizer, Training
from assay.training.sparsity import Penalty, near_zero

EXTRA = "torch"
_HELD_OUT = 0.1  # of the data, to choose a rate by


@dataclass(frozen=True)
class FineTune(Derivation):
    """The parent, trained further on the data."""

    layers: Literal["all", "last"] = "all"  # which are trained
    rates: tuple[float, ...] = ()  # learning rates to choose from; by default training's own
    training: Training = field(
        default_factory=lambda: Training(epochs=3, optimizer=Optimizer(rate=0.01))
    )  # options of the loop
    penalty: Penalty | None = None  # on the scales of batch normalizations; by default none

    def __post_init__(self) -> None:
        self.one_of("layers", ("all", "last"))
        if any(not 0 < rate < float("inf") for rate in self.rates):
            raise BadOption(f"{self.method}: rates must be above 0, not {list(self.rates)}")

    @property
    def needs(self) -> Needs:
        return "labels"

    def run(self, work: Work) -> nn.Module:
        (parent,) = work.parents
        names = None
        if self.layers == "last":
            last, _ = head(parent, work.examples.inputs[:FEW])
            names = [n for n, _ in parent.named_parameters() if n.rpartition(".")[0] == last]
        if self.penalty is not None:
            work.notes["near_zero"] = {"before": near_zero(parent)}
        if len(self.rates) < 2:
            self._train(work, parent, work.examples, self.rates, names)
            return self._noted(work, parent)
        rest, held_out = work.examples.split(_HELD_OUT, work.seed)
        tried: dict[float, tuple[float, nn.Module]] = {}
        failed: dict[float, Diverged] = {}  # a rate that is too large is no reason to give up
        for rate in self.rates:
            child = copy_of(parent)
            try:
                self._train(work, child, rest, (rate,), names)
                tried[rate] = (accuracy(child, held_out), child)
            except Diverged as error:
                failed[rate] = error
        if not tried:
            raise failed[min(failed)]
        best = max(tried, key=lambda rate: tried[rate][0])
        work.notes["rates"] = {str(rate): round(tried[rate][0], 4) for rate in tried}
        work.notes["diverged"] = [*failed]
        work.notes["rate"] = best
        return self._noted(work, tried[best][1])

    def _noted(self, work: Work, child: nn.Module) -> nn.Module:
        if self.penalty is not None:
            work.notes["near_zero"]["after"] = near_zero(child)
        return child

    def _train(
        self,
        work: Work,
        child: nn.Module,
        examples: Examples,
        rates: tuple[float, ...],
        names: list[str] | None,
    ) -> None:
        training = self.training
        for rate in rates:
            training = replace(training, optimizer=replace(training.optimizer, rate=rate))
        stage = f"rate {rates[0]:g}" if rates else "fine-tuning"
        objective = None if self.penalty is None else self.penalty.on(child, names)
        work.train(child, examples, training, objective=objective, parameters=names, stage=stage)
