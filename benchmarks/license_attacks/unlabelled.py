"""Who has no labels: statistics, entropy, a model's own answers, and those of one that he may ask.

Entropy is minimized over scales and shifts of batch normalizations [Tent: Wang et al., ICLR 2021];
own answers are learned in rounds, the surest half of each class [self-training: Lee, 2013].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from labelled import BATCH, Attacker, Recipe
from torch import Tensor, nn

from assay.derivations._teaching import Imitation
from assay.running.examples import Array, Examples
from assay.running.modules import answer, copy_of, outputs
from assay.running.normalization import recalibrate
from assay.training import Batch, Objective, Optimizer, Training, train
from assay.values import Json

STATISTICS = 1_000  # inputs that these are taken of
ROUNDS, EPOCHS, RATE = 3, 3, 0.001
ENTROPY_EPOCHS = 2
TEMPERATURE = 4.0
Judged = Callable[[nn.Module], float]


class Entropy(Objective):
    """How unsure answers are; no labels."""

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        logarithms = torch.log_softmax(answer(module, batch.inputs), 1)
        return -(logarithms.exp() * logarithms).sum(1).mean()


def attack(attacker: Attacker, inputs: Array, judged: Judged) -> Json:
    """The accuracy that each way leads to, without a label to choose one by."""
    counted = copy_of(attacker.start)
    recalibrate(counted, inputs[:STATISTICS])
    return {
        "as it is": judged(attacker.start),
        "statistics": judged(counted),
        "entropy": judged(_sure(attacker, inputs)),
        "own answers": judged(_self_trained(attacker, inputs, Recipe("as it is", RATE))),
        "own answers, zeros anew": judged(
            _self_trained(attacker, inputs, Recipe("zeros anew", RATE))
        ),
    }


def asked(
    attacker: Attacker,
    recipe: Recipe,
    whole: nn.Module,
    inputs: Array,
    epochs: int,
    judged: Judged,
) -> Json:
    """What the whole model's scores of some inputs are worth, asked once each."""
    answers = Imitation(outputs(whole, inputs), TEMPERATURE)
    return {"accuracy": judged(attacker.tuned(recipe, Examples(inputs), epochs, answers))}


def _sure(attacker: Attacker, inputs: Array) -> nn.Module:
    made = copy_of(attacker.start)
    names = [
        f"{path}.{name}"
        for path, part in made.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm)
        for name, _ in part.named_parameters()
    ]
    training = Training(ENTROPY_EPOCHS, BATCH, Optimizer("adam", RATE, weight_decay=0.0))
    some = Examples(inputs)
    train(made, some, training, objective=Entropy(), parameters=names, seed=attacker.seed)
    return made


def _self_trained(attacker: Attacker, inputs: Array, recipe: Recipe) -> nn.Module:
    """A start that learns, round after round, what it answers itself."""
    made = attacker.start
    for _ in range(ROUNDS):
        surest = Examples(*_surest(outputs(made, inputs), inputs))
        made = Attacker(made, attacker.fresh, attacker.seed).tuned(recipe, surest, EPOCHS)
    return made


def _surest(answers: Array, inputs: Array) -> tuple[Array, Array]:
    """The half of each answered class that is surest, and what was answered."""
    top = np.sort(answers, 1)
    margin, labels = top[:, -1] - top[:, -2], answers.argmax(1)  # (n,) each
    rows = [
        some[np.argsort(-margin[some], kind="stable")[: -(-len(some) // 2)]]
        for label in np.unique(labels)
        for some in [np.flatnonzero(labels == label)]
    ]
    chosen = np.concatenate(rows)
    return inputs[chosen], labels[chosen]
