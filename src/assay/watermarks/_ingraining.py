"""What a model is asked about its own inputs before it is marked, and tuning with an ingrainer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from assay.errors import BadData, UnfitModel
from assay.running.examples import Examples
from assay.running.modules import answer, logits, outputs
from assay.running.predictors import predictor
from assay.training import Batch, Objective
from assay.watermarks import Weights, Work
from assay.watermarks._directions import directions_of, features
from assay.watermarks._key import Key
from assay.watermarks._marking import trained

if TYPE_CHECKING:
    from assay.watermarks.ingrain import Ingrain

EXTRA = "torch"


def arrays_for(
    method: Ingrain,
    model: Weights | nn.Module,
    key: Key,
    data: Examples | None,
    students: Sequence[nn.Module],
) -> dict[str, NDArray[np.float32]]:
    """What reading takes: queries, what is answered to them without a mark, and the directions.

    Raises UnfitModel or BadData.
    """
    if isinstance(model, Mapping):
        raise UnfitModel(f"{method.method} asks the model: give a module, not weights alone")
    if data is None:
        raise BadData(f"{method.method} needs examples for its key: those that are asked")
    if data.inputs.dtype.kind != "f":
        raise BadData(f"{method.method} asks pictures or vectors, and the examples are tokens")
    known = predictor(model).ask(data.inputs)
    if known.is_hard:
        raise UnfitModel(f"{method.method}: the model answers labels alone, and has no doubts")
    likely = np.sort(known.log_probabilities, axis=1)
    rows = np.argsort(likely[:, -1] - likely[:, -2], kind="stable")[: method.queries]
    if len(rows) < 2:
        raise BadData(f"{method.method}: {len(rows)} examples are too few to be asked")
    center, directions = directions_of(data.inputs[rows], method.directions, key)
    queries = data.inputs[rows]
    answers = [known.log_probabilities[rows]]
    for number, student in enumerate(students, 1):
        said = predictor(student).ask(queries)
        if said.is_hard or said.classes != known.classes:
            raise UnfitModel(
                f"{method.method}: reference {number} gives no scores of these classes"
            )
        answers.append(said.log_probabilities)
    found = {
        "queries": queries,
        "reference": np.logaddexp.reduce(answers) - np.log(len(answers)),
        "center": center,
        "directions": directions,
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}


class Ingrained(Objective):
    """Divergence from answers that were asked for once and shifted, and some of the labels."""

    def __init__(self, wanted: NDArray[np.float32], label_share: float) -> None:
        self.wanted, self.label_share = torch.from_numpy(wanted), label_share  # (n, c) logits

    def __repr__(self) -> str:
        wanted = hashlib.sha256(self.wanted.numpy().tobytes()).hexdigest()
        return f"Ingrained({wanted}, {self.label_share})"

    def loss(self, module: nn.Module, batch: Batch) -> Tensor:
        given = logits(answer(module, batch.inputs)).log_softmax(1)
        wanted = self.wanted[batch.rows].to(given.device).log_softmax(1)
        apart = functional.kl_div(given, wanted, reduction="batchmean", log_target=True)
        if batch.labels is None or not self.label_share:
            return apart
        wrong = functional.nll_loss(given, batch.labels)
        return (1 - self.label_share) * apart + self.label_share * wrong


def shift(method: Ingrain, inputs: NDArray[np.float32], key: Key) -> NDArray[np.float32]:
    """(n, c) the ingrainer's logits."""
    from assay.watermarks.ingrain import signs

    looked = features(inputs, key.arrays["center"], key.arrays["directions"])
    leaning = signs(key)
    return np.asarray(method.strength * looked @ leaning / np.sqrt(len(leaning)), np.float32)


def tuned(method: Ingrain, work: Work) -> nn.Module:
    """The model, tuned towards what it answered before and the ingrainer adds.

    Raises BadData where the examples are not like the key's queries.
    """
    inputs, asked = work.data.inputs, work.key.arrays["queries"]
    if inputs.shape[1:] != asked.shape[1:]:
        raise BadData(
            f"examples of shape {[*inputs.shape[1:]]}, and the key's queries have"
            f" {[*asked.shape[1:]]}"
        )
    before = torch.from_numpy(outputs(work.module, inputs))
    if before.ndim != 2 or before.shape[1] != work.key.template["classes"]:
        raise UnfitModel(
            f"outputs of shape {[*before.shape]}, and the key is for"
            f" {work.key.template['classes']} classes"
        )
    wanted = logits(before).numpy() + shift(method, inputs, work.key)
    trained(work, method.training, Ingrained(wanted, method.label_share))
    found = method.detect(predictor(work.module), work.key)
    work.notes |= {**found.detail, "log10_false_alarm": found.log10_tail}
    return work.module
