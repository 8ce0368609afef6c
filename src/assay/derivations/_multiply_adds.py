"""What a pruned network multiplies: convolutions and linear layers, for one example."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn

from assay.running.modules import answer, evaluating, weighted

EXTRA = "torch"


def multiply_adds(module: nn.Module, example: Tensor) -> dict[str, dict[str, int]]:
    """By layer: ``dense``, as it is; ``nonzero``; and ``live``, without channels that are zero.

    ``nonzero`` is what hardware does that passes over every zero.  ``live`` is what any does after
    rows and input channels without a nonzero weight are taken out.

    Args:
        module: In evaluation mode.
        example: (1, …).
    """
    layers, places = weighted(module), Counter[str]()

    def count(name: str, output: Tensor) -> None:
        axis = -1 if isinstance(layers[name], nn.Linear) else 1
        places[name] += output.numel() // output.shape[axis]

    hooks = [
        layer.register_forward_hook(lambda _, __, output, name=name: count(name, output))
        for name, layer in layers.items()
    ]
    with evaluating(module), torch.no_grad():
        answer(module, example)
    for hook in hooks:
        hook.remove()
    return {
        name: {kind: places[name] * size for kind, size in _sizes(layer.weight.detach()).items()}
        for name, layer in layers.items()
    }


def _sizes(weight: Tensor) -> dict[str, int]:  # (o, i, …)
    nonzero = weight.flatten(2) != 0 if weight.dim() > 2 else (weight != 0)[..., None]  # (o, i, k)
    rows, columns = nonzero.any(2).any(1).sum(), nonzero.any(2).any(0).sum()
    return {
        "dense": weight.numel(),
        "nonzero": int(nonzero.sum()),
        "live": int(rows * columns) * nonzero.shape[2],
    }
