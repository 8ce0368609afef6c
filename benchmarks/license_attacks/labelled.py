"""Who has examples with labels: trains on them, and chooses how on those that he holds out.

Tests are looked at once, when all is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import torch
from plan import HARDENED, NO_KEY, SCRATCH
from torch import nn

from assay.errors import Diverged
from assay.running.examples import Array, Examples
from assay.running.modules import accuracy, copy_of
from assay.training import Objective, Optimizer, Training, train
from assay.values import Json

Begin = Literal["as it is", "zeros anew", "zeros and norms anew"]
RATES = (0.00025, 0.001, 0.004, 0.016)  # Adam's first; a cosine leads down to zero
TRIAL = 0.25  # share of the epochs by which all recipes are tried
BEST = 2  # recipes that are tried by all epochs
FEW = 300  # examples, up to which all of them are held out in turn
LEAST = 30  # below, none can be held out
BATCH = 32


@dataclass(frozen=True)
class Recipe:
    """How an attacker trains."""

    begin: Begin
    rate: float  # 0: he leaves it as it is


NAIVE = Recipe("as it is", 0.001)  # who knows nothing of zeros, and tries nothing
USUAL: dict[str, Recipe] = {  # what mostly does well: for who has too few examples to choose on
    NO_KEY: Recipe("zeros anew", 0.001),
    HARDENED: Recipe("zeros and norms anew", 0.004),
    SCRATCH: Recipe("as it is", 0.004),
}
GENTLE = Recipe("zeros anew", 0.00025)  # the same from a level


def recipes(start: str) -> list[Recipe]:
    """All that are tried from a start: of none that has learned nothing can anything be kept."""
    if start == SCRATCH:
        return [Recipe("as it is", rate) for rate in RATES]
    begins: list[Begin] = ["as it is", "zeros anew"]
    if start == HARDENED:
        begins.append("zeros and norms anew")
    rates = RATES[1:] if start == HARDENED else RATES
    return [Recipe("as it is", 0.0), *(Recipe(each, rate) for each in begins for rate in rates)]


def prepared(start: nn.Module, begin: Begin, fresh: nn.Module) -> nn.Module:
    """A copy with some of it drawn anew: a channel of zeros gets no gradient, and would stay so."""
    made, drawn = copy_of(start), fresh.state_dict()
    if begin != "as it is":
        for key, tensor in made.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.where(tensor == 0, drawn[key], tensor))
    if begin == "zeros and norms anew":
        for part in made.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.reset_parameters()
    return made


@dataclass(frozen=True)
class Attacker:
    """Who begins with a network, and with another one that has learned nothing."""

    start: nn.Module
    fresh: nn.Module
    seed: int

    def tuned(
        self,
        recipe: Recipe,
        some: Examples,
        epochs: int,
        objective: Objective | None = None,
    ) -> nn.Module:
        """What the recipe makes of the start.  Raises Diverged."""
        made = prepared(self.start, recipe.begin, self.fresh)
        if recipe.rate:
            optimizer = Optimizer("adam", recipe.rate, weight_decay=0.0)
            training = Training(epochs, BATCH, optimizer)
            train(made, some, training, objective=objective, seed=self.seed)
        return made

    def chosen(self, known: Sequence[Recipe], some: Examples, epochs: int) -> Recipe:
        """The recipe that does best on examples held out, by successive halving."""
        parts = _folds(len(some), self.seed)

        def score(recipe: Recipe, share: float) -> float:
            return float(np.mean([self._held(recipe, some, part, epochs, share) for part in parts]))

        tried = sorted(known, key=lambda each: -score(each, TRIAL))
        return max(tried[:BEST], key=lambda each: score(each, 1.0))

    def _held(
        self, recipe: Recipe, some: Examples, held: Array, epochs: int, share: float
    ) -> float:
        rest = np.setdiff1d(np.arange(len(some)), held)
        try:
            made = self.tuned(recipe, some.take(rest), max(1, round(share * epochs)))
        except Diverged:
            return 0.0  # the rate is too large: it is not chosen
        return accuracy(made, some.take(held))


def attack(
    attacker: Attacker,
    name: str,
    some: Examples,
    epochs: int,
    known: Recipe | None,
    judged: Callable[[nn.Module], float],
) -> Json:
    """What examples are worth to him; without a key, and where not many, to somebody naive, too.

    ``known``: what he has chosen on fewer examples, where there are too many to try everything.
    """
    is_naive_tried = name in (NO_KEY, HARDENED) and known is None
    if len(some) < LEAST:
        known = USUAL.get(name, GENTLE)
    recipe = known or attacker.chosen(recipes(name), some, epochs)
    found: Json = {"recipe": asdict(recipe), "accuracy": 0.0}
    found["accuracy"] = _reached(attacker, recipe, some, epochs, judged)
    if is_naive_tried:
        same = recipe == NAIVE
        naive = found["accuracy"] if same else _reached(attacker, NAIVE, some, epochs, judged)
        found["naive"] = naive
    return found


def _reached(
    attacker: Attacker,
    recipe: Recipe,
    some: Examples,
    epochs: int,
    judged: Callable[[nn.Module], float],
) -> float:
    try:
        return judged(attacker.tuned(recipe, some, epochs))
    except Diverged:
        return judged(attacker.start)  # he keeps what he had


def _folds(count: int, seed: int) -> list[Array]:
    """The rows that are held out in turn: each half of few, or a fifth of many."""
    order = np.random.default_rng(seed).permutation(count)
    return [order[::2], order[1::2]] if count <= FEW else [order[: count // 5]]
