"""Thieves who know how they are looked for, as benchmarks try them on stolen models.

One tunes what was stolen on true labels, and away from what it answered beside the label
[RemovalNet: Yao et al., 2023]; one learned to tell probes from pictures, and has them answered by
an honest model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from assay.durable import write_whole
from assay.errors import BadData
from assay.fingerprints import FINGERPRINTS, Fingerprint, Seeds
from assay.running.examples import Examples
from assay.running.modules import answer, logits, outputs
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array
from assay.training import Batch, Objective, Optimizer, Training, train
from assay.zoo.networks import build

EXTRA = "torch"
DIVERTED = 0.05  # of natural inputs, that are taken for probes
TRAINING = Training(3, 64, Optimizer("adam", rate=1e-3, weight_decay=0.0))
LEARNING = Training(20, 64, TRAINING.optimizer)  # of the detector
PROBES: Mapping[str, dict[str, Any]] = {  # that its maker knows of
    "modeldiff": {"pairs": 100},
    "deepjudge": {"count": 100},
    "sac": {"count": 200, "source": "cutmix"},
}


class Away(Objective):
    """The true labels, and answers beside them that are unlike those that were stolen."""

    def __init__(self, stolen: Array, weight: float) -> None:
        self.stolen, self.weight = torch.from_numpy(stolen), weight

    def __repr__(self) -> str:
        return f"Away({self.weight})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        given = logits(answer(module, batch.inputs))
        assert batch.labels is not None
        loss = functional.cross_entropy(given, batch.labels)
        if not self.weight:
            return loss
        others = [_beside(each, batch.labels) for each in (given, self.stolen[batch.rows])]
        return loss + self.weight * functional.cosine_similarity(*others, dim=1).mean()


def _beside(given: Tensor, labels: Tensor) -> Tensor:
    """(b, c - 1) logits of the other classes, centered."""
    keep = torch.ones_like(given, dtype=torch.bool).scatter(1, labels[:, None], False)
    rest = given[keep].reshape(len(given), -1)
    return rest - rest.mean(1, keepdim=True)


def kept(module: nn.Module, file: Path, learn: Callable[[nn.Module], None]) -> nn.Module:
    """The module with the weights of ``file``; where there is none, as it learns, and written."""
    if file.exists():
        module.load_state_dict(load_file(file))
    else:
        learn(module)
        file.parent.mkdir(parents=True, exist_ok=True)
        held = {name: each.contiguous() for name, each in module.state_dict().items()}
        write_whole(file, save(held))
    return module.eval()


def tune(stolen: nn.Module, own: Examples, weight: float) -> None:
    """Tunes it, by its own answers of before: away from them, as far as ``weight`` says."""
    away = Away(outputs(stolen, own.inputs), weight)
    train(stolen, own, TRAINING, objective=away, seed=0)


@dataclass(frozen=True, eq=False)
class Detector:
    """A network that learned probes of its maker's model, and from where on it says so."""

    module: nn.Module
    least: float

    @classmethod
    def of(cls, stolen: nn.Module, own: Examples, file: Path, width: float) -> Detector:
        """One that is kept in ``file``; the first half of ``own`` it learns, the other it judges.

        Raises BadData where no method makes probes of this model.
        """
        known = own.take(slice(0, None, 2))
        module = build("cnn", own.inputs.shape[1:], 2, 0, width)
        kept(module, file, lambda made: _learn(made, stolen, known))
        natural = _suspicion(module, own.take(slice(1, None, 2)).inputs)
        return cls(module, float(np.quantile(natural, 1 - DIVERTED)))

    def flags(self, inputs: Array) -> Array:
        """(q,) whether it takes each for a probe."""
        flagged: Array = _suspicion(self.module, inputs) > self.least
        return flagged


@dataclass(eq=False)
class Evasive(Predictor):
    """Answers by the stolen model, and what is taken for a probe by an honest one."""

    stolen: Predictor
    honest: Predictor
    detector: Detector

    def run(self, inputs: Array) -> Array:
        found = self.stolen.run(inputs).copy()
        flagged = self.detector.flags(inputs)
        if flagged.any():
            found[flagged] = self.honest.run(inputs[flagged])
        return found


def _learn(detector: nn.Module, stolen: nn.Module, known: Examples) -> None:
    found = []
    for name, options in PROBES.items():
        made: Any = FINGERPRINTS[name]
        method: Fingerprint = made(**options)
        try:
            found.append(method.craft(stolen, Seeds(known), 1).inputs)
        except BadData:  # too few inputs fool this model: the others' probes are learned
            continue
    if not found:
        raise BadData("no method makes probes of this model")
    probes = np.concatenate(found)
    both = np.concatenate([known.inputs[: len(probes)], probes]).astype(np.float32)
    labels = np.repeat([0, 1], [len(both) - len(probes), len(probes)])
    train(detector, Examples(both, labels), LEARNING, seed=0)


def _suspicion(detector: nn.Module, inputs: Array) -> Array:
    found: Array = outputs(detector, inputs.astype(np.float32))
    return found[:, 1] - found[:, 0]
