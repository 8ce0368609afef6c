"""What learning from another model's answers takes: a student, and a loss against the answers."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from assay.derivations import Work
from assay.errors import UnfitModel
from assay.running.modules import answer, copy_of, logits, outputs, reset, seed_of
from assay.running.quantized import settled, unrounded
from assay.training import Batch, Objective

EXTRA = "torch"

Array = NDArray[Any]
_TEMPERATURE = 4.0  # of a parent's soft answers, where no option sets it


def student_of(work: Work) -> nn.Module:
    """The student that was given, or the parent's architecture with weights of its own.

    Raises UnfitModel where its outputs are not the parent's, or are no classes.
    """
    teacher, few = work.parents[0], work.examples.inputs[:2]
    student = work.student or _fresh(teacher, work.seed)
    wanted, given = outputs(teacher, few).shape, outputs(student, few).shape
    if len(wanted) != 2:
        raise UnfitModel(f"outputs of shape {list(wanted)} are not (n, classes)")
    if given != wanted:
        raise UnfitModel(f"the student has {given[1:]} outputs, the model {wanted[1:]}")
    return student


def _fresh(module: nn.Module, seed: int) -> nn.Module:
    """A copy, initialized anew.

    Its seed is another than ``seed`` itself: a model that was made with that one would have begun
    with the same weights, and be related to its student by that alone.
    """
    made = unrounded(settled(copy_of(module)))
    reset(made, seed_of("student", seed))
    return made


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Kullback and Leibler's divergence of softened answers, (b, c) each, times T².

    T² keeps the size of the gradient, whatever the temperature.
    """
    given, wanted = (
        functional.log_softmax(logits(answers) / temperature, 1) for answers in (student, teacher)
    )
    divergence = functional.kl_div(given, wanted, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


def taught(work: Work, share: float) -> Objective:
    """The loss of labels, and with weight ``share`` that of the soft answers of the teachers.

    These are the parents after the first; where there are none it learns its own, as they were.

    Raises UnfitModel where a teacher has other classes.
    """
    if not share:
        return Objective()
    child, *teachers = work.parents
    given = [outputs(teacher, work.examples.inputs) for teacher in teachers or [child]]
    return Imitation(
        _mean(given, outputs(child, work.examples.inputs[:2])), _TEMPERATURE, 1 - share
    )


def _mean(several: list[Array], like: Array) -> Array:
    """(n, c) answers whose softened probabilities are the mean of those of several, (n, c) each."""
    for answers in several:
        if answers.shape[1:] != like.shape[1:]:
            raise UnfitModel(
                f"a teacher has outputs of shape {[*answers.shape[1:]]}, the model"
                f" {[*like.shape[1:]]}"
            )
    if len(several) == 1:
        return several[0]
    softened = [
        functional.log_softmax(
            logits(torch.from_numpy(np.ascontiguousarray(each))) / _TEMPERATURE, 1
        )
        for each in several
    ]
    mean = torch.logsumexp(torch.stack(softened), 0) - np.log(len(several))
    found: Array = (_TEMPERATURE * mean).numpy()
    return found


class Imitation(Objective):
    """Soft answers, which were asked for once, and the true labels with some weight."""

    def __init__(self, answers: Array, temperature: float, label_share: float = 0.0) -> None:
        self.answers = torch.from_numpy(np.ascontiguousarray(answers))  # (n, c)
        self.temperature, self.label_share = temperature, label_share

    def __repr__(self) -> str:
        asked = hashlib.sha256(self.answers.numpy().tobytes()).hexdigest()
        return (
            f"{type(self).__qualname__}(answers={asked}, temperature={self.temperature},"
            f" label_share={self.label_share})"
        )

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        given = answer(module, batch.inputs)
        wanted = self.answers[batch.rows].to(given.device)
        loss = (1 - self.label_share) * soft_loss(given, wanted, self.temperature)
        if self.label_share and batch.labels is not None:
            loss = loss + self.label_share * functional.cross_entropy(logits(given), batch.labels)
        return loss
