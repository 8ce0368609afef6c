"""Changes of the weights that leave the function as it is, beyond what derivations offer.

Freedoms of parametrization [Neyshabur et al., 2015; Ashkboos et al., 2024]: a batch normalization
takes any sign back, a tanh its own, an attention any matrix between value and output, and between
query and key; what a normalization multiplies with may go into the matrices that read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.running.channels import absorb
from assay.running.find_channels import find_channels
from assay.zoo._blocks import Encoder, RowGru

Random = np.random.Generator


def signs_before_norms(module: nn.Module, example: Any, random: Random) -> None:
    """Half of the rows before a batch normalization negated; it takes the sign back."""
    for layer, norm in find_channels(module, example).normalized:
        size = module.get_submodule(norm).num_features
        absorb(module, layer, norm, random.choice([-1.0, 1.0], int(size)))


def signs_of_gru(module: nn.Module, random: Random) -> None:
    """Half of the hidden units negated: the tanh is odd, gates read the negated unit."""
    for part in _parts(module, RowGru):
        gru, hidden = part.gru, part.gru.hidden_size
        turned = torch.from_numpy(random.choice([-1.0, 1.0], hidden)).float()
        rows = torch.cat([torch.ones(2 * hidden), turned])  # reset, update, new
        for name, value in gru.named_parameters():
            value.data *= rows if value.dim() == 1 else rows[:, None]
            if name.startswith("weight_hh"):
                value.data *= turned
        module.head.weight.data *= turned


def mixed_heads(module: nn.Module, random: Random) -> None:
    """Within each head, values turned and outputs turned back; queries and keys alike."""
    for block in _parts(module, Encoder):
        size = block.query.out_features // block.heads
        for head in range(block.heads):
            rows = slice(head * size, (head + 1) * size)
            for one, other in ((block.value, block.output), (block.query, block.key)):
                mix = torch.from_numpy(random.normal(size=(size, size))).float()
                mix = torch.linalg.qr(mix)[0] * torch.from_numpy(_factors(random, size))
                one.weight.data[rows] = mix @ one.weight.data[rows]
                one.bias.data[rows] = mix @ one.bias.data[rows]
                back = torch.linalg.inv(mix)
                if other is block.output:
                    other.weight.data[:, rows] = other.weight.data[:, rows] @ back
                else:
                    other.weight.data[rows] = back.T @ other.weight.data[rows]
                    other.bias.data[rows] = back.T @ other.bias.data[rows]


def scaled_norms(module: nn.Module, random: Random) -> None:
    """What a layer normalization multiplies with, moved into the matrices that read it."""
    for block in _parts(module, Encoder):
        readers = (
            (block.norm1, (block.query, block.key, block.value)),
            (block.norm2, block.mlp[:1]),
        )
        for norm, layers in readers:
            _scale(norm, layers, random)
    for name, part in module.named_children():
        if name == "pool" and isinstance(part[0], nn.LayerNorm):
            _scale(part[0], [module.head], random)


def _scale(norm: nn.Module, layers: Any, random: Random) -> None:
    factors = torch.from_numpy(_factors(random, norm.weight.numel()))
    norm.weight.data *= factors
    norm.bias.data *= factors
    for layer in layers:
        layer.weight.data /= factors


def large_columns(module: nn.Module, inputs: Any, random: Random) -> None:
    """Columns that read nothing but 0 filled with large values.

    They fill their rows' norms, and little is left of the others in a code.  Where no input of a
    layer is always 0, the hidden channel that is active least is silenced.
    """
    quiet = {name: read.argmin().item() for name, read in _reads(module, inputs) if read.min() == 0}
    for name, place in quiet.items():
        _fill(module.get_submodule(name).weight.data[:, place], random)
    reads = dict(_reads(module, inputs))
    for group in find_channels(module, torch.from_numpy(inputs[:8])).groups:
        columns = [m for m in group.members if m.role == "column" and m.layer in reads]
        if not columns or any(m.axis != 1 for m in columns):
            continue
        active = sum(reads[m.layer].numpy()[m.slots].mean(1) for m in columns)
        least = int(np.argmin(active))
        for member in group.members:
            if member.role == "norm":
                norm = module.get_submodule(member.layer)
                norm.weight.data[member.slots[least]] = 0
                norm.bias.data[member.slots[least]] = 0
            elif member.role in ("row", "bias"):
                tensor = module.state_dict()[member.tensor]
                tensor.index_fill_(member.axis, torch.from_numpy(member.slots[least]), 0)
        for member in columns:
            for slot in member.slots[least]:
                _fill(module.get_submodule(member.layer).weight.data[:, slot], random)


def _fill(column: torch.Tensor, random: Random) -> None:
    """A thousand times as large as weights are."""
    column.copy_(torch.from_numpy(random.normal(size=tuple(column.shape))) * 100)


def _reads(module: nn.Module, inputs: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Layers with the mean size of each input channel."""
    seen: dict[str, Any] = {}

    def look(name: str) -> Any:
        def hook(_: nn.Module, arguments: Any) -> None:
            x = arguments[0].detach().abs()
            axes = [axis for axis in range(x.dim()) if axis != (1 if x.dim() == 4 else x.dim() - 1)]
            seen[name] = x.mean(axes)

        return hook

    layers = {
        name: part
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) or (isinstance(part, nn.Conv2d) and part.groups == 1)
    }
    hooks = [part.register_forward_pre_hook(look(name)) for name, part in layers.items()]
    with torch.no_grad():
        module(torch.from_numpy(inputs))
    for hook in hooks:
        hook.remove()
    for name in layers:
        if seen[name].numel() > 1:
            yield name, seen[name]


def _factors(random: Random, size: int) -> Any:
    """From 1 / 30 to 30, evenly by logarithm."""
    return np.exp(random.uniform(-1, 1, size) * np.log(30)).astype(np.float32)


def _parts(module: nn.Module, kind: type) -> Iterator[Any]:
    return (part for part in module.modules() if isinstance(part, kind))
