"""Modules marked: copied, checked, tuned with the mark or marked as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from assay.errors import BadData
from assay.running.examples import Examples
from assay.running.modules import copy_of, on_threads, seeded
from assay.running.quantized import settled
from assay.training import Objective, Progress, Training, train
from assay.values import Json
from assay.watermarks import Marked, Watermark, Weights, Work
from assay.watermarks._key import Key
from assay.weights import Weight

EXTRA = "torch"


def marked(
    method: Watermark,
    model: nn.Module,
    key: Key,
    data: Examples | None,
    seed: int,
    checkpoint: Path | None,
    progress: Callable[[Progress], None] | None,
) -> Marked:
    """See ``assay.watermarks.Watermark.mark``."""
    if data is None and method.needs != "nothing":
        raise BadData(f"{method.method} needs examples: give some as data")
    if data is not None and data.labels is None and method.needs != "inputs":
        raise BadData(f"{method.method} tunes with labels, and the examples have none")
    module = settled(copy_of(model)).float()
    if data is None:
        notes: Json = {}
        put(module, method.embed(weights_of(module), key, notes))
    else:
        work = Work(module, key, data, seed, checkpoint, progress)
        threads = getattr(getattr(method, "training", None), "threads", 1)
        with on_threads(threads), seeded(seed), torch.enable_grad():
            module = method.tune(work)
        notes = work.notes
    module.eval()
    return Marked(weights_of(module), notes, module)


def trained(work: Work, training: Training, objective: Objective | None = None) -> None:
    """Train the work's module on its data in place; the history is noted."""
    history = train(
        work.module,
        work.data,
        training,
        objective=objective,
        seed=work.seed,
        checkpoint=work.checkpoint,
        progress=work.progress,
    )
    work.notes["training"] = history.to_json()


def weights_of(module: nn.Module) -> dict[str, Weight]:
    """A module's tensors of real numbers by name, as of now where they are read."""

    def read(name: str) -> Weight:
        tensor = state[name]
        return Weight(
            name,
            tuple(tensor.shape),
            str(tensor.dtype).removeprefix("torch."),
            lambda: tensor.detach().float().numpy(force=True),
            canonical=True,
        )

    state = {n: t for n, t in module.state_dict().items() if t.is_floating_point()}
    return {name: read(name) for name in state}


def weights_as_run(module: nn.Module) -> dict[str, Weight]:
    """Those that a module computes with, also where it stores something else, such as integers."""
    return weights_of(settled(copy_of(module)))


def put(module: nn.Module, weights: Weights) -> None:
    """Give a module's tensors the values that have changed."""
    state = module.state_dict()
    with torch.no_grad():
        for name, weight in weights.items():
            values = torch.from_numpy(weight.read()).to(state[name])
            if not torch.equal(values, state[name]):
                state[name].copy_(values)
