"""The one training loop: epochs of batches over examples, checkpoints, early stop.

What is minimized is an ``Objective``: cross entropy by itself; a method that tunes under a mask,
learns from a teacher or projects its weights brings its own.  The same seed, options, examples and
threads give the same weights, also where a training was killed and went on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import cos, isfinite, pi
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from assay.errors import BadData, BadOption
from assay.values import Json

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.running.examples import Examples


@dataclass(frozen=True, slots=True)
class Optimizer:
    """How steps are taken."""

    name: Literal["sgd", "adam"] = "sgd"
    rate: float = 0.05  # at the beginning
    momentum: float = 0.9  # SGD's
    weight_decay: float = 5e-4
    schedule: Literal["cosine", "constant"] = "cosine"  # cosine: down to zero at the last step
    cycles: int = 1  # how often the schedule runs: each begins with the whole rate again

    def __post_init__(self) -> None:
        if self.name not in ("sgd", "adam"):
            raise BadOption(f"optimizer.name must be sgd or adam, not {self.name!r}")
        if self.schedule not in ("cosine", "constant"):
            raise BadOption(f"optimizer.schedule must be cosine or constant, not {self.schedule!r}")
        for name in ("rate", "momentum", "weight_decay"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise BadOption(f"optimizer.{name} must be 0 or more, not {value}")
        if self.rate == 0 or self.momentum >= 1:
            raise BadOption("optimizer.rate must be above 0, and optimizer.momentum below 1")
        if self.cycles < 1:
            raise BadOption(f"optimizer.cycles must be 1 or more, not {self.cycles}")

    def rate_after(self, share: float) -> float:
        """The rate after a share (0 ≤ share < 1) of all steps."""
        if self.schedule == "constant":
            return self.rate
        passed = round(share * self.cycles, 9) % 1  # rounded: a cycle ends where the next begins
        return self.rate * (1 + cos(pi * passed)) / 2


@dataclass(frozen=True, slots=True)
class Training:
    """How long, on how much at once, and when to stop."""

    epochs: int = 5
    batch: int = 64
    optimizer: Optimizer = field(default_factory=Optimizer)
    patience: int = 0  # epochs without a smaller loss on held-out examples until it stops; 0: never
    held_out: float = 0.1  # share of the examples that are held out where there is patience
    threads: int = 1  # cores; another number may round otherwise

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 2), ("patience", 0), ("threads", 1)):
            if getattr(self, name) < least:
                raise BadOption(
                    f"training.{name} must be {least} or more, not {getattr(self, name)}"
                )
        if not 0 < self.held_out < 1:
            raise BadOption(f"training.held_out must be between 0 and 1, not {self.held_out}")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is."""

    epoch: int  # from 1
    epochs: int
    step: int  # of all epochs
    steps: int
    loss: float  # of the last batch
    stage: str = "training"  # a method may have several


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the examples."""

    inputs: Tensor  # (b, …)
    labels: Tensor | None  # (b,)
    rows: Tensor  # (b,) which of the examples they are


@dataclass(slots=True)
class History:
    """What became of a training."""

    losses: list[float] = field(default_factory=list)  # mean of each epoch
    held_out: list[float] = field(default_factory=list)  # after each epoch, where there is patience
    best: int = 0  # epochs after which the weights are those that were kept
    seconds: float = 0.0  # of work, also before it was resumed

    def to_json(self) -> Json:
        return asdict(self)


class Objective:
    """What a training minimizes, and what it does beside: cross entropy, and nothing.

    Its ``repr`` tells one training from another: it spells out all that decides the result.
    """

    moves_statistics = False  # whether running statistics of layers that are not trained move

    def __repr__(self) -> str:
        return type(self).__qualname__

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        """The mean loss of a batch; ``module`` is in training mode, but for held-out examples."""
        from assay.running.modules import cross_entropy

        if batch.labels is None:
            raise BadData("training needs labels")
        return cross_entropy(module, batch.inputs, batch.labels)

    def after_step(self, module: nn.Module) -> None:
        """Called after every step: masks and projections."""

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        """Called after epoch 1, 2 …: what alternates with the steps."""

    def finished(self) -> bool:
        """Whether nothing is left to be done; asked after every epoch."""
        return False

    def tensors(self) -> Mapping[str, Tensor]:
        """What changes while it is trained: kept in checkpoints."""
        return {}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what ``tensors`` gave when the checkpoint was written; by default in place."""
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])


class Around(Objective):
    """Another objective, to which subclasses add something: masks, penalties."""

    def __init__(self, objective: Objective | None) -> None:
        """``objective``: by default cross entropy."""
        self.objective = objective or Objective()
        self.moves_statistics = self.objective.moves_statistics

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        return self.objective.loss(module, batch)

    def after_step(self, module: nn.Module) -> None:
        self.objective.after_step(module)

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        self.objective.after_epoch(module, epoch)

    def finished(self) -> bool:
        return self.objective.finished()

    def tensors(self) -> Mapping[str, Tensor]:
        return {f"inner.{name}": tensor for name, tensor in self.objective.tensors().items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        inner = {name.removeprefix("inner."): tensor for name, tensor in tensors.items()}
        self.objective.restore({name: inner[name] for name in self.objective.tensors()})


def train(
    module: nn.Module,
    examples: Examples,
    training: Training,
    *,
    objective: Objective | None = None,
    parameters: Iterable[str] | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> History:
    """Train ``module`` in place.

    Args:
        module: Ends in evaluation mode, with the weights of its best epoch where there is patience.
        examples: (n, …); those that are held out are drawn of them.
        training: Options.
        objective: What is minimized; by default cross entropy of the labels.
        parameters: Names of those to be trained; by default all.
        seed: Of the order of examples, and of what the module draws, such as dropout.
        checkpoint: Folder for the state; a training that was killed goes on from there.
        progress: Called now and then, and after each epoch.

    Raises:
        BadData: the examples do not fit the module.
        BadOption: there is no such parameter, or the checkpoint is damaged.
        Diverged: a loss is not a finite number.
    """
    from assay.training._loop import Loop

    loop = Loop(module, examples, training, objective or Objective(), parameters, seed)
    return loop.run(checkpoint, progress)
