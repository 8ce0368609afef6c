"""What is the same for all licenses' levels: copies, checks, accuracies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from assay.errors import BadData
from assay.licenses import Grade, License, Work
from assay.running.modules import accuracy, copy_of, on_threads, outputs, seeded
from assay.values import Json

EXTRA = "torch"


def graded(method: License, work: Work) -> tuple[Grade, ...]:
    """See ``assay.licenses.License.grades``."""
    judge = work.judge
    if judge.classes > (most := outputs(work.module, judge.inputs[:2]).shape[-1]):
        raise BadData(f"labels up to {judge.classes - 1} do not fit a model of {most} outputs")
    with on_threads(1), seeded(work.seed):
        whole = copy_of(work.module)
        return tuple(
            Grade(module.eval(), accuracy(module, judge), notes)
            for module, notes in _levels(method, whole, work)
        )


def _levels(method: License, whole: nn.Module, work: Work) -> Iterator[tuple[nn.Module, Json]]:
    yield whole, {}
    yield from method.run(replace(work, module=copy_of(work.module)))
