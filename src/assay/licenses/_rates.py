"""Which pruning rates are of use for levels, and whether a model behaves as a rate's owner says
[channel pruning for multiuser authorization: Wang et al., 2023].

A rate is of use where the pruned model is near chance, and tuning brings back a good part: the
published rule.  The two accuracies of a rate are also how its owner is to know a model again; but
a rate has few bits, and models of one architecture and task are alike: see ``Claimed``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from statistics import NormalDist

from assay.errors import BadOption
from assay.licenses import Work
from assay.licenses._channels import RankedChannels
from assay.licenses._strengths import Strengths
from assay.running.modules import accuracy, copy_of, on_threads, seeded
from assay.training import Optimizer, Training
from assay.values import Json

EXTRA = "torch"
_REGAINED = 0.5  # of what pruning took, at the least
_CONFIDENCE = 0.99  # of an interval


@dataclass(frozen=True, slots=True)
class Pair:
    """What a model has without a share of its channels: before and after it is tuned."""

    rate: float  # share of the channels that are taken out, the largest
    whole: float  # accuracy of the model as it is, 0 … 1
    pruned: float  # of the pruned model
    tuned: float  # after tuning
    chance: float  # up to which an accuracy is near chance

    def to_json(self) -> Json:
        return {**asdict(self), "usable": not self.fault, "fault": self.fault}

    @property
    def fault(self) -> str:
        """Why the rate is of no use; empty where it is of use."""
        if self.pruned > self.chance:
            return f"pruned, it has more than {self.chance:.4f}"
        if self.tuned < self.pruned + _REGAINED * (self.whole - self.pruned):
            return f"tuning regains less than {_REGAINED:.0%} of what was lost"
        return ""


@dataclass(frozen=True, slots=True)
class Key:
    """What an owner says a model is to be pruned and tuned with."""

    training: Training = field(
        default_factory=lambda: Training(3, optimizer=Optimizer("adam", 0.001))
    )
    steps: float | None = None  # of the training; by default all
    cap: float = 0.9  # share of one layer's channels that may go
    recalibrate: bool = True  # whether running statistics are taken anew where some are gone

    def __post_init__(self) -> None:
        if not 0 <= self.cap <= 1:
            raise BadOption(f"the key: cap must be from 0 to 1, not {self.cap}")


@dataclass(frozen=True, slots=True)
class Measured:
    """A share of right answers, and of how many."""

    accuracy: float
    examples: int | None  # None: it is taken as it is

    @property
    def interval(self) -> tuple[float, float]:
        """Of the probability of a right answer, at a confidence of .99 [Wilson, 1927]."""
        if self.examples is None:
            return self.accuracy, self.accuracy
        n, p = self.examples, self.accuracy
        z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
        return max(0.0, middle - half), min(1.0, middle + half)

    def agrees(self, other: Measured) -> bool:
        """Whether both intervals have something in common."""
        (low, high), (least, most) = self.interval, other.interval
        return low <= most and least <= high


def pairs(work: Work, rates: Sequence[float], key: Key) -> Iterator[Pair]:
    """The two accuracies of each rate; ``work.module`` stays as it is.

    Raises:
        UnfitModel: no channel can go; the training ends before ``key.steps``.
        BadOption: a rate is none, or takes more channels than the cap leaves.
        BadData: the examples do not fit, or have no labels.
        Diverged: as of ``assay.training.train``.
    """
    for rate in rates:
        if not 0 < rate < 1:
            raise BadOption(f"a rate must be above 0 and below 1, not {rate:g}")
    with on_threads(1), seeded(work.seed):
        channels = RankedChannels(work, key.cap, key.recalibrate)
        whole = accuracy(copy_of(work.module), work.judge)
        for rate in rates:
            work.say(f"rate {rate:g}")
            taken = channels.first(rate)
            if key.steps is None:
                tuned = channels.tuned(taken, key.training)
            else:
                strengths = Strengths(channels.without(taken), work.data, key.training, work.seed)
                (tuned,) = strengths.at([key.steps])
            yield Pair(
                rate, whole, channels.accuracy(taken), accuracy(tuned, work.judge),
                channels.near_chance,
            )  # fmt: skip
