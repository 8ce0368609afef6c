"""What all may have, drawn anew, and so that it is slow to tune [SOPHON: Deng et al., S&P 2024].

What stays of a model without a key is a start for training.  A network that was drawn anew is none:
nothing of the model is in it but its shapes, so that who tunes it trains from scratch.  Further
steps make it a worse start than that: an attacker's tuning is tried for some steps, and the weights
go where what it leads to knows less.  Its slope at the tuned weights is taken for that at the first
ones [first-order MAML: Finn et al., 2017], its aim is an even answer.
"""

from __future__ import annotations

from math import log

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.running.examples import Examples
from assay.running.modules import answer, copy_of, cross_entropy, logits, on, reset, seed_of, seeded
from assay.running.normalization import recalibrate

EXTRA = "torch"
TRIED = 30  # steps of an attacker's that each step foresees
RATES = (5e-4, 2e-2)  # between which his rate is drawn
BATCH = 32
STATISTICS = 1_024  # examples that running statistics are taken of
_RATE = 5e-3  # of the steps themselves


def hardened(module: nn.Module, examples: Examples, steps: int, seed: int) -> nn.Module:
    """A network of the same shapes, in evaluation mode, in which nothing of the module is left.

    Args:
        module: Stays as it is.
        examples: With labels, which an attacker would tune it on.
        steps: How many; by none it is only drawn anew.
        seed: Of all that is drawn.

    Raises UnfitModel where something of the module cannot be drawn anew.
    """
    made = copy_of(module)
    reset(made, seed_of("hardening", seed))
    _no_rest(made, module)
    chosen = [each for each in made.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(chosen, _RATE)
    random = np.random.default_rng(seed_of("hardening steps", seed))
    with seeded(seed):
        for _ in range(steps):
            slopes = _foreseen(made, chosen, examples, random)
            for parameter, slope in zip(chosen, slopes, strict=True):
                parameter.grad = slope
            optimizer.step()
    recalibrate(made, examples.inputs[:STATISTICS])
    return copy_of(made)


def _foreseen(
    module: nn.Module, chosen: list[nn.Parameter], examples: Examples, random: np.random.Generator
) -> list[Tensor]:
    """The mean slope, along an attacker's way, of how uneven the answers are.

    The module is as before afterwards.
    """
    before = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    rate = float(np.exp(random.uniform(*np.log(RATES))))
    attacker: torch.optim.Optimizer = torch.optim.Adam(chosen, rate)
    if random.random() < 0.5:
        attacker = torch.optim.SGD(chosen, 10 * rate, momentum=0.9)
    slopes = [torch.zeros_like(each) for each in chosen]
    module.train()
    for _ in range(TRIED):
        for is_his in (True, False):
            some = examples.take(random.integers(0, len(examples), BATCH))
            inputs, labels = on(module, some.inputs), on(module, some.known_labels)
            attacker.zero_grad()
            if is_his:
                cross_entropy(module, inputs, labels).backward()
                attacker.step()
                continue
            given = torch.log_softmax(logits(answer(module, inputs)), 1)  # (b, c)
            (-given.mean() - log(given.shape[1])).backward()  # divergence of an even answer's
            for slope, parameter in zip(slopes, chosen, strict=True):
                if parameter.grad is not None:
                    slope += parameter.grad / TRIED
    module.load_state_dict(before)
    return slopes


def _no_rest(made: nn.Module, module: nn.Module) -> None:
    """Raises UnfitModel where a tensor that is not constant is as it was."""
    known = module.state_dict()
    for name, tensor in made.state_dict().items():
        if tensor.numel() > 1 and torch.equal(tensor, known[name]) and tensor.unique().numel() > 1:
            raise UnfitModel(f"{name} of the model cannot be drawn anew: it would be given away")
