"""Tuning with RIGA's mark: the bits' cross entropy, and a detector that is to be deceived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from assay.errors import UnfitModel
from assay.training import Around, Batch
from assay.watermarks import Work, _projecting
from assay.watermarks._hosts import name_in
from assay.watermarks._key import Key
from assay.watermarks._marking import weights_of

if TYPE_CHECKING:
    from assay.watermarks.riga import Riga

EXTRA = "torch"
_SEEN = 256  # weights that the detector is shown at once, sorted
_WIDTH = 64  # of its hidden layer
_KEPT = 0.99  # of the mean square of gradients, in a step of RMSprop


class Detector:
    """Tells weights before from weights now: a network of sorted samples, trained as a critic."""

    def __init__(self, before: Tensor, rate: float, clip: float) -> None:
        self.before, self.scale = before.flatten().clone(), before.std()
        self.rate, self.clip = rate, clip
        self.draws = torch.Generator().manual_seed(0)
        self.weights = [
            torch.empty(shape).uniform_(-clip, clip, generator=self.draws)
            for shape in ((_WIDTH, _SEEN), (_WIDTH,), (1, _WIDTH))
        ]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]

    def answer(self, values: Tensor) -> Tensor:
        """How much a sample of values looks as before: larger is more."""
        rows = torch.randint(values.numel(), (_SEEN,), generator=self.draws)
        seen = (values.flatten()[rows] / self.scale).sort().values
        first, bias, second = self.weights
        return (second @ torch.relu(first @ seen + bias)).squeeze()

    def step(self, now: Tensor) -> None:
        """Learn to answer more for the weights before than for those now."""
        for weight in self.weights:
            weight.requires_grad_(True)
        with torch.enable_grad():
            loss = self.answer(now.detach()) - self.answer(self.before)
            slopes = torch.autograd.grad(loss, self.weights)
        with torch.no_grad():
            for weight, square, slope in zip(self.weights, self.squares, slopes, strict=True):
                weight.requires_grad_(False)
                square.mul_(_KEPT).addcmul_(slope, slope, value=1 - _KEPT)
                weight.sub_(self.rate * slope / (square.sqrt() + 1e-8)).clamp_(
                    -self.clip, self.clip
                )


class Hidden(Around):
    """Cross entropy of the labels, λ times that of the bits, and λ₂ times what gives them away."""

    def __init__(self, method: Riga, module: nn.Module, key: Key) -> None:
        from assay.watermarks.riga import layers
        from assay.watermarks.uchida import bits

        super().__init__(None)
        name = name_in(weights_of(module), key.template["hosts"][0])
        if name is None:
            raise UnfitModel(f"no weight {key.template['hosts'][0]['name']!r} to be marked")
        self.method, self.host, self.name = method, name, key.digest + key.payload.hex()
        held = module.get_parameter(name).detach()
        self.first, self.second = (torch.from_numpy(each).to(held) for each in layers(key))
        self.bits = torch.from_numpy(bits(key)).to(held)  # (t,)
        self.detector = Detector(held, method.detector_rate, method.clip)

    def __repr__(self) -> str:
        return f"Hidden({self.method!r}, {self.name})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        host = module.get_parameter(self.host)
        mean = host.mean(0).flatten()
        units = torch.tanh(self.first @ (mean / mean.norm()))
        wrong = nn.functional.binary_cross_entropy_with_logits(
            self.second @ units, self.bits, reduction="sum"
        )
        told = super().loss(module, batch) + self.method.strength * wrong
        return told - self.method.covert * self.detector.answer(host)

    def after_step(self, module: nn.Module) -> None:
        super().after_step(module)
        self.detector.step(module.get_parameter(self.host))

    def tensors(self) -> Mapping[str, Tensor]:
        own = {"draws": self.detector.draws.get_state()}
        own |= {f"weight {n}": each for n, each in enumerate(self.detector.weights)}
        own |= {f"square {n}": each for n, each in enumerate(self.detector.squares)}
        return {**super().tensors(), **own}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        super().restore(tensors)
        self.detector.draws.set_state(tensors["draws"])
        for name, each in self.tensors().items():
            if name != "draws":
                each.copy_(tensors[name])


def tuned(method: Riga, work: Work) -> nn.Module:
    """The model tuned with the mark; bits that are wrong in the end are turned."""
    return _projecting.tuned(method, work, Hidden(method, work.module, work.key))
