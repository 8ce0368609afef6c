"""The same model in another number type, or once through another format.

[IEEE 754 half precision; bfloat16: Kalamkar et al., 2019.]  Parameters are rounded and held in that
type, and widened when they are used, so that the model runs wherever its parent does.  Written as
ONNX and read again, a module has other parts and other names; only what it computes is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import onnx
import torch
from torch import Tensor, nn

from assay.derivations import Derivation, Needs, Work
from assay.errors import UnfitModel
from assay.running.network import network
from assay.running.quantized import Widened, compute
from assay.running.to_onnx import export
from assay.vocabularies.onnx.graph import convert
from assay.vocabularies.onnx.weights import weights

EXTRA = "torch"

_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Convert(Derivation):
    """Rounds parameters to a type; running statistics stay.  What a file is read as is float32."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"  # that parameters are stored in
    through: Literal["nothing", "onnx"] = "nothing"  # a format that it is written in and read from

    def __post_init__(self) -> None:
        self.one_of("dtype", _TYPES)
        self.one_of("through", ("nothing", "onnx"))

    @property
    def needs(self) -> Needs:
        return "nothing" if self.through == "nothing" else "inputs"

    def run(self, work: Work) -> nn.Module:
        child, wanted = work.parents[0], _TYPES[self.dtype]
        largest = 0.0
        for part in [*child.modules()]:
            for name, parameter in [*part.named_parameters(recurse=False)]:
                if not parameter.is_floating_point() or parameter.dtype == wanted:
                    continue
                stored = parameter.detach().to(wanted)
                if not bool(torch.isfinite(stored).all()):
                    raise UnfitModel(f"{name} of {part} has values too large for {self.dtype}")
                error = (stored.double() - parameter.detach().double()).abs().max()
                largest = max(largest, float(error))
                compute(
                    part, name, nn.Parameter(stored, requires_grad=False), Widened(parameter.dtype)
                )
        work.notes |= {
            "largest_error": largest,
            "bytes": sum(p.numel() * p.element_size() for p in child.parameters()),
        }
        return child if self.through == "nothing" else written_and_read(child, work.example(1))


def written_and_read(module: nn.Module, example: Tensor) -> nn.Module:
    """What is left of a module after it was an ONNX file."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        export(module, example, file)
        stored = convert(onnx.load(file), {})
        return network(stored.layers, weights(stored.layers, stored.stored, file))
