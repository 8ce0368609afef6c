"""What a pruned network multiplies: convolutions and linear layers, for one example."""

from __future__ import annotations

from collections import Counter
from math import prod

import torch
from torch import Tensor, nn

from assay.running.modules import answer, evaluating, weighted

EXTRA = "torch"


def multiply_adds(module: nn.Module, example: Tensor) -> dict[str, dict[str, int]]:
    """By layer: ``dense``, as it is; ``nonzero``; and ``live``, without channels that are zero.

    ``nonzero`` is what hardware does that passes over every zero.  ``live`` is what any does after
    rows and input channels without a nonzero weight are taken out.

    What torch's attention multiplies is not counted: it reads its layers and does not run them.

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
        name: {kind: places[name] * size for kind, size in _sizes(layer).items()}
        for name, layer in layers.items()
    }


def _sizes(layer: nn.Module) -> dict[str, int]:
    """Weights of each kind; a convolution's groups read other channels each."""
    weight: Tensor = layer.weight.detach()  # (o, i, …)
    groups, kernel = getattr(layer, "groups", 1), prod(weight.shape[2:])
    nonzero = (weight != 0).reshape(groups, -1, weight.shape[1], kernel)  # (g, o, i, k)
    rows, columns = nonzero.any(3).any(2).sum(1), nonzero.any(3).any(1).sum(1)  # (g,)
    return {
        "dense": weight.numel(),
        "nonzero": int(nonzero.sum()),
        "live": int((rows * columns).sum()) * kernel,
    }
