"""A trained batch normalization as a part of the linear layer before it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

EXTRA = "torch"
NORMALIZATION = "normalization"


def folded(state: Mapping[str, Tensor], layer: str, epsilon: float) -> dict[str, Tensor]:
    """The weights by name, in float64, without those of ``normalization``.

    y = γ (Wx + b - μ) / √(σ² + ε) + β becomes one linear map of ``layer``; γ and β may be missing.
    """
    kept = {name: value.double() for name, value in state.items()}
    norm = {
        name.partition(".")[2]: kept.pop(name)
        for name in state
        if name.startswith(f"{NORMALIZATION}.")
    }
    scale = norm.get("weight", 1) / (norm["running_var"] + epsilon).sqrt()
    kept[f"{layer}.weight"] = kept[f"{layer}.weight"] * scale[:, None]
    centered = (kept[f"{layer}.bias"] - norm["running_mean"]) * scale
    kept[f"{layer}.bias"] = centered + norm.get("bias", 0)
    return kept
