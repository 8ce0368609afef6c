"""A student that learns a model's soft answers, its features, or both, beside the true labels.

[Hinton et al., 2015; features: Romero et al., FitNets, ICLR 2015, as ModelDiff distills: MSE of the
stages' outputs, weight 5, with true labels.]  Soft answers are softmax outputs at a temperature; a
stage is a part directly under the model that has weights, the last one excepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.derivations import Derivation, Needs, Work
from assay.derivations._teaching import Array, Imitation, student_of
from assay.errors import UnfitModel
from assay.running.modules import answer, copy_of, digest, evaluating, outputs
from assay.training import Batch, Optimizer, Training

EXTRA = "torch"

_LITTLE = 1e-9  # so that a bound counts
_FEW = 2  # examples on which features are looked at


def _gentle() -> Training:
    """The usual training at a lower rate: T² enlarges the first steps."""
    return Training(optimizer=Optimizer(rate=0.02))


@dataclass(frozen=True)
class Distill(Derivation):
    """Trains a student: the one given, or the same architecture initialized anew."""

    takes_student = True
    temperature: float = 4.0  # of the soft answers
    label_share: float = 0.1  # weight of the true labels; that of the soft answers is the rest
    feature_weight: float = 0.0  # of the features' mean squared error; ModelDiff: 5, label_share 1
    training: Training = field(default_factory=_gentle)  # a high temperature wants a low rate

    def __post_init__(self) -> None:
        self.within("temperature", 0, float("inf"))
        self.within("label_share", -_LITTLE, 1 + _LITTLE)
        self.at_least("feature_weight", 0)

    @property
    def needs(self) -> Needs:
        return "labels" if self.label_share > 0 else "inputs"

    def run(self, work: Work) -> nn.Module:
        teacher, student = work.parents[0], student_of(work)
        answers = outputs(teacher, work.examples.inputs)
        objective = Imitation(answers, self.temperature, self.label_share)
        if self.feature_weight:
            names = shared_stages(teacher, student, work.examples.inputs[:_FEW])
            objective = Hints(objective, teacher, names, self.feature_weight)
            work.notes["stages"] = names
        work.train(student, work.examples, self.training, objective=objective)
        return student


class Hints(Imitation):
    """Imitation, and the teacher's features at some stages.

    Features are computed batch by batch: those of all examples would not fit into memory.
    """

    def __init__(
        self, answers: Imitation, teacher: nn.Module, names: list[str], weight: float
    ) -> None:
        super().__init__(answers.answers.numpy(), answers.temperature, answers.label_share)
        self.teacher, self.names, self.weight = copy_of(teacher), names, weight

    def __repr__(self) -> str:
        return f"{super().__repr__()} {digest(self.teacher)} {self.names} {self.weight}"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        with evaluating(self.teacher), torch.no_grad(), features(self.teacher, self.names) as hints:
            answer(self.teacher, batch.inputs)
        with features(module, self.names) as given:
            loss = super().loss(module, batch)
        for name in self.names:
            loss = loss + self.weight * functional.mse_loss(given[name], hints[name])
        return loss


@contextmanager
def features(module: nn.Module, names: list[str]) -> Iterator[dict[str, Tensor]]:
    """Outputs of parts by name, filled in where the module is run."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            found[name] = output[0] if isinstance(output, tuple | list) else output

        return hook

    hooks = [module.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def shared_stages(teacher: nn.Module, student: nn.Module, inputs: Array) -> list[str]:
    """Names of the stages.

    Raises UnfitModel where there are none, or the student's are not the teacher's.
    """
    names, own = stages(teacher), stages(student)
    if not names:
        raise UnfitModel(
            "distill: the model has no stage before its last layer to take features of"
        )
    if names != own:
        raise UnfitModel(
            f"distill: features are compared between equal architectures, not stages {names} and"
            f" {own}: set feature_weight to 0"
        )
    shapes = [_shapes(module, names, inputs) for module in (teacher, student)]
    for name in names:
        wanted, given = (shape.get(name) for shape in shapes)
        if wanted is None or given != wanted:
            raise UnfitModel(
                f"distill: features of {name} have shape {given} where the model's have {wanted}"
            )
    return names


def stages(module: nn.Module) -> list[str]:
    """The parts directly under a module that have parameters, without the last one."""
    names = [name for name, part in module.named_children() if [*part.parameters()]]
    if len(names) == 1:  # a module around a module
        return [f"{names[0]}.{name}" for name in stages(module.get_submodule(names[0]))]
    return names[:-1]


def _shapes(module: nn.Module, names: list[str], inputs: Array) -> dict[str, list[int]]:
    with features(module, names) as found:
        outputs(module, inputs)
    return {name: [*output.shape] for name, output in found.items() if isinstance(output, Tensor)}
