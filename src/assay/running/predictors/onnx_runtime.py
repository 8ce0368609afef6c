"""An ONNX file as a predictor: ONNX Runtime runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

from assay.errors import BadData, UnfitModel, UnreadableModel
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array

EXTRA = "behavior"
_FAILURES = (
    native.Fail, native.InvalidArgument, native.InvalidGraph, native.InvalidProtobuf,
    native.NoSuchFile, native.NotImplemented, native.RuntimeException, RuntimeError,
)  # fmt: skip
_NUMBERS = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32,
}  # fmt: skip


class OnnxRuntime(Predictor):
    """An ONNX file with one input and one output, run on the CPU."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.name = path.name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what fails is raised
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except _FAILURES as error:
            raise UnreadableModel(f"{path}: ONNX Runtime cannot load it: {_first(error)}") from None
        given, taken = self._session.get_outputs(), self._session.get_inputs()
        if len(taken) != 1 or len(given) != 1:
            raise UnfitModel(
                f"{path}: {len(taken)} inputs and {len(given)} outputs; only models with one of"
                " each can be asked"
            )
        (self._input,) = taken
        if self._input.type not in _NUMBERS:
            raise UnfitModel(f"{path}: its input is a {self._input.type}, not numbers")
        sizes = [size if isinstance(size, int) else None for size in self._input.shape]
        if not sizes:
            raise UnfitModel(f"{path}: its input is a single number")
        self.shape = tuple(sizes[1:])
        if sizes[0] is not None:
            self.batch, self.whole = sizes[0], True

    def run(self, inputs: Array) -> Array:
        number = np.dtype(_NUMBERS[self._input.type])
        if (number.kind == "i") != (inputs.dtype.kind in "iu"):
            raise BadData(f"{self.name} takes {number.name}, not {inputs.dtype.name}")
        try:
            (found,) = self._session.run(None, {self._input.name: inputs.astype(number)})
        except _FAILURES as error:
            shape = list(inputs.shape)
            raise BadData(
                f"{self.name} cannot be run on inputs of shape {shape}: {_first(error)}"
            ) from None
        return np.asarray(found)


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
