"""A TensorFlow Lite file as a predictor: LiteRT runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from assay.errors import BadData, UnfitModel, UnreadableModel
from assay.running.predictors import Predictor, Span
from assay.running.predictors.answers import Array

EXTRA = "behavior"
_FAILURES = (ValueError, RuntimeError)


class LiteRT(Predictor):
    """A ``.tflite`` file with one input and one output; quantized ones take and give real values.

    Pictures whose channels are first are turned where the file takes them last.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.name = path.name
        if not path.is_file():
            raise UnreadableModel(f"{path}: no such file")
        try:
            self._interpreter: Any = Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except _FAILURES as error:
            raise UnreadableModel(f"{path}: LiteRT cannot load it: {_first(error)}") from None
        taken = self._interpreter.get_input_details()
        given = self._interpreter.get_output_details()
        if len(taken) != 1 or len(given) != 1:
            raise UnfitModel(
                f"{path}: {len(taken)} inputs and {len(given)} outputs; only models with one of"
                " each can be asked"
            )
        (self._input,), (self._output,) = taken, given
        sizes = [int(size) for size in self._input["shape"]]
        if not sizes:
            raise UnfitModel(f"{path}: its input is a single number")
        given_sizes = [int(size) for size in self._input["shape_signature"]] or sizes
        self._is_open = -1 in given_sizes[1:]
        self.shape = tuple(None if size < 0 else size for size in given_sizes[1:])
        self.batch, self.whole = sizes[0], True
        self.span = _span(self._input)

    def run(self, inputs: Array) -> Array:
        try:
            if self._is_open and [*inputs.shape] != [*self._input["shape"]]:
                self._resize(inputs.shape)
            self._interpreter.set_tensor(self._input["index"], _stored(inputs, self._input))
            self._interpreter.invoke()
        except _FAILURES as error:
            raise BadData(f"{self.name} cannot be run on these inputs: {_first(error)}") from None
        found = self._interpreter.get_tensor(self._output["index"])
        return _real(np.asarray(found), self._output)

    def _resize(self, shape: tuple[int, ...]) -> None:
        self._interpreter.resize_tensor_input(self._input["index"], [*shape])
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()


def _span(tensor: dict[str, Any]) -> Span | None:
    """The real values that a quantized tensor can hold; of plain bytes, a picture's."""
    kind = np.dtype(tensor["dtype"])
    if kind.kind == "f" or (scale := _scale(tensor)) is None:
        return None
    limits = np.iinfo(kind)
    return (limits.min - scale[1]) * scale[0], (limits.max - scale[1]) * scale[0]


def _scale(tensor: dict[str, Any]) -> tuple[float, int] | None:
    """Scale and zero point of a quantized tensor; bytes without are their own values."""
    scales = tensor["quantization_parameters"]["scales"]
    points = tensor["quantization_parameters"]["zero_points"]
    if not len(scales):
        return (1.0, 0) if np.dtype(tensor["dtype"]) == np.uint8 else None
    if len(scales) > 1:
        raise UnfitModel(f"{tensor['name']} is quantized by channel, and is no plain array")
    return float(scales[0]), int(points[0])


def _stored(values: Array, tensor: dict[str, Any]) -> Array:
    """Real values as a tensor stores them."""
    kind = np.dtype(tensor["dtype"])
    if kind.kind == "f":
        return values.astype(kind)
    scale = _scale(tensor)
    if scale is None:
        if values.dtype.kind not in "iu":
            raise BadData(f"{tensor['name']} takes {kind.name} without a scale, not real values")
        return values.astype(kind)
    limits = np.iinfo(kind)
    steps: Array = np.rint(values / scale[0]) + scale[1]
    return steps.clip(limits.min, limits.max).astype(kind)


def _real(values: Array, tensor: dict[str, Any]) -> Array:
    """What a tensor stores, as real values."""
    scale = _scale(tensor) if values.dtype.kind in "iu" else None
    return values if scale is None else (values.astype(np.float64) - scale[1]) * scale[0]


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
