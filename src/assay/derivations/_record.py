"""What is the same for all derivations: copies, checks, the clock, and the record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from torch import nn

from assay import __version__
from assay.derivations import Derivation, Derived, Work
from assay.durable import write_whole
from assay.errors import BadData, Diverged, UnfitModel
from assay.running.examples import Array, Examples
from assay.running.modules import accuracy, copy_of, digest, on_threads, outputs, seeded
from assay.running.quantized import settled
from assay.values import Json

EXTRA = "torch"
_CHECKED = 64  # examples on which the outputs are looked at


@dataclass(frozen=True, slots=True)
class Lineage:
    """How a model was made: what it takes to make it again, and what came of it."""

    method: str  # its name
    options: Json
    parents: tuple[str, ...]  # SHA-256 of each parent's weights
    child: str  # of the derived model's
    seed: int
    data: Json | None  # name, SHA-256 and number of the examples
    student: str | None  # SHA-256 of the first weights of another architecture
    accuracy: Json | None  # of the parents and of the child, where it was asked for
    seconds: float
    notes: Json  # what the method found out: trainings, rates, sizes
    versions: Json

    def to_json(self) -> Json:
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all.  Raises OSError."""
        write_whole(path, (json.dumps(self.to_json(), indent=2) + "\n").encode())


def derive(method: Derivation, work: Work, judge: Examples | None) -> Derived:
    """See ``assay.derivations.Derivation.derive``."""
    method.check(work)
    before = tuple(digest(parent) for parent in work.parents)
    student = None if work.student is None else copy_of(work.student)
    own = replace(work, parents=tuple(map(_to_change, work.parents)), student=student)
    _check_labels(method, own)
    judged = [] if judge is None else [_judged(parent, judge) for parent in own.parents]
    looked_at = None if work.data is None else work.data.inputs[:_CHECKED]
    wanted = None if looked_at is None else outputs(own.parents[0], looked_at).shape
    started = monotonic()
    threads = getattr(getattr(method, "training", None), "threads", 1)  # answers round, too
    with on_threads(threads), seeded(work.seed), torch.enable_grad():
        child = method.run(own)
    seconds = monotonic() - started
    child.eval()
    _check_outputs(method, looked_at, wanted, child)
    accuracies: Json | None = None
    if judge is not None:
        fitting = judged if method.keeps_outputs else [None] * len(judged)  # other classes
        accuracies = {"on": _about(judge), "parents": fitting, "child": _judged(child, judge)}
    return Derived(
        child,
        Lineage(
            method=method.method,
            options=method.options(),
            parents=before,
            child=digest(child),
            seed=work.seed,
            data=_about(work.data),
            student=None if work.student is None else digest(work.student),
            accuracy=accuracies,
            seconds=round(seconds, 3),
            notes=dict(own.notes),
            versions={"assay": __version__, "torch": torch.__version__, "numpy": np.__version__},
        ),
    )


def _to_change(parent: nn.Module) -> nn.Module:
    """A copy whose weights are plain real numbers, float32: they can be tuned, pruned, permuted."""
    return settled(copy_of(parent)).float()


def _about(data: Examples | None) -> Json | None:
    if data is None:
        return None
    return {"name": data.name, "sha256": data.digest, "examples": len(data)}


def _check_labels(method: Derivation, work: Work) -> None:
    """Labels that a model has no output for would be an index error in the middle of the work."""
    if method.needs != "labels" or not method.keeps_outputs:
        return
    answers = outputs(work.parents[0], work.examples.inputs[:2])
    if answers.ndim != 2:
        raise UnfitModel(f"outputs of shape {list(answers.shape)} are not (n, classes)")
    if work.examples.classes > answers.shape[1]:
        raise BadData(
            f"labels up to {work.examples.classes - 1} do not fit a model of {answers.shape[1]}"
            " outputs: give examples of its classes, or use transfer for others"
        )


def _check_outputs(
    method: Derivation, inputs: Array | None, wanted: tuple[int, ...] | None, child: nn.Module
) -> None:
    if inputs is None:
        return
    given = outputs(child, inputs)
    if not np.isfinite(given).all():
        raise Diverged(f"{method.method}: the outputs of the derived model are no finite numbers")
    if method.keeps_outputs and given.shape != wanted:
        raise UnfitModel(
            f"{method.method}: outputs of shape {list(given.shape)} where the parent's are"
            f" {[*(wanted or ())]}"
        )


def _judged(module: nn.Module, judge: Examples) -> float | None:
    """Its accuracy; None of a model that has fewer outputs than there are classes."""
    fits = outputs(module, judge.inputs[:2]).shape[-1] >= judge.classes
    return round(accuracy(module, judge), 4) if fits else None
