"""Predictors: models that answer inputs, wherever they run.

A torch module, a file in ONNX Runtime or LiteRT, or a model behind a URL: each answers inputs
(n, …) with what it thinks of their classes.  A suspect is a stranger's model: whatever it answers
that is no answer is an error that says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.errors import BadData, BadOption, MissingExtra, UnfitModel
from assay.running.predictors.answers import Answers, Array, of_labels, of_scores

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Answers", "Predictor", "Span", "is_tflite", "predictor"]
Span = tuple[float, float]  # the least and the largest value of an input, black and white
_TFLITE = b"TFL3"  # at byte 4


class Predictor(ABC):
    """A model that answers inputs (n, …) with outputs (n, classes), or with labels (n,)."""

    name: str = "the model"
    batch: int = 256  # inputs that are sent at once
    whole: bool = False  # whether it takes batches of just that size
    shape: tuple[int | None, ...] | None = None  # of one input, where known; None: any size
    asked: int = 0  # inputs that it was sent since it was made
    span: Span | None = None  # of the inputs that it takes, where its file tells
    fitting: str = ""  # what is done to inputs, so that it takes them
    why: str = ""  # its answers to these inputs would mean nothing, because of this
    held: object = None  # what must stay as long as it does, such as a folder of its file

    def ask(self, inputs: Array) -> Answers:
        """Its answers, in the order of ``inputs`` (n, …).

        Raises:
            BadData: the inputs are none, not finite, or not of the shape that it takes.
            UnfitModel: it does not answer each input with one row of finite numbers, or one label.
            Overspent, Unreachable: see ``remote``.
        """
        before = self.asked
        parts = [self._answered(batch, count) for batch, count in self._batches(inputs)]
        if len({(part.shape[1:], part.dtype.kind == "i") for part in parts}) > 1:
            raise UnfitModel(f"{self.name}: answers change their shape from one batch to the next")
        answers, queries = np.concatenate(parts), self.asked - before
        try:
            return (of_labels if answers.ndim == 1 else of_scores)(answers, queries)
        except UnfitModel as error:
            raise UnfitModel(f"{self.name}: {error}") from None

    @abstractmethod
    def run(self, inputs: Array) -> Array:
        """The answers to one batch: scores (b, c), or labels (b,) as whole numbers."""

    def count(self, inputs: int) -> None:
        """Note that so many inputs are sent."""
        self.asked += inputs

    def _batches(self, inputs: Array) -> Iterator[tuple[Array, int]]:
        """Batches, and how many inputs of each were asked for."""
        inputs = self._fitting(np.asarray(inputs))
        for start in range(0, len(inputs), self.batch):
            part = inputs[start : start + self.batch]
            count = len(part)
            if self.whole and count < self.batch:  # its answers to what was added are dropped
                part = np.concatenate([part, np.repeat(part[-1:], self.batch - count, 0)])
            yield part, count

    def _answered(self, batch: Array, count: int) -> Array:
        self.count(len(batch))
        given = np.asarray(self.run(batch))
        if given.ndim < 1 or len(given) != len(batch):
            had = len(given) if given.ndim else 1
            raise UnfitModel(f"{self.name}: {had} answers to {len(batch)} inputs")
        if given.ndim == 1 and given.dtype.kind not in "iu":
            raise UnfitModel(f"{self.name}: one number for each input: it tells no classes apart")
        return given[:count]

    def _fitting(self, inputs: Array) -> Array:
        """The inputs as it takes them: pictures whose channels are last, where that fits."""
        if inputs.ndim < 2 or not inputs.size:
            raise BadData(f"{self.name}: no inputs, but an array of shape {list(inputs.shape)}")
        if not np.isfinite(inputs).all():
            raise BadData(f"{self.name}: an input is not a finite number")
        moved = np.moveaxis(inputs, 1, -1) if inputs.ndim == 4 else inputs
        for candidate in (inputs, moved):
            if self.shape is None or _fits(candidate.shape[1:], self.shape):
                return np.ascontiguousarray(candidate)
        wanted = ["any" if size is None else size for size in self.shape or ()]
        raise BadData(
            f"{self.name} takes inputs of shape {wanted}, not {[*inputs.shape[1:]]}: resize them"
        )


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        size is None or size == given for given, size in zip(shape, wanted, strict=True)
    )


def is_tflite(path: Path) -> bool:
    """Whether it is a TensorFlow Lite file, whatever it is called, as apps call them."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == _TFLITE


def predictor(model: Predictor | nn.Module | str | Path) -> Predictor:
    """The predictor of a torch module, an ``.onnx`` or ``.tflite`` file, or an ``http`` URL.

    A file is run: only on one's own machine, and as a user who owns nothing.

    Raises:
        BadOption: it is none of these.
        MissingExtra: what runs it is not installed.
        UnreadableModel: the file is damaged, or its operators are not known.
        UnfitModel: it takes or gives several tensors.
    """
    if isinstance(model, Predictor):
        return model
    try:
        if not isinstance(model, str | Path):
            from assay.running.predictors.of_module import OfModule

            return OfModule(model)
        if str(model).startswith(("http://", "https://")):
            from assay.running.predictors.remote import Remote

            return Remote(str(model))
        if Path(model).suffix == ".onnx":
            from assay.running.predictors.onnx_runtime import OnnxRuntime

            return OnnxRuntime(Path(model))
        if Path(model).suffix == ".tflite" or is_tflite(Path(model)):
            from assay.running.predictors.litert import LiteRT

            return LiteRT(Path(model))
    except ModuleNotFoundError as error:
        extra = "torch" if error.name == "torch" else "behavior"
        raise MissingExtra(
            f"{model} cannot be run ({error}): pip install 'assay[{extra}]'"
        ) from error
    raise BadOption(f"{model} cannot be run: give an .onnx or .tflite file, or an http URL")
