"""Few values in each layer, and the network has learned to do with them [Ye et al., ADMM-NN, 2018].

Levels are multiples of a step, zero excepted; means are those of clusters.  By ADMM the weights
are drawn to such values.  Then, in stages, those nearest to each value become it while the rest
learns on; values learn all the time, each from the sum over its weights.  What is zero stays zero:
prune first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from assay.derivations import Derivation, Needs, Work
from assay.derivations._admm import Admm, Alternation
from assay.derivations._codebooks import storage
from assay.derivations._masks import Masked
from assay.derivations._shared_values import Kind, Nearest
from assay.derivations._snapping import snap
from assay.derivations._teaching import taught
from assay.errors import BadOption
from assay.running.modules import untied
from assay.training import Optimizer, Training

EXTRA = "torch"
_MOST_BITS = 8


def _drawn() -> Training:
    return Training(5, optimizer=Optimizer("adam", 1e-3, weight_decay=0, schedule="constant"))


def _tuned() -> Training:
    return Training(2, optimizer=Optimizer("adam", 1e-3, weight_decay=0))


@dataclass(frozen=True)
class AdmmCluster(Derivation):
    """The parent with few values in each layer; what it has pruned stays so."""

    takes_teachers = True
    values: Kind = "levels"  # ±q … ±mq, of one step; or means of clusters
    bits: tuple[int, ...] = (3,)  # of a weight, by layer, or one for all: 2^bits values
    admm: Alternation = field(default_factory=lambda: Alternation(growth=1.3))  # how it is drawn
    training: Training | None = field(default_factory=_drawn)  # while weights are drawn
    retraining: Training = field(default_factory=_tuned)  # of each of four stages
    soft_answers: float = 0.0  # their weight in the loss, beside labels: the parent's or teachers'

    def __post_init__(self) -> None:
        self.one_of("values", ("levels", "means"))
        if not 0 <= self.soft_answers <= 1:
            raise BadOption(f"{self.method}: soft_answers must be 0 to 1, not {self.soft_answers}")
        if not self.bits or not all(1 <= bits <= _MOST_BITS for bits in self.bits):
            raise BadOption(f"{self.method}: bits must be 1 to {_MOST_BITS}, not {[*self.bits]}")

    @property
    def needs(self) -> Needs:
        return "inputs" if self.soft_answers == 1 else "labels"

    def run(self, work: Work) -> nn.Module:
        child = work.parents[0]
        weights = {path: getattr(*found) for path, found in untied(child).items()}
        bits = self._bits([*weights])
        masks = {path: weight.detach() != 0 for path, weight in weights.items()}
        kinds = {path: Nearest(self.values, bits[path], masks[path]) for path in weights}
        loss = taught(work, self.soft_answers)
        if self.training is not None:
            admm = Admm(child, kinds, self.admm, Masked(masks, loss))
            stage = "drawing weights to values"
            work.train(child, work.examples, self.training, objective=admm, stage=stage)
            work.notes["residuals"] = admm.noted()
        snap(work, child, kinds, self.retraining, loss)
        settled = {path: weight.detach() for path, weight in weights.items()}
        work.notes |= storage(settled, keep_zeros=True)
        return child

    def _bits(self, names: list[str]) -> dict[str, int]:
        """By layer."""
        if len(self.bits) not in (1, len(names)):
            raise BadOption(
                f"{self.method}: bits has {len(self.bits)} values, and there are {len(names)}"
                f" layers: {', '.join(names)}"
            )
        every = self.bits * len(names) if len(self.bits) == 1 else self.bits
        return dict(zip(names, every, strict=True))
