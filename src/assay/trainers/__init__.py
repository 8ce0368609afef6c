"""Trainers: layer graphs with categories in, the weights of a hash network out.

A trainer has the name of the hasher that runs its weights: ``trainers/hnn_net.py`` trains what
``hashers/hnn_net.py`` runs.  It holds the network and the loss; the loop is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from assay.errors import BadOption
from assay.hashers._network_file import LENGTHS
from assay.methods import Methods, name_of
from assay.values import LayerGraph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from assay.hashers._network_file import HashNetwork
    from assay.trainers._batches import Batch, GraphTensors
    from assay.trainers._distances import Distances


@dataclass(frozen=True, slots=True)
class Sample:
    """A graph to train on: a model's own, or one made from it by deleting layers."""

    model: str
    category: str
    graph: LayerGraph
    kept: tuple[int, ...] | None = None  # which of its model's layers it has; None: unknown


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is."""

    stage: Literal["distances", "epochs", "views", "bits"]
    done: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict)  # of the last epoch, or so far


class Trainer(ABC):
    """Makes what the hasher of its name runs; options are fields."""

    bits: int
    copies: ClassVar[int] = 9  # of each model's graph, changed, that it asks for beside it

    def __post_init__(self) -> None:
        method = name_of(type(self))
        if self.bits not in LENGTHS:
            raise BadOption(f"{method}: bits must be one of {LENGTHS}, not {self.bits}")
        for option in fields(self):  # type: ignore[arg-type]  # every trainer is a dataclass
            value = getattr(self, option.name)
            if isinstance(value, float) and not (isfinite(value) and value >= 0):
                raise BadOption(f"{method}: {option.name} must be 0 or more, not {value}")

    @property
    def distances(self) -> Literal["capped", "whole", "none"]:
        """Which edit distances it asks for: up to ``limit``, all of them, or none."""
        return "none"

    @abstractmethod
    def fit(
        self,
        samples: Sequence[Sample],
        seed: int,
        distances: Distances | None,
        checkpoint: Path | None,
        progress: Callable[[Progress], None] | None,
    ) -> HashNetwork:
        """See ``train``, which has seen to it that the samples are two models or more."""

    def about(self, samples: Sequence[Sample], models: int, seed: int) -> dict[str, Any]:
        """How the network was made, for the record."""
        return {
            "graphs": len(samples),
            "models": models,
            "rules": sorted({sample.graph.rules for sample in samples}),
            "options": asdict(self),  # type: ignore[call-overload]
            "seed": seed,
        }


class NetworkTrainer(Trainer):
    """Trains a network by gradients (extra ``torch``)."""

    epochs: int
    batch: ClassVar[int] = 10
    limit: ClassVar[int] = 11  # edit distances are told apart up to here

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1:
            raise BadOption(f"{name_of(type(self))}: epochs must be 1 or more, not {self.epochs}")

    def fit(
        self,
        samples: Sequence[Sample],
        seed: int,
        distances: Distances | None,
        checkpoint: Path | None,
        progress: Callable[[Progress], None] | None,
    ) -> HashNetwork:
        from assay.trainers._loop import run

        return run(self, samples, seed, distances, checkpoint, progress)

    @property
    def distances(self) -> Literal["capped", "whole", "none"]:
        """Up to ``limit``, where no loss asks for more."""
        return "capped"

    @property
    def classifies(self) -> bool:
        """Whether the network learns the categories."""
        return False

    def vocabulary(self, ops: set[str]) -> tuple[str, ...]:
        """What the network tells apart of the operators of its samples; all of them."""
        return tuple(sorted(ops))

    @abstractmethod
    def network(self, vocabulary: tuple[str, ...], categories: tuple[str, ...]) -> nn.Module:
        """A network with fresh weights, drawn from torch's generator."""

    @abstractmethod
    def tensors(self, graph: LayerGraph, vocabulary: tuple[str, ...]) -> GraphTensors:
        """A graph as the network's input."""

    @abstractmethod
    def losses(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The terms of the loss of one batch, weighted: their sum is minimized."""

    def views(
        self, sample: Sample, vocabulary: tuple[str, ...], rng: np.random.Generator
    ) -> list[GraphTensors]:
        """Graphs made from ``sample`` that join its batch, new each time, always as many."""
        return []

    def learning_rate(self, share: float) -> float:
        """Adam's, after this share of the training (0 … 1)."""
        return 1e-3

    @abstractmethod
    def weights(self, network: nn.Module) -> dict[str, NDArray[np.float32]]:
        """What the hasher needs of a trained network, by name."""


TRAINERS = Methods(Trainer)


def train(
    trainer: Trainer,
    samples: Sequence[Sample],
    *,
    seed: int = 0,
    distances: Distances | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> HashNetwork:
    """Make what a hasher runs: the same seed and samples give the same file.

    Args:
        trainer: What to make, with its options; networks need the extra ``torch``.
        samples: Graphs of two models or more.
        seed: Of all that is drawn at random.
        distances: Edit distances of the samples, where they are known already.
        checkpoint: Folder for edit distances and the state of the training; a run that was killed
            goes on from there.
        progress: Called after each epoch, and now and then before.

    Raises:
        BadOption: the samples do not suffice, or the checkpoint is damaged.
    """
    if len({sample.model for sample in samples}) < 2:
        raise BadOption("training needs two models or more: there is nothing to tell apart")
    for sample in samples:
        if not sample.graph.layers:
            raise BadOption(f"{sample.model}: has no layers to train on")
    return trainer.fit(samples, seed, distances, checkpoint, progress)


def pairwise_distances(
    samples: Sequence[Sample],
    *,
    limit: int | None = None,
    cache: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Distances:
    """Bounds of the edit distances of all pairs of samples (extra ``torch``).

    Args:
        samples: s graphs.
        limit: It is enough to know that a distance is at least this, which is much faster.
        cache: Folder to keep them in; a killed run goes on where its last save was.
        progress: Called now and then, with pairs done and in all.
    """
    from assay.trainers._distances import compute

    return compute(samples, limit, cache, progress)
