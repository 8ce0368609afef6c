"""One pruned model is tuned more or less: several levels of one rate, method two of
[channel pruning for multiuser authorization: Wang et al., 2023].

The channels of the largest scales are taken out, as by ``pruning``, so that the model answers near
chance; that is what anybody may have.  Levels are what one tuning makes of it, sooner or later.
``tuned_by`` says who tunes: the owner, and a level's key opens the weights; or its holder, as the
paper has it, and the key opens no more than how: rate, training, seed and strength.  That protects
nothing: whoever has examples tunes without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from assay.errors import BadOption
from assay.licenses import Grade, License, Work
from assay.licenses._channels import RankedChannels
from assay.licenses._level_search import LevelSearch
from assay.licenses._recipes import Recipe
from assay.licenses._strengths import Strengths
from assay.training import Optimizer, Training
from assay.values import Json

EXTRA = "torch"
_STEADY = Optimizer("adam", rate=0.005, schedule="constant")  # a step is a step, whenever


@dataclass(frozen=True)
class Tuning(License):
    """Levels that were tuned by so many steps; without a key none of the largest channels."""

    levels: tuple[float, ...] = (0.92, 0.82, 0.72)  # accuracies of levels 1, 2 …
    steps: tuple[float, ...] = ()  # or after how many steps of tuning each is taken
    rate: float | None = None  # share of the channels that goes; by default as few as will do
    cap: float = 0.9  # share of one layer's channels that may go
    tuned_by: Literal["owner", "holder"] = "owner"  # who tunes
    training: Training = field(default_factory=lambda: Training(40, 32, _STEADY))  # at most

    def __post_init__(self) -> None:
        for option in ("levels", "cap", *(["rate"] if self.rate is not None else [])):
            self.within(option, 0, 1)
        self.within("steps", 1e-3, 1e9)
        self.falling("levels")
        if len({*self.steps}) < len(self.steps):
            raise BadOption(f"{self.method}: steps must differ, not {self.steps}")
        if self.tuned_by not in ("owner", "holder"):
            raise BadOption(f"{self.method}: tuned_by must be owner or holder")
        if self.holder_tunes:
            Recipe(max(self.steps, default=0.0), 0, self.training)  # or no holder would follow it

    @property
    def targets(self) -> tuple[float, ...]:
        return () if self.steps else self.levels

    def run(self, work: Work) -> Iterator[tuple[nn.Module, Json]]:
        channels = RankedChannels(work, self.cap)
        bare = LevelSearch(len(channels.ranking), channels.accuracy)
        work.say("searching what brings it near chance")
        if self.rate is None:
            taken = bare.at_most(channels.near_chance)
        else:
            taken = channels.first(self.rate)
        about, pruned = channels.about(taken), channels.without(taken)
        strengths = Strengths(pruned, work.data, self.training, work.seed)
        work.say("tuning")
        if self.steps:
            found = [*zip(self.steps, strengths.at(self.steps), strict=True)]
        else:
            found = strengths.reaching(self.levels, work.accuracy)
        for steps, module in found:
            yield module, about | {"steps": repr(float(steps)), "tuned by": self.tuned_by}
        yield pruned, about

    @property
    def holder_tunes(self) -> bool:
        return self.tuned_by == "holder"

    def opened(self, grade: Grade, seed: int) -> Recipe | None:
        if self.tuned_by == "owner" or "steps" not in grade.notes:
            return None
        return Recipe(float(grade.notes["steps"]), seed, self.training)
