"""The loop that every trainer runs in: batches, steps, checkpoints.

One thread computes, so that the same seed gives the same weights however many cores there are; a
killed training goes on from its checkpoint and ends with the weights it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch

from assay.errors import BadOption
from assay.hashers._network_file import HashNetwork
from assay.methods import name_of
from assay.running.checkpoint import Checkpoint
from assay.running.modules import on_threads
from assay.trainers import NetworkTrainer, Progress, Sample
from assay.trainers._batches import Batch, GraphTensors, pack
from assay.trainers._checkpoint import State
from assay.trainers._digest import digest
from assay.trainers._distances import Distances, compute

EXTRA = "torch"
SAVE_EVERY_S = 20.0


def run(
    trainer: NetworkTrainer,
    samples: Sequence[Sample],
    seed: int,
    distances: Distances | None,
    folder: Path | None,
    progress: Callable[[Progress], None] | None,
) -> HashNetwork:
    """See ``assay.trainers.train``."""
    _check(trainer, samples)
    if distances is None and trainer.distances != "none":
        limit = trainer.limit if trainer.distances == "capped" else None
        distances = compute(samples, limit, folder, progress)
    data = _Data(trainer, samples, distances)
    with on_threads(1):
        torch.manual_seed(seed)
        network = trainer.network(data.vocabulary, data.categories)
        optimizer = torch.optim.Adam(network.parameters(), lr=trainer.learning_rate(0.0))
        rng = np.random.default_rng(seed)
        training = f"{trainer!r} seed={seed} data={digest(samples)}"
        state = State(network, optimizer, rng, Checkpoint(folder, training))
        saved = monotonic()
        for epoch in range(state.load(), trainer.epochs):
            losses = _epoch(trainer, data, network, optimizer, rng, epoch)
            if progress:
                progress(Progress("epochs", epoch + 1, trainer.epochs, losses))
            if monotonic() - saved > SAVE_EVERY_S or epoch + 1 == trainer.epochs:
                state.save(epoch + 1)
                saved = monotonic()
    return HashNetwork(
        method=name_of(type(trainer)),
        bits=trainer.bits,
        vocabulary=data.vocabulary,
        categories=data.categories if trainer.classifies else (),
        weights=trainer.weights(network),
        trained=trainer.about(samples, len(data.models), seed),
    )


def _check(trainer: NetworkTrainer, samples: Sequence[Sample]) -> None:
    categories = sorted({sample.category for sample in samples})
    if trainer.classifies and len(categories) < 2:
        raise BadOption(
            f"all models are of one category, {categories[0]!r}: put them into a folder for each"
            " category, or train without categories (--set classification=0)"
        )


class _Data:
    """The samples as tensors."""

    def __init__(
        self, trainer: NetworkTrainer, samples: Sequence[Sample], distances: Distances | None
    ) -> None:
        self.trainer, self.samples = trainer, samples
        unknown = np.zeros((len(samples), len(samples)), np.int32)  # no loss asks for them
        self._upper = unknown if distances is None else distances.upper
        self._size = unknown if distances is None else distances.size
        ops = {layer.op for sample in samples for layer in sample.graph.layers}
        self.vocabulary = trainer.vocabulary(ops)
        self.categories = tuple(sorted({sample.category for sample in samples}))
        self.models = tuple(sorted({sample.model for sample in samples}))
        self._category = torch.tensor([self.categories.index(s.category) for s in samples])
        self._model = torch.tensor([self.models.index(s.model) for s in samples])
        self._graphs = [trainer.tensors(sample.graph, self.vocabulary) for sample in samples]

    def batch(self, chosen: np.ndarray[Any, Any], rng: np.random.Generator) -> Batch:
        """The chosen samples, and views of them that are drawn now."""
        graphs: list[GraphTensors] = [self._graphs[i] for i in chosen]
        origins = list(range(len(chosen)))
        views = [self.trainer.views(self.samples[i], self.vocabulary, rng) for i in chosen]
        for number in range(len(views[0])):  # all first views, then all second ones
            graphs += [each[number] for each in views]
            origins += range(len(chosen))
        rows, square = torch.from_numpy(chosen), np.ix_(chosen, chosen)
        return Batch(
            pack(graphs),
            torch.tensor(origins),
            self._category[rows],
            self._model[rows],
            torch.from_numpy(self._upper[square]).float(),
            torch.from_numpy(self._size[square]).float(),
        )


def _epoch(
    trainer: NetworkTrainer,
    data: _Data,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    epoch: int,
) -> dict[str, float]:
    """One pass over the samples; the mean of each term of the loss."""
    order = rng.permutation(len(data.samples))
    batches = [order[i : i + trainer.batch] for i in range(0, len(order), trainer.batch)]
    batches = [chosen for chosen in batches if len(chosen) > 1]  # one graph has no pair
    sums: dict[str, float] = {}
    network.train()
    for number, chosen in enumerate(batches):
        share = (epoch + number / len(batches)) / trainer.epochs
        for group in optimizer.param_groups:
            group["lr"] = trainer.learning_rate(share)
        terms = trainer.losses(network, data.batch(chosen, rng))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.item() / len(batches)
    return sums
