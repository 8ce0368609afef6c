"""The most important channels are taken out, and a level's key gives its own back
[channel pruning for multiuser authorization: Wang et al., 2023].

Channels whose batch normalizations have the largest scales matter most: without few of them a model
answers near chance.  Levels lack ever more of them, so that each level's are among those of the
next.  What a level lacks is zero in its file, in whole: rows, columns, scales, statistics.

With a ``training`` the owner tunes each level, as the paper has it: a level's key then gives back
the weights that were tuned, and all but level 0 and what needs no key differ everywhere.

Statistics of what stays are taken anew, or else anybody does that, with some unlabeled examples,
and has a good part of the accuracy back; and they would tell of what was there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from assay.errors import BadOption, UnfitModel
from assay.licenses import License, Work
from assay.licenses._channels import RankedChannels
from assay.licenses._level_search import LevelSearch, Numbers, levels_of
from assay.training import Training
from assay.values import Json

EXTRA = "torch"
_TUNED = 12  # sets that are tuned beside those of the bisection, for one level


@dataclass(frozen=True)
class Pruning(License):
    """Levels that lack channels; without a key none of the largest is there."""

    levels: tuple[float, ...] = (0.92, 0.82, 0.72)  # accuracies of levels 1, 2 …
    rates: tuple[float, ...] = ()  # or shares of the channels that each lacks, at last without key
    cap: float = 0.9  # share of one layer's channels that may go
    tolerance: float = 0.01  # by how much a level's accuracy may differ
    recalibrate: bool = True  # whether running statistics are taken anew at each level
    training: Training | None = None  # by which the owner tunes each level; by default none

    def __post_init__(self) -> None:
        for option in ("levels", "rates", "cap", "tolerance"):
            self.within(option, 0, 1)
        self.falling("levels")
        if any(a >= b for a, b in pairwise(self.rates)):
            raise BadOption(f"{self.method}: rates must be rising, not {self.rates}")

    @property
    def targets(self) -> tuple[float, ...]:
        return () if self.rates else self.levels

    def run(self, work: Work) -> Iterator[tuple[nn.Module, Json]]:
        channels = RankedChannels(work, self.cap, self.recalibrate)
        bare = LevelSearch(len(channels.ranking), channels.accuracy)
        *sets, last = self._sets(bare, channels, work)
        for taken in sets:
            about = channels.about(taken)
            if self.training is None:
                yield channels.without(taken), about
            else:
                tuned = channels.tuned(taken, self.training)
                yield tuned, about | {"untuned": f"{bare.accuracy(taken):.4f}"}
        yield channels.without(last), channels.about(last)

    def _sets(self, bare: LevelSearch, channels: RankedChannels, work: Work) -> Iterator[Numbers]:
        """What is lacking at each level, and at last without a key."""
        if self.rates:
            yield from (channels.first(rate) for rate in self.rates)
            return
        levels, common = self._levels(bare, channels, work)
        taken = common
        for taken in levels_of(self, work, levels, self.levels, self.tolerance, common):
            yield taken
        work.say("searching what is lacking without a key")
        yield bare.at_most(channels.near_chance, taken)

    def _levels(
        self, bare: LevelSearch, channels: RankedChannels, work: Work
    ) -> tuple[LevelSearch, Numbers]:
        """How a level is judged, and what all levels lack.

        Where levels are tuned, that is what brings the model near chance: a rate is of use only if
        nothing of the accuracy that a level has was there before [Wang et al., 2023].
        """
        if self.training is None:
            return bare, ()
        training = self.training

        def tuned(taken: Numbers) -> float:
            return work.accuracy(channels.tuned(taken, training))

        work.say("searching what brings it near chance")
        least = bare.at_most(channels.near_chance)
        levels = LevelSearch(len(channels.ranking), tuned, _TUNED, 1)
        if self.levels and (most := levels.accuracy(least)) < self.levels[0] - self.tolerance:
            raise UnfitModel(
                f"level 1 is to have {self.levels[0]:g}, and of what is near chance training makes"
                f" {most:.4f}: set training.epochs or its rate, or smaller levels"
            )
        return levels, least
