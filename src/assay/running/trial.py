"""Trying a change of a module before it is made: do the answers stay?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assay.errors import BadData, UnfitModel
from assay.running.channels import put, tensors
from assay.running.modules import copy_of, seeded

EXTRA = "torch"
_LARGE = 10.0  # of the second inputs: activations are to reach their bounds
_EQUAL = 1e-8  # of the largest answer, in float64


class Trial:
    """A copy of a module in float64, on which a change is tried.

    Its weights are shaken, so that channels which do nothing yet are heard, and a second, larger
    input drives activations to their bounds.
    """

    def __init__(self, module: nn.Module, example: Tensor) -> None:
        self.module = copy_of(module).double()
        with seeded(0), torch.no_grad():
            _shake(self.module)
            self.inputs = [example]
            if example.is_floating_point():
                wide = _LARGE * example.double().std() * torch.randn_like(example.double())
                self.inputs = [example.double(), wide]
        self.wanted = self._answers()

    def keeps(self, change: Callable[[nn.Module], object]) -> bool:
        """Whether the answers stay as they are; the change is kept where they do."""
        before = dict(tensors(self.module))
        change(self.module)
        try:
            given = self._answers()
        except BadData:  # a shape is written down somewhere in the model
            given = torch.empty(0)
        same = given.shape == self.wanted.shape and bool(
            (given - self.wanted).abs().max() <= _EQUAL * self.wanted.abs().max()
        )
        if not same:
            self._undo(before)
        return same

    def allows(self, change: Callable[[nn.Module], object]) -> bool:
        """Whether the module can be run after a change, which is undone."""
        before = dict(tensors(self.module))
        change(self.module)
        try:
            return self._answers().shape == self.wanted.shape
        except BadData:
            return False
        finally:
            self._undo(before)

    def _undo(self, before: Mapping[str, Tensor]) -> None:
        for name, tensor in tensors(self.module):
            if tensor is not before[name]:
                put(self.module, name, before[name])

    def _answers(self) -> Tensor:
        with torch.no_grad():
            return torch.cat([all_answers(self.module, inputs) for inputs in self.inputs])



def all_answers(module: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Every tensor that a module gives.  Raises BadData where it cannot be run on the inputs."""
    try:
        found = [*_flat(module(inputs))]
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        shape = list(inputs.shape)
        raise BadData(f"the model cannot be run on inputs of shape {shape}: {reason}") from error
    if not found:
        raise UnfitModel("the model's output is no tensor")
    return found


def _flat(found: Any) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, dict):
        yield from _flat([*found.values()])
    elif isinstance(found, tuple | list):
        for each in found:
            yield from _flat(each)


def _shake(module: nn.Module) -> None:
    """Move every weight by a part of its tensor's size, and the statistics of normalizations."""
    for parameter in module.parameters():
        if parameter.is_floating_point():
            size = parameter.square().mean().sqrt()
            size = torch.where(size > 0, 0.3 * size, torch.full_like(size, 0.1))
            parameter.add_(size * torch.randn_like(parameter))
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase) and part.running_mean is not None:
            deviation = part.running_var.sqrt()
            part.running_mean.add_(0.3 * deviation * torch.randn_like(deviation))
            part.running_var.mul_(torch.exp(0.3 * torch.randn_like(deviation)))
