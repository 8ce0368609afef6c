"""Few weights are left, and the network has learned to do with them [Zhang et al., ECCV 2018].

How many of each layer stay is said beforehand.  By ADMM the weights are drawn to the largest so
many of them while all still learn; what is then cut off matters little, and the rest is retrained.
Pruning convolutions alone (of LeNet-5: ``keep=100,1800,1,1``) saves computation rather than memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from assay.derivations import Derivation, Needs, Work
from assay.derivations._admm import Admm, Alternation
from assay.derivations._masks import Largest, Masked, left_of, prunable
from assay.derivations._multiply_adds import multiply_adds
from assay.derivations._paths import Paths, Read
from assay.derivations._teaching import taught
from assay.errors import BadOption, UnfitModel
from assay.running.find_channels import find_channels
from assay.training import Optimizer, Training

EXTRA = "torch"
_DROPOUT = nn.modules.dropout._DropoutNd  # of numbers and of whole channels


def _drawn() -> Training:
    return Training(15, optimizer=Optimizer("adam", 1e-3, weight_decay=0, schedule="constant"))


def _tuned() -> Training:
    return Training(10, optimizer=Optimizer("adam", 1e-3, weight_decay=0))


@dataclass(frozen=True)
class AdmmPrune(Derivation):
    """The parent with as many weights as are asked for, in each layer."""

    takes_teachers = True
    keep: tuple[float, ...] = (0.1,)  # by layer, or one for all: shares (1: whole), counts from 2
    choice: Literal["largest", "read"] = "largest"  # read: of channels that a later layer reads
    admm: Alternation = field(default_factory=lambda: Alternation(growth=1.3))  # how it is drawn
    training: Training = field(default_factory=_drawn)  # while weights are drawn; no decay
    retraining: Training | None = field(default_factory=_tuned)  # of what is left
    soft_answers: float = 0.0  # their weight in the loss, beside labels: the parent's or teachers'

    def __post_init__(self) -> None:
        self.one_of("choice", ("largest", "read"))
        if not 0 <= self.soft_answers <= 1:
            raise BadOption(f"{self.method}: soft_answers must be 0 to 1, not {self.soft_answers}")
        if not self.keep or not all(0 < k <= 1 or (k > 1 and k % 1 == 0) for k in self.keep):
            raise BadOption(
                f"{self.method}: keep must be shares above 0 and up to 1, or counts from 2, not"
                f" {[*self.keep]}"
            )

    @property
    def needs(self) -> Needs:
        return "inputs" if self.soft_answers == 1 else "labels"

    def run(self, work: Work) -> nn.Module:
        child = work.parents[0]
        known = prunable(child)
        projections = self._projections(work, known)
        loss = taught(work, self.soft_answers)
        work.notes["multiply_adds"] = {"before": multiply_adds(child, work.example(1))}
        admm = Admm(child, projections, self.admm, loss)
        with _without_dropout(child):
            work.train(
                child, work.examples, self.training, objective=admm, stage="drawing weights to zero"
            )
        masks = {name: each.mask(known[name]) for name, each in projections.items()}
        masks = {name: masks[name] for name in known if name in masks}  # in the layers' order
        residuals = admm.noted()
        work.notes["residuals"] = {name: residuals[name] for name in masks}
        masked = Masked(masks, loss)
        masked.after_step(child)
        if self.retraining is not None:
            work.train(
                child, work.examples, self.retraining, objective=masked, stage="tuning what is left"
            )
        work.notes["multiply_adds"]["after"] = multiply_adds(child, work.example(1))
        work.notes |= left_of(child, masks)
        return child

    def _projections(
        self, work: Work, weights: Mapping[str, Tensor]
    ) -> Mapping[str, Largest] | Mapping[str, Read]:
        """Those of the layers of which not everything stays."""
        largest = self._largest(weights)
        if self.choice == "largest":
            return largest
        try:
            groups = find_channels(work.parents[0], work.example()).groups
        except UnfitModel:  # it has no hidden channels: every weight is read
            groups = ()
        return Paths(groups).projections(largest)

    def _largest(self, weights: Mapping[str, Tensor]) -> dict[str, Largest]:
        """How many weights stay of each layer that loses some."""
        if len(self.keep) not in (1, len(weights)):
            raise BadOption(
                f"{self.method}: keep has {len(self.keep)} values, and there are {len(weights)}"
                f" layers to prune: {', '.join(weights)}"
            )
        wanted = self.keep * len(weights) if len(self.keep) == 1 else self.keep
        counts = {}
        for (name, weight), keep in zip(weights.items(), wanted, strict=True):
            count = int(keep) if keep > 1 else round(keep * weight.numel())
            if not 0 < count <= weight.numel():
                raise BadOption(
                    f"{self.method}: keep={keep:g} leaves {count} of the {weight.numel()} weights"
                    f" of {name}"
                )
            if count < weight.numel():
                counts[name] = Largest(count)
        if not counts:
            raise BadOption(f"{self.method}: keep leaves every weight: set a smaller one")
        return counts


@contextmanager
def _without_dropout(module: nn.Module) -> Iterator[None]:
    """What pulls all weights to a few does not go with leaving some out at random."""
    dropped = {part: part.p for part in module.modules() if isinstance(part, _DROPOUT)}
    for part in dropped:
        part.p = 0.0
    try:
        yield
    finally:
        for part, share in dropped.items():
            part.p = share
