"""Weights as whole numbers, with a scale for each output channel; activations rounded too.

[Jacob et al., CVPR 2018; Nagel et al., A White Paper on Neural Network Quantization, 2021.]  All
convolutions, linear and recurrent layers and embeddings, not the head alone.  Weights have
symmetric ranges, a layer's inputs one range a tensor, which is seen on examples.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.derivations import Derivation, Needs, Work
from assay.running.modules import matrices, outputs, untied
from assay.running.quantized import Dequantized, quantize_weight, round_inputs

EXTRA = "torch"

Range = tuple[float, float]
_LITTLE = 1e-9  # so that a bound counts


@dataclass(frozen=True)
class Quantize(Derivation):
    """Stores whole numbers in place of weights, and computes with them."""

    bits: int = 8  # of a weight: 8 or 4
    activations: Literal["int8", "none"] = "int8"  # none: only weights are rounded
    scales: Literal["largest", "searched"] = "largest"  # searched: smallest squared error, clips
    clipped: float = 0.0  # share of the activations that lie outside of their range
    calibration: int = 256  # examples on which activations are seen, at most

    def __post_init__(self) -> None:
        self.one_of("bits", (8, 4))
        self.one_of("activations", ("int8", "none"))
        self.one_of("scales", ("largest", "searched"))
        self.within("clipped", -_LITTLE, 1)
        self.at_least("calibration", 1)

    @property
    def needs(self) -> Needs:
        return "nothing" if self.activations == "none" else "inputs"

    def run(self, work: Work) -> nn.Module:
        module = work.parents[0].float()
        found = untied(module)
        count = sum(getattr(layer, name).numel() for layer, name in found.values())
        ranges = self._ranges(module, work) if self.activations == "int8" else {}
        errors = {
            path: round(
                quantize_weight(layer, name, self.bits, search=self.scales == "searched"), 6
            )
            for path, (layer, name) in found.items()
        }
        for path, (low, high) in ranges.items():
            round_inputs(module.get_submodule(path), low, high)
        work.notes |= {
            "bytes_before": 4 * count,
            "bytes_after": count * self.bits // 8 + 4 * _channels(module),
            "largest_relative_error": errors,
        }
        return module

    def _ranges(self, module: nn.Module, work: Work) -> dict[str, Range]:
        """By the layer's name, the range of what it is given."""
        seen: defaultdict[str, list[Range]] = defaultdict(list)
        layers = {layer: path for path, layer in module.named_modules()}

        def see(layer: Any, inputs: tuple[Tensor, ...]) -> None:
            if inputs[0].is_floating_point():  # an embedding is given whole numbers
                seen[layers[layer]].append(self._range(inputs[0].numpy(force=True)))

        layers_to_see = {layer for layer, _ in matrices(module).values()}
        hooks = [layer.register_forward_pre_hook(see) for layer in layers_to_see]
        outputs(module, work.examples.inputs[: self.calibration])
        for hook in hooks:
            hook.remove()
        return {
            path: (min(low for low, _ in ranges), max(high for _, high in ranges))
            for path, ranges in seen.items()
        }

    def _range(self, values: NDArray[Any]) -> Range:
        low, high = np.quantile(values, (self.clipped / 2, 1 - self.clipped / 2))
        return float(low), float(high)


def _channels(module: nn.Module) -> int:
    """Scales of weights that it holds."""
    return sum(len(part.scales) for part in module.modules() if isinstance(part, Dequantized))
