"""Names of submodules and parameters, made of the names that a file's weights have."""

from __future__ import annotations

import re

from torch import nn

EXTRA = "torch"

_LAST = frozenset({  # what a layer's weight itself is called
    "weight", "kernel", "w", "W", "gamma", "scale", "embeddings", "embedding", "ReadVariableOp",
    "depthwise_kernel",
})  # fmt: skip


def path_of(weight: str) -> list[str]:
    """The parts of a weight's name: ``features/conv1/kernel:0`` → features, conv1, kernel."""
    text = re.sub(r":\d+$", "", weight)
    parts = [re.sub(r"\W+", "_", part).strip("_") for part in re.split(r"[./]", text)]
    return [part for part in parts if part] or ["constant"]


def layer_of(weight: str) -> list[str]:
    """The parts of the name of the layer that a weight belongs to."""
    parts = path_of(weight)
    while len(parts) > 1 and (parts[-1] in _LAST or parts[-1].startswith("weight_")):
        parts.pop()
    return [*parts[:-1], parts[-1].removesuffix("_weight") or parts[-1]]


def place_for(root: nn.Module, parts: list[str]) -> tuple[nn.Module, str, str]:
    """Where in ``root`` something goes: the module that holds it, its name there, its full name.

    Modules on the way are made; a name that is taken gets a number.
    """
    *outer, last = parts
    inside, path = root, []
    for name in outer:
        if not isinstance(inside._modules.get(name), nn.Module):
            name = _free(inside, name)
            inside.add_module(name, nn.Module())
        inside = inside.get_submodule(name)
        path.append(name)
    last = _free(inside, last)
    return inside, last, ".".join([*path, last])


def _free(module: nn.Module, name: str) -> str:
    found, count = name, 1
    while hasattr(module, found):
        count += 1
        found = f"{name}_{count}"
    return found
