"""Thieves who know how they are looked for.

One answers whatever looks like a probe with an honest model; one tunes what was stolen on true
labels, and away from what it answered beside the label [RemovalNet: Yao et al., 2023]; others tell
less.  Each is a model of the ground, changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from asked import Crowd
from ground import EDITIONS, THIEF, WIDTH
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from assay.fingerprints import FINGERPRINTS, Fingerprint, Queries, Seeds
from assay.running.examples import Examples
from assay.running.modules import accuracy, answer, logits, outputs
from assay.running.predictors import Answers, predictor
from assay.training import Batch, Objective, Optimizer, Training, train
from assay.zoo._making import read, task
from assay.zoo.networks import build

DIVERTED = 0.05  # of natural inputs, that are taken for probes
TUNED: dict[str, float] = {"tuned": 0.0, "removed": 1.0}  # weight of being unlike what was stolen
TRAINING = Training(3, 64, Optimizer("adam", rate=1e-3, weight_decay=0.0))
PROBES: dict[str, dict[str, Any]] = {  # that its maker knows of
    "modeldiff": {"pairs": 100},
    "deepjudge": {"count": 100},
    "sac": {"count": 200, "source": "cutmix"},
}


class Away(Objective):
    """The true labels, and answers beside them that are unlike those that were stolen."""

    def __init__(self, stolen: np.ndarray, weight: float) -> None:
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
        file = self.crowd.folder / "adversaries" / f"{self.owner}.{name}.safetensors"
        if file.exists():
            stolen.load_state_dict(load_file(file))
            return stolen.eval()
        own = self._own()
        answers = outputs(stolen, own.inputs)
        train(stolen, own, TRAINING, objective=Away(answers, TUNED[name]), seed=0)
        file.parent.mkdir(exist_ok=True)
        save_file({n: t.contiguous() for n, t in stolen.state_dict().items()}, file)
        return stolen.eval()

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
        detector, least = self._detector()
        return _suspicion(detector, queries.inputs) > least

    def _own(self) -> Examples:
        about = EDITIONS[self.crowd.edition]
        name, most = f"{about.task.examples}/{THIEF}", about.setting.examples
        return task(name, "train", most, self.crowd.data)

    def _detector(self) -> tuple[nn.Module, float]:
        """A network that learned probes of its own model, and from where on it says so."""
        own = self._own()
        file = self.crowd.folder / "adversaries" / f"{self.owner}.detector.safetensors"
        detector = build("cnn", own.inputs.shape[1:], 2, 0, WIDTH)
        if file.exists():
            detector.load_state_dict(load_file(file))
        else:
            known = own.take(slice(0, None, 2))
            probes = np.concatenate(
                [
                    FINGERPRINTS[name](**options)  # type: ignore[call-arg]
                    .craft(self.module(), Seeds(known), 1)
                    .inputs
                    for name, options in PROBES.items()
                ]
            )
            both = np.concatenate([known.inputs[: len(probes)], probes]).astype(np.float32)
            labels = np.repeat([0, 1], [len(both) - len(probes), len(probes)])
            train(detector, Examples(both, labels), Training(20, 64, TRAINING.optimizer), seed=0)
            file.parent.mkdir(exist_ok=True)
            save_file({n: t.contiguous() for n, t in detector.state_dict().items()}, file)
        natural = _suspicion(detector.eval(), own.take(slice(1, None, 2)).inputs)
        return detector, float(np.quantile(natural, 1 - DIVERTED))


def _suspicion(detector: nn.Module, inputs: np.ndarray) -> np.ndarray:
    found: np.ndarray = outputs(detector, inputs.astype(np.float32))
    return found[:, 1] - found[:, 0]
