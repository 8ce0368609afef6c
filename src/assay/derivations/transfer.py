"""A new head for other classes, and a share of the layers tuned with it [ModelDiff, §5].

Only the last tensors are trained; the running statistics of normalization move in all layers, as in
the published code, unless they are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from assay.derivations import FEW, Derivation, Needs, Work
from assay.errors import BadOption
from assay.running.modules import CONVOLUTIONS, head, replace, seed_of, seeded
from assay.training import Objective, Optimizer, Training

EXTRA = "torch"


class _Moving(Objective):
    moves_statistics = True


@dataclass(frozen=True)
class Transfer(Derivation):
    """The parent's features under a head for the classes of the data."""

    keeps_outputs = False
    tune: float = 1.0  # share of the parameter tensors that are trained, counted from the last
    statistics: Literal["move", "keep"] = "move"  # of normalization that is not trained
    training: Training = field(
        default_factory=lambda: Training(epochs=3, optimizer=Optimizer(rate=0.01))
    )  # options of the loop

    def __post_init__(self) -> None:
        self.one_of("statistics", ("move", "keep"))
        if not 0 < self.tune <= 1:
            raise BadOption(f"{self.method}: tune must be above 0 and at most 1, not {self.tune}")

    @property
    def needs(self) -> Needs:
        return "labels"

    def run(self, work: Work) -> nn.Module:
        (child,) = work.parents
        name, old = head(child, work.examples.inputs[:FEW])
        with seeded(seed_of("head", work.seed)):
            replace(child, name, _like(old, work.examples.classes))
        names = [each for each, _ in child.named_parameters()]
        own = [each for each in names if each.rpartition(".")[0] == name]
        names = [each for each in names if each not in own] + own  # wherever it was defined
        count = max(int(len(names) * self.tune), len(own))
        work.notes["tensors"] = {"tuned": count, "of": len(names)}
        objective = _Moving() if self.statistics == "move" else Objective()
        work.train(
            child,
            work.examples,
            self.training,
            objective=objective,
            parameters=names[-count:],
            stage="transfer",
        )
        return child


def _like(old: nn.Module, classes: int) -> nn.Module:
    """A fresh layer of the same kind with so many outputs."""
    if isinstance(old, nn.Linear):
        return nn.Linear(old.in_features, classes, bias=old.bias is not None)
    assert isinstance(old, CONVOLUTIONS)
    return type(old)(
        old.in_channels,
        classes,
        old.kernel_size,
        old.stride,
        old.padding,
        old.dilation,
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
    )
