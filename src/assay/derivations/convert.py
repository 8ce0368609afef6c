"""The same model with its parameters in another number type.

[IEEE 754 half precision; bfloat16: Kalamkar et al., 2019.]  Parameters are rounded and held in that
type, and widened when they are used, so that the model runs wherever its parent does.  The format
of the file that a child is written to is chosen with the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from assay.derivations import Derivation, Work
from assay.errors import UnfitModel
from assay.running.quantized import Widened, compute

EXTRA = "torch"

_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Convert(Derivation):
    """Rounds parameters to a shorter type; running statistics stay as they are."""

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        self.one_of("dtype", _TYPES)

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
        return child
