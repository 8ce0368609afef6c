"""A torch module as a predictor."""

from __future__ import annotations

from torch import nn

from assay.errors import UnfitModel
from assay.running.modules import outputs
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array

EXTRA = "torch"


class OfModule(Predictor):
    """A torch module, asked in evaluation mode; its first output is its answer."""

    def __init__(self, module: nn.Module, name: str = "the module") -> None:
        if not isinstance(module, nn.Module):
            raise UnfitModel(f"expected a torch module, not a {type(module).__name__}")
        self.module, self.name = module, name

    def run(self, inputs: Array) -> Array:
        if inputs.dtype.kind == "f":
            inputs = inputs.astype("float32", copy=False)
        return outputs(self.module, inputs)
