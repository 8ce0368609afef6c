"""What is the same for all licenses' levels: copies, checks, accuracies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from assay.errors import BadData
from assay.licenses import Grade, License, Work
from assay.licenses._hardening import hardened
from assay.running.examples import Examples
from assay.running.modules import accuracies, copy_of, on, on_threads, outputs, seeded
from assay.running.removal import size_of
from assay.values import Json

EXTRA = "torch"
_NEAR = 3  # how many of the largest answers may be right, beside the largest


def graded(method: License, work: Work, hardening: int | None) -> tuple[Grade, ...]:
    """See ``assay.licenses.License.grades``."""
    judge = work.judge
    if judge.classes > (most := outputs(work.module, judge.inputs[:2]).shape[-1]):
        raise BadData(f"labels up to {judge.classes - 1} do not fit a model of {most} outputs")
    with on_threads(1), seeded(work.seed):
        whole = copy_of(work.module)
        found = tuple(
            grade_of(module.eval(), judge, notes) for module, notes in _levels(method, whole, work)
        )
        if hardening is None:
            return found
        work.say("hardening what needs no key")
        module = hardened(whole, work.data, hardening, work.seed)
        return (*found[:-1], grade_of(module, judge, {"hardening": f"{hardening} steps"}))


def grade_of(module: nn.Module, judge: Examples, notes: Json) -> Grade:
    """A module as a grade: what is known of it, and how often it is right."""
    own, *more = accuracies(module, judge, (1, _NEAR))
    several = {f"top_{_NEAR}": f"{share:.4f}" for share in more}
    return Grade(module, own, {**notes, **several})


def _levels(method: License, whole: nn.Module, work: Work) -> Iterator[tuple[nn.Module, Json]]:
    size = size_of(whole, on(whole, work.data.inputs[:1]))
    yield whole, {**size, "judged_on": len(work.judge)}
    yield from method.run(replace(work, module=copy_of(work.module)))
