"""A model stolen by asking it: a student learns what the victim answers; no weight is read.

[Tramèr et al., USENIX Security 2016; recipes: SAC, NeurIPS 2022; queries of another domain:
Orekondy et al., CVPR 2019.]  Queries are the examples given, also of another domain; or
smooth noise; or the examples and then adversarial ones, made on the student by projected gradient
descent [Madry et al., ICLR 2018], which the victim answers too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from assay.derivations import Derivation, Needs, Work
from assay.derivations._teaching import Array, Imitation, student_of
from assay.errors import BadOption
from assay.running.examples import Examples
from assay.running.modules import answer, evaluating, logits, on, outputs
from assay.training import Training

EXTRA = "torch"

RADIUS = 4 / 256  # of adversarial queries, of the inputs' range
STEPS = 10
ADVERSARIAL_EPOCHS = 2
_OCTAVES = (2, 4, 8)  # cells of noise along an axis
_BATCH = 256


@dataclass(frozen=True)
class Extract(Derivation):
    """Trains a student on a victim's answers: the one given, or the same architecture anew."""

    takes_student = True
    answers: Literal["soft", "hard"] = "soft"  # the outputs, or the largest one's class alone
    queries: Literal["given", "adversarial", "noise"] = "given"
    temperature: float = 1.0  # of soft answers
    budget: int = 0  # queries, at most; 0: as many as there are examples, twice for adversarial
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        self.one_of("answers", ("soft", "hard"))
        self.one_of("queries", ("given", "adversarial", "noise"))
        self.within("temperature", 0, float("inf"))
        self.at_least("budget", 0)

    @property
    def needs(self) -> Needs:
        return "inputs"

    def run(self, work: Work) -> nn.Module:
        if self.queries != "given" and work.examples.inputs.dtype != np.float32:
            raise BadOption("extract: only real-valued inputs can be made; set queries to given")
        student = student_of(work)
        inputs = self._inputs(work)
        given = self._learn(work, student, inputs, self.training, "extraction")
        asked = len(inputs)
        if self.queries == "adversarial":
            made = adversarial(student, inputs, given.argmax(1))
            training = replace(self.training, epochs=ADVERSARIAL_EPOCHS)
            self._learn(work, student, made, training, "adversarial")
            asked += len(made)
        agreed = outputs(student, inputs).argmax(1) == given.argmax(1)
        work.notes |= {"queries": asked, "agreement": round(float(agreed.mean()), 4)}
        return student

    def _inputs(self, work: Work) -> Array:
        """The first queries, (q, …): all examples, some of them, or as many of noise."""
        examples = work.examples.inputs
        most = self.budget // 2 if self.queries == "adversarial" else self.budget
        if self.budget and not most:
            raise BadOption("extract: budget must be 2 or more for adversarial queries, or 0")
        if self.queries == "noise":
            return smooth_noise(examples, most or len(examples), work.seed)
        if not 0 < most < len(examples):
            return examples
        rows = np.random.default_rng(work.seed).permutation(len(examples))[:most]
        return examples[np.sort(rows)]

    def _learn(
        self, work: Work, student: nn.Module, inputs: Array, training: Training, stage: str
    ) -> Array:
        """Train on the victim's answers to ``inputs``, which come back, (q, c)."""
        answers: Array = outputs(work.parents[0], inputs)
        if self.answers == "hard":
            examples, objective = Examples(inputs, answers.argmax(1)), None
        else:
            examples, objective = Examples(inputs), Imitation(answers, self.temperature)
        work.train(student, examples, training, objective=objective, stage=stage)
        return answers


def adversarial(module: nn.Module, inputs: Array, labels: Array) -> Array:
    """Inputs (n, …) moved within a small cube, and their range, to where the loss is larger."""
    low, high = float(inputs.min()), float(inputs.max())
    radius = RADIUS * (high - low)
    found = []
    for start in range(0, len(inputs), _BATCH):
        origin = on(module, inputs[start : start + _BATCH])
        wanted = on(module, labels[start : start + _BATCH])
        moved = origin.clone()
        for _ in range(STEPS):
            with evaluating(module):
                moved.requires_grad_()
                loss = functional.cross_entropy(
                    logits(answer(module, moved)), wanted, reduction="sum"
                )
                (slope,) = torch.autograd.grad(loss, moved)
            moved = moved.detach() + radius / 4 * slope.sign()
            moved = torch.clamp(moved, origin - radius, origin + radius).clamp(low, high)
        found.append(moved.numpy(force=True))
    made: Array = np.concatenate(found)
    return made


def smooth_noise(like: Array, count: int, seed: int) -> Array:
    """Blurred blobs, (count, …): of the examples only the shape and the range are used.

    Noise of several sizes is added up; how bright and how sharp an input is, is drawn too.
    """
    draw = torch.Generator().manual_seed(seed)
    shape = like.shape[1:] if like.ndim > 2 else (1, *like.shape[1:])  # channels, then space
    mode = {2: "linear", 3: "bilinear", 4: "trilinear"}[len(shape)]
    blobs = torch.zeros(count, *shape)
    for cells in _OCTAVES:
        coarse = torch.randn(
            count, shape[0], *(min(cells, -(-size // 3)) for size in shape[1:]), generator=draw
        )
        blobs += functional.interpolate(coarse, size=shape[1:], mode=mode, align_corners=True)
    level, contrast = torch.rand(2, count, *[1] * len(shape), generator=draw)
    values = torch.sigmoid((1 + 9 * contrast) * (blobs + 3 * level - 1.5))  # 0 … 1
    low, high = float(like.min()), float(like.max())
    made: Array = (low + (high - low) * values).reshape(count, *like.shape[1:]).numpy()
    return made
