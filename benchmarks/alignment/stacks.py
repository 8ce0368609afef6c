"""Disguises on top of one another, of trained networks and of children that are disguised already.

Children are those of benchmarks/disguises; what is put on top needs the network, not its data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.derivations import DERIVATIONS
from assay.errors import UnfitModel
from assay.formats import read
from assay.running.examples import Examples
from assay.zoo.networks import build

SHAPE, CLASSES = (1, 28, 28), 10
PICTURES = 32


def derived(name: str, parent: nn.Module, **options: Any) -> nn.Module:
    """The module that a derivation makes."""
    method: Any = DERIVATIONS[name]
    random = np.random.default_rng(0)
    pictures = Examples(random.random((PICTURES, *SHAPE), np.float32))
    made: nn.Module = method(**options).derive(parent, data=pictures).module
    return made


def network(design: str, file: Path) -> nn.Module:
    """A network with the weights of a file that has its own names."""
    module = build(design, SHAPE, CLASSES, seed=0)
    state = module.state_dict()
    for name, weight in read(file).weights.items():
        state[name] = torch.from_numpy(np.array(weight.read())).to(state[name].dtype)
    module.load_state_dict(state)
    return module.eval()


def permuted(module: nn.Module) -> nn.Module:
    """Channels in another order."""
    return derived("permute-neurons", module)


def scaled(module: nn.Module) -> nn.Module:
    """Channels times factors that cancel out."""
    return derived("rescale-channels", module)


def pruned(module: nn.Module) -> nn.Module:
    """Without 30 % of its channels."""
    return derived("channel-prune", module, rate=0.3, importance="l1")


def split(module: nn.Module) -> nn.Module:
    """A quarter of its neurons split in two."""
    return derived("dummy-neurons", module, kind="split")


Change = Callable[[nn.Module], nn.Module]
STACKS: dict[str, tuple[str, tuple[Change, ...]]] = {  # the child it starts from, and what follows
    "rescaled, permuted": ("", (scaled, permuted)),
    "channels pruned, permuted": ("", (pruned, permuted)),
    "channels pruned, rescaled, permuted": ("", (pruned, scaled, permuted)),
    "split, rescaled": ("", (split, scaled)),
    "4-bit, permuted": ("4-bit", (permuted,)),
    "pruned 80 %, permuted": ("pruned 80 %", (permuted,)),
    "pruned 95 %, permuted": ("pruned 95 %", (permuted,)),
    "adapter merged, permuted": ("low-rank adapter merged", (permuted,)),
    "tuned to cosine .5, permuted": ("fine-tuned to cosine .5", (permuted,)),
    "rotated, permuted": ("residual stream rotated", (permuted,)),
}


def stacks(design: str, parent: Path, children: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name, and values by name; those that cannot be made of this network are left out."""
    for name, (start, changes) in STACKS.items():
        file = parent if not start else children / start / "child.safetensors"
        if not file.exists():
            continue
        try:
            module = network(design, file)
            for change in changes:
                module = change(module)
        except (UnfitModel, KeyError, RuntimeError):  # no such freedom, or no such tensors
            continue
        yield name, {key: value.numpy() for key, value in module.state_dict().items()}
