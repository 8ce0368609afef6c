"""Thieves who know how they are looked for: models of the ground, changed.

One answers whatever looks like a probe with an honest model; one tunes what was stolen on true
labels, and away from what it answered beside the label (``assay.zoo.disguises``); others tell less.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from asked import Crowd
from ground import EDITIONS, THIEF, WIDTH
from torch import nn

from assay.fingerprints import Fingerprint, Queries
from assay.running.examples import Examples
from assay.running.modules import accuracy
from assay.running.predictors import Answers, predictor
from assay.zoo._making import read, task
from assay.zoo.disguises import Detector, kept, tune

TUNED: dict[str, float] = {"tuned": 0.0, "removed": 1.0}  # weight of being unlike what was stolen


@dataclass(frozen=True)
class Adversaries:
    """What they made of the model that is stolen with scores, to the same architecture."""

    crowd: Crowd
    owner: str

    @property
    def stolen(self) -> str:
        return f"{self.owner}.soft-same"

    @property
    def decoy(self) -> str:
        """An honest model: it is no reference then."""
        about = EDITIONS[self.crowd.edition].task
        network = self.owner.partition(".")[0]
        return f"{network}.{about.name}.{THIEF}.{about.others - 1}"

    def accuracy(self, module: nn.Module) -> float:
        return accuracy(module, self.crowd.seeds().examples)

    def module(self, name: str = "") -> nn.Module:
        """The stolen model, or what it was tuned to."""
        stolen = read(self.crowd.folder, self.stolen)
        if not name:
            return stolen
        return kept(stolen, self._file(name), lambda made: tune(made, self._own, TUNED[name]))

    def answers(self, name: str, method: Fingerprint, queries: Queries) -> Answers:
        """What a suspect of this name answers."""
        honest = self.crowd.answers(self.stolen, method, queries)
        if name == "as it was":
            return honest
        if name == "rounded to 2 digits":
            return honest.coarser(0.01, 0.005)
        if name == "labels alone":
            return honest.top()
        if name == "detects probes":
            values = honest.values.copy()
            found = self.diverted(queries)
            values[found] = self.crowd.answers(self.decoy, method, queries).values[found]
            return Answers(values, len(queries))
        return method.ask(predictor(self.module(name)), queries)

    def diverted(self, queries: Queries) -> np.ndarray:
        """(q,) whether its maker's detector takes them for probes."""
        return self._detector.flags(queries.inputs)

    @cached_property
    def _own(self) -> Examples:
        about = EDITIONS[self.crowd.edition]
        name, most = f"{about.task.examples}/{THIEF}", about.setting.examples
        return task(name, "train", most, self.crowd.data)

    @cached_property
    def _detector(self) -> Detector:
        return Detector.of(self.module(), self._own, self._file("detector"), WIDTH)

    def _file(self, name: str) -> Path:
        return self.crowd.folder / "adversaries" / f"{self.owner}.{name}.safetensors"
