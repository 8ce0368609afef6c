"""The loop itself, and the state that it goes on from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import BadData, BadOption, Diverged, UnfitModel
from assay.running.checkpoint import Checkpoint
from assay.running.examples import Array, Examples
from assay.running.modules import digest, evaluating, on, on_threads
from assay.training import Batch, History, Objective, Optimizer, Progress, Training

EXTRA = "torch"
SAVE_EVERY_S = 60.0
SHOW_EVERY_S = 0.1
_NORMS = (nn.modules.batchnorm._BatchNorm,)


class Loop:
    """One training; see ``assay.training.train``."""

    def __init__(
        self,
        module: nn.Module,
        examples: Examples,
        training: Training,
        objective: Objective,
        parameters: Iterable[str] | None,
        seed: int,
    ) -> None:
        self.module, self.training, self.objective, self.seed = module, training, objective, seed
        self.examples, self.rows = examples, np.arange(len(examples))
        self.held_out = self.rows[:0]
        if training.patience:
            self.rows, self.held_out = examples.parts(training.held_out, seed)
        if len(self.rows) < 2:
            raise BadData(f"training needs two examples or more, not {len(self.rows)}")
        self.known = dict(module.named_parameters())
        self.chosen = [*self.known] if parameters is None else [*parameters]
        for name in self.chosen:
            if name not in self.known:
                raise BadOption(f"the model has no parameter {name!r}")
        if not self.chosen:
            raise UnfitModel("the model has no parameter to be trained")
        self.optimizer = _optimizer(training.optimizer, [self.known[name] for name in self.chosen])
        self.size = min(training.batch, len(self.rows))
        self.batches = len(self.rows) // self.size
        if len(self.rows) % self.size > 1:  # a batch of one has no variance to normalize by
            self.batches += 1
        self.history, self.epoch, self.step, self.sum = History(), 0, 0, 0.0
        self.best: dict[str, Tensor] = {}

    def run(self, folder: Path | None, progress: Callable[[Progress], None] | None) -> History:
        training = (
            f"{self.training!r} {self.objective!r} seed={self.seed} data={self.examples.digest}"
            f" start={digest(self.module)} parameters={self.chosen}"
        )
        checkpoint = Checkpoint(folder, training)
        wanted = {name: p.requires_grad for name, p in self.known.items()}
        with on_threads(self.training.threads), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            try:
                for name, parameter in self.known.items():
                    parameter.requires_grad_(name in self.chosen)
                self._load(checkpoint)
                self._epochs(checkpoint, progress)
            finally:
                self.module.eval()
                for name, parameter in self.known.items():
                    parameter.requires_grad_(wanted[name])
                    parameter.grad = None
        return self.history

    def _epochs(self, checkpoint: Checkpoint, progress: Callable[[Progress], None] | None) -> None:
        saved = shown = started = monotonic()
        before = self.history.seconds
        while self.epoch < self.training.epochs and not self._exhausted():
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.rows)
            self._mode()
            while self.step < self.batches:
                loss = self._step(order[self.step * self.size : (self.step + 1) * self.size])
                now = monotonic()
                self.history.seconds = before + now - started
                if now - saved > SAVE_EVERY_S:
                    self._save(checkpoint)
                    saved = now
                if progress and (now - shown > SHOW_EVERY_S or self.step == self.batches):
                    progress(self._progress(loss))
                    shown = now
            self._end_epoch()
        self._save(checkpoint)
        if self.best:
            self.module.load_state_dict(self.best)

    def _mode(self) -> None:
        """Training mode, but for normalization that is not trained."""
        self.module.train()
        for name, part in self.module.named_modules():
            own = {f"{name}.{n}" for n, _ in part.named_parameters(recurse=False)}
            if isinstance(part, _NORMS) and not self.objective.moves_statistics:
                part.train(
                    bool(own & {*self.chosen}) if own else len(self.chosen) == len(self.known)
                )

    def _step(self, rows: Array) -> float:
        share = (self.epoch * self.batches + self.step) / (self.training.epochs * self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.optimizer.rate_after(share)
        loss = self.objective.loss(self.module, self._batch(rows))
        value = float(loss.item())
        if not isfinite(value):
            raise Diverged(
                f"the loss is {value} in epoch {self.epoch + 1}, step {self.step + 1}:"
                " try a smaller training.optimizer.rate"
            )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.objective.after_step(self.module)
        self.step, self.sum = self.step + 1, self.sum + value
        return value

    def _end_epoch(self) -> None:
        self.epoch, self.step = self.epoch + 1, 0
        self.objective.after_epoch(self.module, self.epoch)
        self.history.losses.append(self.sum / self.batches)
        self.sum = 0.0
        if not len(self.held_out):
            self.history.best = self.epoch
            return
        loss = self._held_out_loss()
        if not self.history.held_out or loss < min(self.history.held_out):
            self.best = {n: t.detach().clone() for n, t in self.module.state_dict().items()}
            self.history.best = self.epoch
        self.history.held_out.append(loss)

    def _held_out_loss(self) -> float:
        total = 0.0
        with evaluating(self.module), torch.no_grad():
            for start in range(0, len(self.held_out), self.size):
                rows = self.held_out[start : start + self.size]
                total += len(rows) * self.objective.loss(self.module, self._batch(rows)).item()
        return total / len(self.held_out)

    def _batch(self, rows: Array) -> Batch:
        some = self.examples.take(rows)
        labels = None if some.labels is None else on(self.module, some.labels)
        return Batch(on(self.module, some.inputs), labels, torch.from_numpy(rows))

    def _exhausted(self) -> bool:
        """Whether the objective is reached, or held-out examples have got no better for long."""
        return self.objective.finished() or (
            bool(self.training.patience)
            and self.epoch - self.history.best >= self.training.patience
        )

    def _progress(self, loss: float) -> Progress:
        return Progress(
            self.epoch + 1,
            self.training.epochs,
            self.epoch * self.batches + self.step,
            self.training.epochs * self.batches,
            loss,
        )

    def _save(self, checkpoint: Checkpoint) -> None:
        state = self.optimizer.state_dict()["state"]
        tensors: dict[str, Tensor] = {
            f"optimizer.{index}.{key}": value
            for index, kept in state.items()
            for key, value in kept.items()
            if isinstance(value, Tensor)
        }
        tensors |= {f"module.{name}": value for name, value in self.module.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        tensors |= {f"objective.{n}": value for n, value in self.objective.tensors().items()}
        tensors["generator"] = torch.get_rng_state()
        about = {"epoch": self.epoch, "step": self.step, "sum": self.sum}
        checkpoint.save({**about, "history": self.history.to_json()}, tensors)

    def _load(self, checkpoint: Checkpoint) -> None:
        found = checkpoint.load()
        if found is None:
            return
        about, tensors = found

        def part(prefix: str) -> dict[str, Tensor]:
            cut = len(prefix)
            return {name[cut:]: t for name, t in tensors.items() if name.startswith(prefix)}

        self.module.load_state_dict(part("module."))
        self.best = part("best.")
        kept: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part("optimizer.").items():
            index, _, key = name.partition(".")
            kept.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": kept, "param_groups": groups})
        self.objective.restore(part("objective."))
        torch.set_rng_state(tensors["generator"])
        self.epoch, self.step, self.sum = about["epoch"], about["step"], about["sum"]
        self.history = History(**about["history"])


def _optimizer(options: Optimizer, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    rate, decay = options.rate, options.weight_decay
    if options.name == "adam":
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, momentum=options.momentum, weight_decay=decay)
