"""Trying a change of a module before it is made: do the answers stay?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from assay.errors import BadData, UnfitModel
from assay.running.examples import Array
from assay.running.modules import copy_of, seeded
from assay.running.tensors import put, tensors

EXTRA = "torch"
Change = Callable[[nn.Module], object]
Answers = list[Tensor]  # of each input all numbers that the module gives, in a row
Item = TypeVar("Item")
_LARGE = (10.0, 1000.0)  # of further inputs: activations are to reach their bounds
_EQUAL = 1e-8  # of the largest answer, in float64
_EQUAL_FLOAT32 = 1e-4
_HEARD = 1e-6  # of the largest answer: what a channel has to do with it


class Trial:
    """A copy of a module in float64, on which a change is tried.

    Its weights are shaken, so that channels which do nothing yet are heard, and further, larger
    inputs drive activations to their bounds.
    """

    def __init__(
        self, module: nn.Module, example: Tensor, weights: Literal["shaken", "own"] = "shaken"
    ) -> None:
        """``example``: (k, …) inputs that the module can be run on."""
        wide = example.double() if example.is_floating_point() else example
        self.module, self.equal = copy_of(module).double(), _EQUAL
        try:
            all_answers(self.module, wide)
        except BadData:  # it turns numbers into float32 itself
            wide, self.module, self.equal = example, copy_of(module), _EQUAL_FLOAT32
        self.inputs = [wide]
        self._influence: dict[str, Tensor] = {}
        with seeded(0), torch.no_grad():
            if wide.is_floating_point():
                size = wide.std().clamp(min=1)
                self.inputs += [large * size * torch.randn_like(wide) for large in _LARGE]
            own = copy_of(self.module)
            if weights == "shaken":
                _shake(self.module)
            self.wanted = self._answers()
            if not all(bool(each.isfinite().all()) for each in self.wanted):
                self.module = own
                self.wanted = self._answers()

    def keeps(self, change: Change) -> bool:
        """Whether the answers stay as they are under a change, which is undone."""
        return self._alike(self._changed(change), self.wanted)

    def agree(self, change: Change, other: Change) -> bool:
        """Whether two changes give the same answers; both are undone."""
        return self._alike(self._changed(change), self._changed(other))

    def hears(self, name: str, axis: int, slots: Array) -> bool:
        """Whether the answers depend on some of a parameter's channels, at ``slots`` (n, k).

        Where they do not, as behind a softmax that has made up its mind, any change keeps them.
        Most channels may be silent: an activation may let few through at a time.
        """
        if not self._influence:
            self._influence = dict(self._influences())
        influence = self._influence[name].movedim(axis, 0)[torch.from_numpy(slots)]
        heard = influence.flatten(1).sum(1) > _HEARD
        return int(heard.sum()) >= max(2, len(slots) // 20)

    def _influences(self) -> Iterator[tuple[str, Tensor]]:
        """How much of the largest answer each element of a parameter moves, to first order."""
        parameters = dict(self.module.named_parameters())
        total = {name: torch.zeros_like(each) for name, each in parameters.items()}
        for inputs in self.inputs:
            with torch.enable_grad(), seeded(0):
                answers = [a for a in all_answers(self.module, inputs) if a.requires_grad]
                if answers:
                    largest = max(float(each.detach().abs().max()) for each in answers)
                    mixed = sum((each * torch.randn_like(each)).sum() for each in answers)
                    mixed.backward()
            for name, each in parameters.items():
                if each.grad is not None:
                    total[name] += (each.detach() * each.grad).abs() / max(largest, 1e-30)
                    each.grad = None
        yield from total.items()

    def _alike(self, given: Answers | None, wanted: Answers | None) -> bool:
        return (
            given is not None
            and wanted is not None
            and all(
                one.shape == other.shape
                and bool((one - other).abs().max() <= self.equal * other.abs().max())
                for one, other in zip(given, wanted, strict=True)
            )
        )

    def _changed(self, change: Change) -> Answers | None:
        before = dict(tensors(self.module))
        change(self.module)
        try:
            return self._answers()
        except BadData:  # a shape is written down somewhere in the model
            return None
        finally:
            self._undo(before)

    def _undo(self, before: Mapping[str, Tensor]) -> None:
        for name, tensor in tensors(self.module):
            if tensor is not before[name]:
                put(self.module, name, before[name])

    def _answers(self) -> Answers:
        with torch.no_grad():
            return [
                torch.cat([each.flatten().double() for each in all_answers(self.module, inputs)])
                for inputs in self.inputs
            ]


def sift(items: Sequence[Item], passes: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """Those that pass, in their order: all are tried at once, and halves where they do not pass."""
    if not items:
        return []
    if passes(items):
        return [*items]
    if len(items) == 1:
        return []
    half = len(items) // 2
    return sift(items[:half], passes) + sift(items[half:], passes)


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
